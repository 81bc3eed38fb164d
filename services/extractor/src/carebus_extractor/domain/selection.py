"""Which rows a job asks for, as SQL over ``person_id``."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.jobs import Persons

HASH_DIGITS = 13
"""52 bits of the hash are as fine as a share can be given."""


def in_range(after: int | None, up_to: int | None, column: str = "person_id") -> str:
    """Return SQL for ``after < person_id <= up_to``; the open start takes rows without a person, too."""
    tests = []
    if after is not None:
        tests.append(f"{column} > {after:d}")
    if up_to is not None:
        tests.append(f"{column} <= {up_to:d}")
    if not tests:
        return "true"
    inside = " AND ".join(tests)
    return f"({inside} OR {column} IS NULL)" if after is None else f"({inside})"


def sample_bound(share: float | None) -> str | None:
    """Return the hex digits that a kept person's hash lies below; None keeps everybody."""
    return None if share is None or share >= 1 else f"{int(share * 16**HASH_DIGITS):0{HASH_DIGITS}x}"


def in_sample(share: float | None, column: str = "person_id") -> str:
    """Return SQL that keeps a share of the persons, the same ones every time.

    The share is a bound on the SHA-256 of the decimal id, so a larger share holds every smaller one.
    """
    bound = sample_bound(share)
    if bound is None:
        return "true"
    return f"({column} IS NULL OR substr(sha256(CAST({column} AS VARCHAR)), 1, {HASH_DIGITS}) < '{bound}')"


def among(ids: Sequence[int], column: str = "person_id") -> str:
    """Return SQL that keeps the persons that are named, or everybody when nobody is."""
    return f"{column} IN ({', '.join(f'{i:d}' for i in ids)})" if ids else "true"


def selected(persons: Persons, column: str = "person_id") -> str:
    """Return SQL for everything that a job says about persons, but for ``limit``."""
    tests = (
        in_range(persons.start_after, None, column),
        in_sample(persons.sample, column),
        among(persons.ids, column),
    )
    return " AND ".join(t for t in tests if t != "true") or "true"
