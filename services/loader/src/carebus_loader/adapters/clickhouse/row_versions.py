"""Version and content as one number, which ClickHouse can compare: ``v << 64 | ord << 32 | hash``."""

from __future__ import annotations

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held

_HASH_DIGITS = 8


def row_version(version: Version, content: str = "") -> int:
    """Return the 128 bits; at equal versions the larger hash has the larger number, and no rows the least.

    Raises:
        ConstraintViolated: The version has more bits than there is room for.
    """
    v, order = version
    if not (0 <= v < 1 << 64 and 0 <= order < 1 << 32):
        raise ConstraintViolated("a plan's version has more than 64 and 32 bits")
    return v << 64 | order << 32 | hash_bits(content)


def hash_bits(content: str) -> int:
    """Return the last 32 of them."""
    return int(content[:_HASH_DIGITS] or "0", 16)


def held_of(number: int) -> Held:
    """Read a row's version; of the hash it has the first digits."""
    bits = (1 << 32) - 1
    return Held(Version(number >> 64, number >> 32 & bits), f"{number & bits:0{_HASH_DIGITS}x}")


def first_above(version: Version) -> int:
    """Return the least number that any newer version has."""
    return row_version(version) + (1 << 32)
