"""Versions that order what we know about a subject, and the hash of what is known."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

CONTENT_HASH_VERSION = 1
"""Enters every content hash; raise it when the way of hashing changes, so that all are written once more."""

UNKNOWN_HASH = ""
_VERSION = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,10}))?")


class Version(NamedTuple):
    """How new a statement about a subject is; tuples compare the way targets do.

    ``v`` is the broker's append time of the accepted job in milliseconds (files) or the clock in
    the slice's snapshot (databases); ``ord`` is the revision of the mapping that made the plan.
    """

    v: int
    ord: int = 0

    def __str__(self) -> str:
        return f"{self.v}.{self.ord}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``"<v>.<ord>"``.

        Raises:
            ValueError: The text is something else.
        """
        if (found := _VERSION.fullmatch(text)) is None:
            raise ValueError("a version is <v>.<ord>")
        return cls(int(found[1]), int(found[2] or 0))


def content_hash(*parts: bytes) -> str:
    """Return 32 hex digits over the parts, each with its length so that borders count."""
    digest = blake2b(CONTENT_HASH_VERSION.to_bytes(2, "big"), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
