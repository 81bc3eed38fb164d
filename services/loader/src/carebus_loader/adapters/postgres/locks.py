"""Numbers of advisory locks."""

from __future__ import annotations

from hashlib import blake2b


def advisory_key(*names: str) -> int:
    """Return the number of a Postgres advisory lock: 64 bits with sign over the names."""
    digest = blake2b("\0".join(("carebus", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
