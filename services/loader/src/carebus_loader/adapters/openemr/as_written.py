"""Rows in a form that a plan and the database agree on, so that what we wrote is known again.

A row's references are not in it: they are links, which OpenEMR hands out numbers for. The database computes
the same hash itself (``digest_sql``), so that rows need not travel to be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from hashlib import sha256

from carebus_loader.adapters.openemr.schema import TABLES

Cells = Sequence[object]
_NULL = "\0"
_SEPARATOR = "\x1f"
_DIGEST = 8
"""Bytes of a hash: a number for the database."""
_FRACTIONS = ("decimal", "float", "double")


@lru_cache(maxsize=256)
def clinical(table: str, columns: tuple[str, ...], references: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of a plan whose cells are compared."""
    known = TABLES[table].columns
    return tuple(c for c in columns if c != "uuid" and c not in references and c in known)


@lru_cache(maxsize=256)
def writer(
    table: str, columns: tuple[str, ...], references: tuple[str, ...]
) -> Callable[[bytes, Cells], bytes]:
    """Return what hashes a row of a plan with these columns, given its uuid."""
    compared = clinical(table, columns, references)
    places = [columns.index(c) for c in compared]
    fractions = frozenset(n for n, c in enumerate(compared) if _is_fraction(table, c))

    def of(uuid: bytes, row: Cells) -> bytes:
        return digest(uuid, [row[place] for place in places], fractions)

    return of


@lru_cache(maxsize=256)
def fraction_places(table: str, compared: tuple[str, ...]) -> frozenset[int]:
    """Return which of some columns hold fractions."""
    return frozenset(n for n, column in enumerate(compared) if _is_fraction(table, column))


def digest(uuid: bytes, cells: Cells, fractions: frozenset[int]) -> bytes:
    """Hash a row, whether its cells come from a plan or from the database."""
    texts = [_NULL if c is None else c if c.__class__ is str else plain(c) for c in cells]
    for place in fractions:
        if texts[place] is not _NULL:
            texts[place] = _number(texts[place])
    return sha256(uuid + _SEPARATOR.join(["", *texts]).encode()).digest()[:_DIGEST]


@lru_cache(maxsize=256)
def digest_sql(table: str, compared: tuple[str, ...]) -> str:
    """Return SQL for the hash of row ``t`` as a number.

    It may differ where a number has an odd form; then cells and ``digest`` decide.
    """
    texts = "".join(f", COALESCE({_text_sql(table, column)}, x'00')" for column in compared)
    hashed = f"SHA2(CONCAT_WS(x'1f', t.uuid{texts}), 256)"
    return f"CAST(CONV(LEFT({hashed}, {2 * _DIGEST}), 16, 10) AS UNSIGNED)"


def _text_sql(table: str, column: str) -> str:
    text = f"CONVERT(t.`{column}` USING utf8mb4)"
    if not _is_fraction(table, column):
        return text
    shortened = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))"
    return f"IF({text} LIKE '%.%', {shortened}, {text})"


def plain(cell: object) -> str:
    """Return a cell as text: moments with a blank, as the database writes them."""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return str(cell)


def _number(text: str) -> str:
    """Return a number without needless zeros: the database fills up its columns."""
    try:
        return format(Decimal(text).normalize(), "f")
    except InvalidOperation:
        return text


def _is_fraction(table: str, column: str) -> bool:
    return TABLES[table].columns[column].type.startswith(_FRACTIONS)
