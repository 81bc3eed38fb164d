"""Files of a source: which ones a job may read, what there is, and local copies of remote ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from carebus_contracts.errors import JobError, SourceUnavailable
from carebus_extractor.settings import ExtractorSettings

COPY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was listed."""

    name: str
    """Path below the source's folder, with slashes."""
    path: str
    """Where it is: a local path, or a path of its file system."""
    size: int
    state: str
    """Changes when the file does: mtime in nanoseconds, or the store's etag."""


@dataclass(frozen=True, slots=True)
class Place:
    """An allowed folder or file, local or on a file system of fsspec."""

    path: str
    fs: Any = None
    """None for a local place."""

    @property
    def shown(self) -> str:
        """The last name of the path: what sentences call it."""
        return PurePosixPath(self.path).name or self.path

    def files(self) -> list[SourceFile]:
        """List all files below a folder, or the one file, in order of name.

        Raises:
            JobError: There is nothing, or it leads out of the allowed roots.
        """
        return self._local_files() if self.fs is None else self._remote_files()

    def _local_files(self) -> list[SourceFile]:
        root = Path(self.path)
        if not root.exists():
            raise JobError(f"there is no {self.path} on this worker")
        try:
            paths = [root] if root.is_file() else [p for p in sorted(root.rglob("*")) if p.is_file()]
            found = []
            for path in paths:
                if not path.resolve().is_relative_to(root.resolve()):
                    raise JobError(f"{path.name} is a link that leads out of {self.path}")
                stat = path.stat()
                name = path.name if root.is_file() else path.relative_to(root).as_posix()
                found.append(SourceFile(name, str(path), stat.st_size, str(stat.st_mtime_ns)))
        except OSError as error:
            raise JobError(f"{self.path} cannot be read: {error.strerror}") from error
        return found

    def _remote_files(self) -> list[SourceFile]:
        try:
            listed: dict[str, dict[str, Any]] = self.fs.find(self.path, detail=True)
        except FileNotFoundError:
            listed = {}
        except PermissionError as error:
            raise JobError(f"the store does not let this worker list {self.shown}") from error
        except OSError as error:
            raise SourceUnavailable(f"cannot list {self.shown}: {type(error).__name__}") from error
        if not listed:
            raise JobError(f"there is nothing at {self.shown}")
        files = []
        for path, info in sorted(listed.items()):
            name = path.removeprefix(self.path).strip("/") or PurePosixPath(path).name
            state = next((str(info[k]) for k in _STATES if info.get(k)), "")
            files.append(SourceFile(name, path, int(info.get("size") or 0), state))
        return files

    def local_copies(self, files: Sequence[SourceFile], folder: Path) -> list[SourceFile]:
        """Return files that can be opened here: the same ones, or copies of remote ones in ``folder``."""
        if self.fs is None:
            return list(files)
        copies = []
        for number, file in enumerate(files):
            # the copy's folder keeps names apart that differ in their folder only
            target = folder / str(number) / PurePosixPath(file.name).name
            target.parent.mkdir(parents=True)
            try:
                with self.fs.open(file.path, "rb") as source, target.open("wb") as copy:
                    while block := source.read(COPY_BYTES):
                        copy.write(block)
            except FileNotFoundError as error:
                raise JobError(f"{file.name} went away while it was read") from error
            except OSError as error:
                raise SourceUnavailable(f"cannot read {file.name}: {type(error).__name__}") from error
            copies.append(SourceFile(file.name, str(target), file.size, file.state))
        return copies


_STATES = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "LastModified",
    "last_modified",
    "mtime",
    "updated",
    "created",
)


def allowed_place(path: str, settings: ExtractorSettings) -> Place:
    """Return the place that a job names, if this worker may read it.

    Raises:
        JobError: It lies outside the allowed roots, or its file system is not installed.
    """
    if "::" in path:
        raise JobError("omop.path: chained URLs are not read; name the folder itself")
    protocol, separator, rest = path.partition("://")
    if separator and protocol != "file":
        return _remote_place(path, protocol, settings)
    local = Path(rest if separator else path).expanduser().resolve()
    roots = [
        Path(root.removeprefix("file://")).expanduser().resolve()
        for root in settings.allowed_roots
        if _is_local(root)
    ]
    if not any(local.is_relative_to(root) for root in roots):
        raise JobError(
            f"omop.path: {path} lies outside the folders that this worker may read; "
            "CAREBUS_EXTRACTOR_ALLOWED_ROOTS names them"
        )
    return Place(str(local))


def fingerprint_of(kind: str, files: Sequence[SourceFile]) -> str:
    """Return 32 hex digits over names, sizes and states; they change when any file does."""
    digest = hashlib.blake2b(kind.encode(), digest_size=16)
    for file in files:
        digest.update(f"\0{file.name}\0{file.size}\0{file.state}".encode())
    return digest.hexdigest()


def _is_local(root: str) -> bool:
    return "://" not in root or root.startswith("file://")


def _remote_place(path: str, protocol: str, settings: ExtractorSettings) -> Place:
    url = path.rstrip("/")
    inside = any(
        url == root.rstrip("/") or url.startswith(root.rstrip("/") + "/")
        for root in settings.allowed_roots
        if not _is_local(root)
    )
    if not inside or ".." in url.split("/"):
        raise JobError(
            f"omop.path: {protocol}://... lies outside the stores that this worker may read; "
            "CAREBUS_EXTRACTOR_ALLOWED_ROOTS names them"
        )
    opener: Callable[..., Any] = fsspec.core.url_to_fs
    try:
        fs, inner = opener(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise JobError(f"omop.path: this worker cannot read {protocol}:// URLs: {error}") from error
    return Place(inner, fs)
