"""SQL that turns a field of a source into a column of CDM 5.4, for the engine that stages.

A cell that cannot be read becomes NULL and is counted; it never costs the row, unless it is a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

_EARLIEST, _LATEST = "0001-01-01", "9999-12-31"
_MISSING_WORDS = "('', 'null', 'na', 'nan', 'nat', 'none', '\\n', '.')"
"""How exports of R, pandas, SAS and MySQL write a missing number or date."""

_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_WHOLE = frozenset((*_SIGNED, *_UNSIGNED, "BOOLEAN"))
_BROKEN = frozenset(("FLOAT", "DOUBLE", "DECIMAL"))


class Cell(NamedTuple):
    """SQL for one cell."""

    value: str
    """The value, NULL where it is missing or unreadable."""
    given: str
    """Whether the source gives anything."""


def kind_of(annotation: Any) -> type:
    """Return the one type behind ``int``, ``int | None`` and so on."""
    for kind in (int, float, str, datetime, date):
        if annotation is kind or annotation == kind | None:
            return kind
    raise TypeError(f"no cast for {annotation}")


def sql_type(kind: type) -> str:
    """Return the type that the stage keeps; datetimes are kept as the text that travels."""
    return {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", datetime: "VARCHAR", date: "DATE"}[kind]


def cell(kind: type, raw: str, raw_type: str) -> Cell:
    """Return SQL for a cell.

    Args:
        kind: What CDM 5.4 wants.
        raw: SQL of the field.
        raw_type: Its type as the engine names it.
    """
    base = raw_type.upper().partition("(")[0]
    if base in _BROKEN and kind in (int, float, str):
        return _broken_cell(kind, raw, base)
    if base in _WHOLE and kind in (int, float):
        return Cell(f"TRY_CAST({raw} AS {sql_type(kind)})", f"{raw} IS NOT NULL")
    if (base == "DATE" or base.startswith("TIMESTAMP")) and kind in (date, datetime):
        sql = "DATE" if kind is date else "TIMESTAMP"
        value = _in_calendar(f"TRY_CAST({raw} AS {sql})", sql)
        return Cell(value if kind is date else _iso(value), f"{raw} IS NOT NULL")
    return _text_cell(kind, raw if base == "VARCHAR" else f"CAST({raw} AS VARCHAR)")


def missing_cell(kind: type) -> Cell:
    """Return SQL for a column that the source lacks."""
    return Cell(f"CAST(NULL AS {sql_type(kind)})", "false")


def unreadable(cells: Mapping[str, Cell]) -> str:
    """Return SQL that says whether a row has a cell that is given but could not be read."""
    tests = [f"({column} IS NULL AND {c.given})" for column, c in cells.items() if c.given != "false"]
    return " OR ".join(tests) or "false"


def _broken_cell(kind: type, raw: str, base: str) -> Cell:
    # pandas writes a missing number as NaN
    there = f"{raw} IS NOT NULL" if base == "DECIMAL" else f"({raw} IS NOT NULL AND NOT isnan({raw}))"
    if kind is str:
        return Cell(f"CASE WHEN {there} THEN CAST({raw} AS VARCHAR) END", "false")
    if kind is int:
        whole = f"TRY_CAST({raw} AS BIGINT)"
        return Cell(f"CASE WHEN {whole} = {raw} THEN {whole} END", there)
    # a REAL keeps the digits that were written: 0.1 and not 0.10000000149
    exact = f"CAST({raw} AS VARCHAR)" if base == "FLOAT" else raw
    wide = f"TRY_CAST({exact} AS DOUBLE)"
    return Cell(f"CASE WHEN isfinite({wide}) THEN {wide} END", there)


def _text_cell(kind: type, raw: str) -> Cell:
    if kind is str:
        return Cell(f"NULLIF({raw}, '')", "false")
    given = f"{raw} IS NOT NULL AND lower(trim({raw})) NOT IN {_MISSING_WORDS}"
    if kind is int:
        # the engine rounds 8507.6 to 8508: only a whole number written with a point may pass
        whole = f"TRY_CAST({raw} AS BIGINT)"
        plain = f"{raw} NOT LIKE '%.%' AND {raw} NOT LIKE '%e%'"
        exact = f"TRY_CAST({raw} AS DECIMAL(38, 9)) = {whole}"
        return Cell(f"CASE WHEN {plain} THEN {whole} WHEN {exact} THEN {whole} END", given)
    if kind is float:
        number = f"TRY_CAST({raw} AS DOUBLE)"
        return Cell(f"CASE WHEN isfinite({number}) THEN {number} END", given)
    # vocabularies write 19700101, Oracle writes 01-JAN-1970; the engine reads the rest, unpadded ones too
    sql = "DATE" if kind is date else "TIMESTAMP"
    # strptime makes 1900 of 'infinity', and the year 20 of Oracle's 31-DEC-20
    digits = f"CASE WHEN right({raw}, 1) BETWEEN '0' AND '9' AND substr({raw}, -3, 1) <> '-' THEN {raw} END"
    other = f"CAST(try_strptime({digits}, ['%Y%m%d', '%d-%b-%Y']) AS {sql})"
    value = f"TRY_CAST({raw} AS {sql})"
    if kind is datetime:
        # the engine takes the PM of 10:30 PM for a time zone, and leaves zones out
        halves = f"try_strptime({raw}, ['%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p'])"
        value = f"CASE WHEN upper(right({raw}, 3)) IN (' AM', ' PM') THEN {halves} ELSE {value} END"
    value = _in_calendar(value, sql, other)
    return Cell(value if kind is date else _iso(value), given)


def _in_calendar(value: str, sql: str, other: str = "") -> str:
    """Return the first value that a calendar holds: the engine knows infinity and years before Christ."""
    latest = _LATEST if sql == "DATE" else f"{_LATEST} 23:59:59.999999"
    tests = " ".join(
        f"WHEN {v} BETWEEN {sql} '{_EARLIEST}' AND {sql} '{latest}' THEN {v}" for v in (value, other) if v
    )
    return f"CASE {tests} END"


def _iso(timestamp: str) -> str:
    return f"replace(CAST({timestamp} AS VARCHAR), ' ', 'T')"
