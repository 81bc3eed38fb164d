"""The store for payloads that are too large for a topic (claim check)."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import fsspec

from carebus_contracts.claims import ClaimCheck
from carebus_contracts.errors import InvalidMessage, PayloadMissing, TransientError


class BlobStore:
    """Blobs by content: the same payload is stored once, whoever checks it in and however often."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.url_to_fs(url, auto_mkdir=True)

    async def check_in(self, payload: bytes) -> ClaimCheck:
        """Store a payload; safe to repeat.

        Raises:
            TransientError: The store does not answer.
        """
        digest = sha256(payload).hexdigest()
        claim = ClaimCheck(name=f"{digest[:2]}/{digest}", sha256=digest, size=len(payload))
        try:
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

    def _put(self, name: str, payload: bytes) -> None:
        path = f"{self._root}/{name}"
        if self._fs.exists(path) and self._fs.size(path) == len(payload):
            return
        # Local files appear whole or not at all; object stores do so by themselves.
        with self._fs.transaction:
            self._fs.pipe_file(path, payload) if not _is_local(self._fs) else self._write(path, payload)

    def _write(self, path: str, payload: bytes) -> None:
        with self._fs.open(path, "wb") as file:
            file.write(payload)


def _is_local(fs: fsspec.AbstractFileSystem) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
