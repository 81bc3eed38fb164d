"""Folders by path or fsspec URL, in which a file is there whole or not at all.

On a local disk a file is written under a temporary name, flushed to the disk and renamed. Object
stores show a file only when its upload is complete, so there it is written under its own name.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from uuid import uuid4

from carebus_contracts.errors import JobError

TEMPORARY = ".unfinished-"
"""How names of files begin that nobody should read."""
COPY_BYTES = 1024 * 1024


class Folder(Protocol):
    """A place for files, named by paths with slashes."""

    url: str

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        """Open a file to write; it is there under its name when the block ends well, else not at all."""

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file to read.

        Raises:
            JobError: It is not there, or cannot be read.
        """

    def has(self, name: str) -> bool:
        """Return whether a finished file is there."""

    def names(self, below: str = "") -> list[str]:
        """Return the names of all finished files below a folder, sorted."""

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all in it; it may be gone."""

    def sweep(self) -> None:
        """Remove files that were never finished."""


def folder_at(url: str) -> Folder:
    """Return the folder at a path or URL; it need not be there yet.

    Raises:
        JobError: The kind of URL is unknown here, or a package for it is missing.
    """
    protocol, separator, rest = url.partition("://")
    if not url.strip() or (separator and not rest.strip("/")):
        raise JobError("the folder has no name; say which one is meant")
    if not separator:
        return _LocalFolder(Path(url))
    if protocol in {"file", "local"}:
        return _LocalFolder(Path(rest))
    if "::" in url:
        raise JobError(f"chained URLs such as {url} are not written; name the folder itself")
    import fsspec  # noqa: PLC0415 - 5 MB that local folders do not need

    try:
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise JobError(f"{protocol}:// URLs cannot be used here: {error}") from error
    if protocol not in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol):
        raise JobError(f"{protocol}:// URLs cannot be used here: the protocol is not known")
    return _RemoteFolder(url.rstrip("/"), fs, path.rstrip("/"))


def copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy all bytes, a block at a time."""
    shutil.copyfileobj(source, target, COPY_BYTES)


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self.url = str(path)
        self._path = path

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        target = self._path / name
        with _said("write", name, self.url):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"{TEMPORARY}{uuid4().hex}-{target.name}")
            try:
                with temporary.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.rename(target)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with _said("read", name, self.url), (self._path / name).open("rb") as file:
            yield file

    def has(self, name: str) -> bool:
        with _said("look for", name, self.url):
            return (self._path / name).is_file()

    def names(self, below: str = "") -> list[str]:
        top = self._path / below
        with _said("list", below or ".", self.url):
            return sorted(
                path.relative_to(self._path).as_posix()
                for path in top.rglob("*")
                if path.is_file() and not path.name.startswith(TEMPORARY)
            )

    def remove(self, name: str) -> None:
        target = self._path / name
        with _said("remove", name, self.url):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)

    def sweep(self) -> None:
        with _said("list", ".", self.url):
            for path in self._path.rglob(f"{TEMPORARY}*"):
                path.unlink(missing_ok=True)


class _RemoteFolder:
    def __init__(self, url: str, fs: Any, path: str) -> None:
        self.url = url
        self._fs = fs
        self._path = path

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        with _said("write", name, self.url):
            self._fs.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            try:
                file = self._fs.open(self._at(name), "wb", autocommit=False)
            except (TypeError, NotImplementedError) as error:
                raise JobError(
                    f"{self.url} is a store that cannot keep a file back until it is whole"
                ) from error
            try:
                yield cast(BinaryIO, file)
                file.close()
            except BaseException:
                with suppress(Exception):
                    file.discard()
                raise
            file.commit()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with _said("read", name, self.url), self._fs.open(self._at(name), "rb") as file:
            yield cast(BinaryIO, file)

    def has(self, name: str) -> bool:
        with _said("look for", name, self.url):
            return bool(self._fs.isfile(self._at(name)))

    def names(self, below: str = "") -> list[str]:
        with _said("list", below or ".", self.url):
            try:
                found = self._fs.find(self._at(below).rstrip("/"))
            except FileNotFoundError:
                return []
            start = self._path.strip("/") + "/"
            return sorted(path.strip("/").removeprefix(start) for path in found)

    def remove(self, name: str) -> None:
        with _said("remove", name, self.url), suppress(FileNotFoundError):
            self._fs.rm(self._at(name), recursive=True)

    def sweep(self) -> None:
        """Nothing is there before it is finished."""

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run the same again, finished chunks are kept",
    errno.EDQUOT: "the quota is used up; free some space and run the same again, finished chunks are kept",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "it is mounted read-only",
    errno.EFBIG: "files may not be so large here (see `ulimit -f`); allow larger ones, or choose smaller chunks",
    errno.EEXIST: "it is a file, not a folder",
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "part of the path is a file, not a folder",
}


@contextmanager
def _said(action: str, name: str, url: str) -> Iterator[None]:
    """Turn what a file system says into one sentence."""
    try:
        yield
    except OSError as error:
        number = error.errno or (errno.ENOENT if isinstance(error, FileNotFoundError) else 0)
        why = _REASONS.get(number) or error.strerror or type(error).__name__
        raise JobError(f"cannot {action} {name} in {url}: {why}") from error
