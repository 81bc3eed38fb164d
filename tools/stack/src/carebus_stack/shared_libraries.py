"""Find the shared libraries that a program misses, and the Debian package that has each."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

# What mariadbd 11.4.5, postgres, java and the ClickHouse engine ask of a slim image.
DEBIAN_PACKAGES = {
    "libcrypt.so.1": "libcrypt1",
    "libsystemd.so.0": "libsystemd0",
    "libcap.so.2": "libcap2",
    "libgcrypt.so.20": "libgcrypt20",
    "libgpg-error.so.0": "libgpg-error0",
    "liblzma.so.5": "liblzma5",
    "libzstd.so.1": "libzstd1",
    "liblz4.so.1": "liblz4-1",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libz.so.1": "zlib1g",
    "libaio.so.1": "libaio1",
    "libncurses.so.6": "libncurses6",
    "libtinfo.so.6": "libtinfo6",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libpcre2-8.so.0": "libpcre2-8-0",
    "libnuma.so.1": "libnuma1",
}


def missing_libraries(program: Path, *, environment: dict[str, str]) -> list[str]:
    """Return the names of the libraries that the loader does not find for `program`."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return []
    done = subprocess.run([ldd, str(program)], check=False, capture_output=True, text=True, env=environment)
    return parse_ldd(done.stdout + done.stderr)


def parse_ldd(output: str) -> list[str]:
    """Return what `ldd` says is not found, or what the loader itself could not open."""
    found = re.findall(r"^\s*(\S+) => not found", output, re.MULTILINE)
    found += re.findall(r"error while loading shared libraries: ([^:\s]+):", output)
    return list(dict.fromkeys(found))


def advice(libraries: Iterable[str]) -> str:
    """Return `libcrypt.so.1 and libz.so.1: install the packages libcrypt1 zlib1g (...)`."""
    names = list(libraries)
    packages = list(dict.fromkeys(DEBIAN_PACKAGES[n] for n in names if n in DEBIAN_PACKAGES))
    lacking = f"shared libraries are missing ({', '.join(names)})"
    if not packages:
        return f"{lacking}; install the packages of your system that hold them"
    return f"{lacking}; install them, on Debian and Ubuntu with `apt-get install {' '.join(packages)}`"
