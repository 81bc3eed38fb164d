"""Deterministic uuids: the natural keys of all rows that we write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, repeat
from typing import Any, TypeVar

import orjson

RowT = TypeVar("RowT", bound=tuple[Any, ...])

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class RowIds:
    """Makes the uuids of one person's rows.

    They are UUIDv8: six bytes that hash source and person, so that one patient's rows lie together in
    every uuid index, then bits that hash source, person, entity, record id and copy number. The last
    digit is 0; rows that a loader derives from a row share its uuid up to that digit.
    """

    def __init__(self, source: str, person_id: int) -> None:
        seed = blake2b(f"{source}/{person_id}".encode(), digest_size=38).digest()
        self._start = seed[:6].hex() + "8"
        self._base = blake2b(digest_size=9, key=seed[6:])

    def uuid(self, entity: str, record_id: int, copy: int = 0) -> str:
        """Return 32 hex digits.

        Args:
            entity: The OMOP table.
            record_id: The record's id in it.
            copy: Which of several records with this id (see ``numbered``).
        """
        rest = self._base.copy()
        rest.update(f"{entity}:{record_id}:{copy}".encode())
        digits = rest.hexdigest()
        return f"{self._start}{digits[:3]}{_VARIANT[digits[3]]}{digits[4:]}0"


@lru_cache(maxsize=65_536)
def shared_uuid(source: str, entity: str, record_id: int) -> str:
    """Return the uuid of a row that belongs to no person, likewise: of a source's rows of one table together."""
    start = blake2b(f"{source}/{entity}".encode(), digest_size=6, person=b"shared").hexdigest()
    digits = blake2b(f"{source}/{entity}:{record_id}".encode(), digest_size=9, person=b"shared").hexdigest()
    return f"{start}8{digits[:3]}{_VARIANT[digits[3]]}{digits[4:]}0"


def numbered(rows: Sequence[RowT]) -> Iterable[tuple[RowT, int]]:
    """Pair each row with its copy number: 0, 1, ... among rows with the same record id, by content.

    Real data repeat record ids, even within one person; whole rows do not repeat, or it is of no account
    which comes first.
    """
    if len({row[0] for row in rows}) == len(rows):
        return zip(rows, repeat(0), strict=False)
    by_content = sorted(rows, key=lambda row: (row[0], orjson.dumps(tuple(row))))
    return [
        (row, copy)
        for _, same_id in groupby(by_content, key=lambda row: row[0])
        for copy, row in enumerate(same_id)
    ]
