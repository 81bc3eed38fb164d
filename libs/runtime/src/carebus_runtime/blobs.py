"""The store for payloads that are too large for a topic (claim check)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import fsspec

from carebus_contracts.addressing import Addressed
from carebus_contracts.claims import ClaimCheck
from carebus_contracts.errors import InvalidMessage, PayloadMissing, TransientError
from carebus_runtime import blob_marks
from carebus_runtime.blob_marks import BlobMark


class BlobStore:
    """Blobs by content: the same payload is stored once, whoever checks it in and however often."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.url_to_fs(url, auto_mkdir=True)

    async def check_in(self, payload: bytes, about: Addressed | None = None) -> ClaimCheck:
        """Store a payload; safe to repeat.

        Args:
            payload: What is too large for its topic.
            about: Whose it is, so that ``sweep`` finds it.

        Raises:
            TransientError: The store does not answer.
        """
        digest = sha256(payload).hexdigest()
        claim = ClaimCheck(name=f"{digest[:2]}/{digest}", sha256=digest, size=len(payload))
        try:
            if about is not None:
                # The mark first: a blob without one would never be swept.
                await asyncio.to_thread(self._mark, blob_marks.name_of(about, digest))
            await asyncio.to_thread(self._put, claim.name, payload)
        except OSError as error:
            raise TransientError(
                f"blob store refused a payload: {type(error).__name__}", system="blob store"
            ) from error
        return claim

    async def check_out(self, value: bytes) -> bytes:
        """Fetch the payload of a claim check.

        Raises:
            InvalidMessage: The value is no claim check.
            PayloadMissing: The blob is not there, or is not the one that was checked in.
            TransientError: The store does not answer.
        """
        claim = ClaimCheck.from_json(value)
        if claim.name != f"{claim.sha256[:2]}/{claim.sha256}":
            raise InvalidMessage("claim check whose name is not its hash")
        try:
            payload = await asyncio.to_thread(self._fs.cat_file, f"{self._root}/{claim.name}")
        except FileNotFoundError:
            raise PayloadMissing("the blob of a claim check is not in the store") from None
        except OSError as error:
            raise TransientError(
                f"blob store did not answer: {type(error).__name__}", system="blob store"
            ) from error
        if len(payload) != claim.size or sha256(payload).hexdigest() != claim.sha256:
            raise PayloadMissing("the blob of a claim check holds other bytes")
        return bytes(payload)

    async def sweep(
        self, source: str, void: Callable[[BlobMark], bool], *, persons: Collection[int] | None = None
    ) -> int:
        """Delete the blobs of a source's messages that are void; return how many went.

        A blob that another message needs, too, stays.

        Args:
            source: Slug of the source.
            void: Whether a message counts no more.
            persons: Look at these persons only.

        Raises:
            TransientError: The store does not answer.
        """
        try:
            return await asyncio.to_thread(self._sweep, source, void, persons)
        except OSError as error:
            raise TransientError(
                f"blob store did not answer: {type(error).__name__}", system="blob store"
            ) from error

    def _sweep(self, source: str, void: Callable[[BlobMark], bool], persons: Collection[int] | None) -> int:
        root = f"{self._root}/{blob_marks.ROOT}/{source}"
        if persons is None:
            folders = self._names(root)
        else:
            names = (blob_marks.folder(source, str(person), person=True) for person in persons)
            folders = [f"{self._root}/{name}" for name in names]
        return sum(self._sweep_subject(folder, void) for folder in folders)

    def _sweep_subject(self, folder: str, void: Callable[[BlobMark], bool]) -> int:
        marks = {path: mark for path in self._names(folder) if (mark := blob_marks.read_name(path))}
        gone = {path: mark for path, mark in marks.items() if void(mark)}
        needed = {mark.sha256 for path, mark in marks.items() if path not in gone}
        deleted = 0
        for digest in sorted({mark.sha256 for mark in gone.values()} - needed):
            name = f"{digest[:2]}/{digest}"
            payload = self._take(name)
            deleted += payload is not None
            # A newer message may have found its blob in this very moment: it gets it back.
            found = (blob_marks.read_name(path) for path in self._names(folder) if path not in gone)
            if payload is not None and any(mark and mark.sha256 == digest for mark in found):
                self._put(name, payload)
        for path in gone:
            self._delete(path)
        return deleted

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(self._fs.ls(folder, detail=False))
        except FileNotFoundError:
            return []

    def _take(self, name: str) -> bytes | None:
        try:
            payload = bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None
        self._delete(f"{self._root}/{name}")
        return payload

    def _delete(self, path: str) -> None:
        try:
            self._fs.rm_file(path)
        except FileNotFoundError:  # another console was quicker
            return

    def _mark(self, name: str) -> None:
        path = f"{self._root}/{name}"
        if _is_local(self._fs):
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(path, b"")

    def _put(self, name: str, payload: bytes) -> None:
        path = f"{self._root}/{name}"
        if self._fs.exists(path) and self._fs.size(path) == len(payload):
            return
        if _is_local(self._fs):
            _write_whole(Path(path), payload)
        else:
            self._fs.pipe_file(path, payload)


def _write_whole(path: Path, payload: bytes) -> None:
    """Write a local file that appears whole or not at all, as objects do by themselves.

    fsspec's transactions do not serve: all threads of a process share one, and it moves files from /tmp.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        unfinished.write_bytes(payload)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_local(fs: fsspec.AbstractFileSystem) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
