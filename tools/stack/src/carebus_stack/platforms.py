"""Which machines can run the stack, and whether this one has room for it."""

import os
import platform
import shutil
import sys
from pathlib import Path

from .errors import StackError

# Wheels with the programs exist for these; MariaDB has its own, shorter list (locks/mariadb.lock).
SUPPORTED = frozenset({"linux-x86_64", "linux-aarch64", "darwin-arm64"})
# Programs take 0.5 GB, first data 0.2 GB; binlog, Kafka logs and a test run need the rest.
MIN_FREE_BYTES = 3 * 1024**3


def this_platform() -> str:
    """Return `system-machine` in the words of the lock files, such as `linux-x86_64`."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    return f"{sys.platform}-{machine}"


def require_supported_platform() -> None:
    """Raise a sentence when no programs exist for this machine."""
    name = this_platform()
    if name not in SUPPORTED:
        raise StackError(
            f"The native stack has no programs for {name}; run it on Linux x86-64 or aarch64 "
            "(glibc) or macOS arm64, or use `carebus stack up --docker`."
        )
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        raise StackError(
            "The native stack needs glibc, and this Linux has another C library (Alpine and other "
            "musl systems do); use a Debian, Ubuntu or Fedora base, or `carebus stack up --docker`."
        )


def require_disk(folder: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
    """Raise a sentence when the disk of `folder` (which need not exist yet) has too little room."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < min_free_bytes:
        raise StackError(
            f"The disk of {folder} has {free / 1024**3:.1f} GB free and the stack needs "
            f"{min_free_bytes / 1024**3:.0f} GB; free some space or choose another --dir."
        )


def running_as_root() -> bool:
    """Return whether this process is root, which Postgres and MariaDB refuse."""
    return os.geteuid() == 0
