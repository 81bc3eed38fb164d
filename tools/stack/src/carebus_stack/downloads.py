"""Programs that come as jars: fetched once a user, checked against a lock, shared by all stacks.

A lock file names coordinates and checksums only, no address: where jars come from is the affair
of jgo (its default repository) or of CAREBUS_MAVEN_REPOSITORY (a mirror of your own).
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .errors import StackError

# Eight fetched Kafka's jars in 4 s; more only made the server say "slow down".
THREADS = 8
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One line of a lock file."""

    coordinate: str
    sha256: str
    platform: str | None = None

    @property
    def file_name(self) -> str:
        """The jar's name, unique within a lock."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def cache_dir() -> Path:
    """Return the folder of downloads of this user, which may not exist yet."""
    if named := os.environ.get("CAREBUS_CACHE_DIR"):
        return Path(named).absolute()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache").absolute() / "carebus"


def read_lock(name: str) -> list[LockedJar]:
    """Return the jars of `locks/<name>.lock`."""
    text = (resources.files("carebus_stack") / "locks" / f"{name}.lock").read_text()
    return parse_lock(text)


def parse_lock(text: str) -> list[LockedJar]:
    """Return the jars of a lock's text: `[platform] group:artifact:version sha256=...` a line."""
    jars = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        *platform, coordinate, checksum = line.split()
        jars.append(
            LockedJar(coordinate, checksum.removeprefix("sha256="), platform[0] if platform else None)
        )
    return jars


def jar_folder(name: str, jars: Sequence[LockedJar], *, tell: Callable[[str], None]) -> Path:
    """Return a folder holding exactly these jars, fetching them when it is not there yet."""
    content = sorted(f"{jar.coordinate} {jar.sha256}" for jar in jars)
    digest = hashlib.sha256("\n".join(content).encode())

    def fill(folder: Path) -> None:
        tell(f"{name}: fetching {len(jars)} jars into {folder.parent}")
        for jar, file in zip(jars, fetch(jars), strict=True):
            shutil.move(file, folder / jar.file_name)

    return program_folder(f"{name}-{digest.hexdigest()[:12]}", fill, home=cache_dir() / "programs")


def unpacked_jar(name: str, jar: LockedJar, *, root: str, home: Path, tell: Callable[[str], None]) -> Path:
    """Return a folder in `home` holding what lies below `root` in the jar, run bits set."""

    def fill(folder: Path) -> None:
        tell(f"{name}: fetching its programs into {folder.parent}")
        (archive,) = fetch([jar])
        unpack(archive, folder, root=root)
        archive.unlink()  # 140 MB that nobody needs again

    return program_folder(f"{name}-{jar.sha256[:12]}", fill, home=home)


def program_folder(name: str, fill: Callable[[Path], None], *, home: Path) -> Path:
    """Return `<home>/<name>`, filled by `fill` at most once, whole or not at all."""
    folder = home / name
    if folder.exists():
        return folder
    with locked(home / f".{name}.lock"):
        if not folder.exists():
            partial = folder.with_name(f"{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            fill(partial)
            partial.rename(folder)
    return folder


def fetch(jars: Sequence[LockedJar]) -> list[Path]:
    """Download jars with several threads and check them; returns their files, in order."""
    # jgo asks requests, which knows certifi's CAs only: behind a private CA it would fail. This
    # makes Python's ssl use the machine's own list, also when no variable points to it.
    import truststore  # noqa: PLC0415 - it acts on the whole process: only when we download

    truststore.inject_into_ssl()
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_fetch_one, jars))


def _fetch_one(jar: LockedJar) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - imports requests: 0.3 s

    mirror = os.environ.get("CAREBUS_MAVEN_REPOSITORY")
    context = MavenContext(
        repo_cache=cache_dir() / "maven",
        resolver=PythonResolver(),
        remote_repos={"mirror": mirror} if mirror else None,
        timeout=60,
    )
    group, artifact, version = jar.coordinate.split(":")
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            file = Path(context.project(group, artifact).at_version(version).artifact().resolve())
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            continue
        if sha256_of(file) == jar.sha256:
            return file
        reason = f"its checksum is not {jar.sha256[:12]}..., as locked"
        file.unlink()  # an interrupted download, or not the jar that we know
    raise StackError(
        f"The download of {jar.coordinate} failed ({reason}); check the network and the proxy "
        "settings, or name a mirror in CAREBUS_MAVEN_REPOSITORY, and run `carebus stack up` again."
    )


def unpack(archive: Path, folder: Path, *, root: str) -> None:
    """Unpack what lies below `root` of a jar into `folder`; programs get their run bits."""
    with zipfile.ZipFile(archive) as jar:
        for entry in jar.infolist():
            relative = entry.filename.removeprefix(f"{root}/")
            if entry.is_dir() or relative == entry.filename or ".." in Path(relative).parts:
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with jar.open(entry) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if relative.split("/")[0] in ("bin", "scripts"):
                target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def sha256_of(file: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on `file`, waiting for another process that does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
