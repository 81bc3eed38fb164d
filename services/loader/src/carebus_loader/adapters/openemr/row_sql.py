"""SQL of the rows of a plan: straight into a table, or by way of a staging table and an upsert.

``LOAD DATA LOCAL`` turns errors into warnings. Straight into a table it is the quickest way to put rows that
are not there yet, and it is believed only when nothing was warned of; everything else is staged as text
and put by ``INSERT … SELECT``, where the strict mode holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from carebus_loader.adapters.openemr.places import FILLED, Place, has
from carebus_loader.adapters.openemr.schema import TABLES

NULL = r"\N"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\0": r"\0"})
_FORMAT = r"CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'"

GONE = "carebus_gone"
NEW = "carebus_new"
LINKS = "carebus_links"
PATIENTS = "carebus_in_patient_data"


def staging(table: str) -> str:
    """Return the name of a table's staging table."""
    return f"carebus_in_{table}"


def temporary_tables() -> list[str]:
    """Return statements that make the staging tables: keys as they are, all else as text."""
    statements = [
        *(
            f"CREATE TEMPORARY TABLE {uuids} (uuid BINARY(16) NOT NULL PRIMARY KEY) ENGINE=InnoDB"
            for uuids in (GONE, NEW)
        ),
        f"CREATE TEMPORARY TABLE {LINKS} "
        "(uuid BINARY(16) NOT NULL PRIMARY KEY, pid BIGINT, encounter BIGINT) ENGINE=InnoDB",
    ]
    for table in ("patient_data", *(place.table for place in FILLED)):
        keys = {"uuid", "pid", "encounter"}
        text = [
            f"`{c.name}` LONGTEXT"
            for c in TABLES[table].columns.values()
            if not c.auto and c.name not in keys
        ]
        statements.append(
            f"CREATE TEMPORARY TABLE {staging(table)} (uuid BINARY(16) NOT NULL PRIMARY KEY, pid BIGINT, "
            f"encounter BIGINT, {', '.join(text)}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        )
    return statements


def line(cells: Sequence[object]) -> str:
    """Return one row as LOAD DATA reads it.

    Most rows hold nothing that needs an escape: some counts over the joined row find that out ten times
    faster than translating each cell.
    """
    text = [NULL if cell is None else cell if cell.__class__ is str else _number(cell) for cell in cells]
    joined = "\t".join(text)
    if (
        joined.count("\\") == cells.count(None)
        and joined.count("\t") == len(text) - 1
        and "\n" not in joined
        and "\r" not in joined
        and "\0" not in joined
    ):
        return joined
    return "\t".join(
        NULL if c is None else str(t).translate(_ESCAPES) for c, t in zip(cells, text, strict=True)
    )


def _number(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, bool) else str(cell)


@lru_cache(maxsize=256)
def load_direct(place: Place, columns: tuple[str, ...], of: Place | None = None) -> str:
    """Return the LOAD DATA of rows that are not there yet.

    Lines hold the plan's cells, pid, and a number where each row gets one.

    Args:
        place: Where to.
        columns: Of the plan.
        of: Whose rows they are, if not the place's own.
    """
    read = [_read(place, column) for column in columns]
    read.append(f"`{place.patient}`" if place.patient else "@pid")
    read += _number_of(of or place)
    named = {column: f"`{column}`" for column in columns}
    sets = ["`uuid` = UNHEX(@uuid)"] if has(place, "uuid") else []
    sets += [f"`{column}` = {sql.format_map(named)}" for column, sql in _fixed(place, columns).items()]
    return f"{_load(place.table, read)} SET {', '.join(sets)}"


@lru_cache(maxsize=256)
def load_staging(
    table: str, columns: tuple[str, ...], place: Place | None = None, of: Place | None = None
) -> str:
    """Return the LOAD DATA of the same cells into a staging table.

    Args:
        table: Which.
        columns: Of the plan.
        place: The table's place; none for patients.
        of: Whose rows they are, if not the place's own.
    """
    refers = place.refers if place else ""
    read = [
        "@uuid"
        if c == "uuid"
        else "`encounter`"
        if c == refers
        else f"`{c}`"
        if place is None or has(place, c)
        else "@skip"
        for c in columns
    ]
    read.append("`pid`")
    if place is not None:
        read += _number_of(of or place)
    return f"{_load(staging(table), read)} SET uuid = UNHEX(@uuid)"


@lru_cache(maxsize=256)
def upsert(place: Place, columns: tuple[str, ...], of: Place | None = None) -> str:
    """Return the statement that puts staged rows: clinical columns only, where a row is there already."""
    clinical = [
        c for c in columns if c != "uuid" and (has(place, c) or (c == place.refers and not place.linked))
    ]
    named = {c: f"s.`{'encounter' if c == place.refers else c}`" for c in columns}
    values, there = {}, ""
    if has(place, "uuid"):
        # With the row's own number the server meets it at once. Without, it would put a new row, find the
        # uuid taken, and undo that: half as quick, and a number is lost each time.
        values = {place.key: f"t.`{place.key}`", "uuid": "s.uuid"}
        there = f"LEFT JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = s.uuid "
    if place.patient:
        values[place.patient] = "s.pid"
    values |= {c: named[c] for c in clinical}
    number = [c.strip("`") for c in _number_of(of or place)]
    values |= {c: f"s.`{c}`" for c in number}
    values |= {c: sql.format_map(named) for c, sql in _fixed(place, columns).items()}
    kept = [*clinical, *place.always]
    if not place.numbered:
        kept += number
    return (
        f"INSERT INTO `{place.table}` ({_names(values)}) SELECT {', '.join(values.values())} "
        f"FROM {staging(place.table)} s {there}ON DUPLICATE KEY UPDATE "
        + ", ".join(f"`{c}` = VALUES(`{c}`)" for c in kept)
    )


def _fixed(place: Place, columns: tuple[str, ...]) -> dict[str, str]:
    """Return what stands in columns that the plan does not name."""
    return {c: sql for c, sql in place.once.items() if c not in columns} | dict(place.always)


def _number_of(place: Place) -> list[str]:
    """Return the column of the number that comes last in a line."""
    if place.numbered:
        return ["`encounter`"]
    return ["`procedure_order_seq`"] if place.in_order else []


@lru_cache(maxsize=256)
def update_patients(columns: tuple[str, ...]) -> str:
    """Return the statement that brings staged columns into patients that are there."""
    sets = ", ".join(f"p.`{c}` = s.`{c}`" for c in columns if c != "uuid")
    return (
        f"UPDATE {PATIENTS} s STRAIGHT_JOIN patient_data p FORCE INDEX (uuid) ON p.uuid = s.uuid SET {sets}"
    )


def take_away(place: Place) -> str:
    """Return the statement that marks rows as taken away."""
    sets = ", ".join(f"t.`{c}` = {sql}" for c, sql in place.away.items())
    return f"UPDATE {GONE} g STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = g.uuid SET {sets}"


LOAD_GONE = f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {GONE} {_FORMAT} (@uuid) SET uuid = UNHEX(@uuid)"
LOAD_LINKS = (
    f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {LINKS} {_FORMAT} (@uuid, pid, encounter) "
    "SET uuid = UNHEX(@uuid)"
)


def _read(place: Place, column: str) -> str:
    if column == "uuid":
        return "@uuid"
    # A column of the same name as a link's cannot be its own: form_vitals has no encounter.
    return f"`{column}`" if has(place, column) and not (column == place.refers and place.linked) else "@skip"


def _load(table: str, read: Sequence[str]) -> str:
    return f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE `{table}` {_FORMAT} ({', '.join(read)})"


def _names(values: Mapping[str, str]) -> str:
    return ", ".join(f"`{column}`" for column in values)
