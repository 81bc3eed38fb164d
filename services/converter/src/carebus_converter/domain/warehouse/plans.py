"""Plans for warehouses, which hold OMOP as it is: the same writes serve every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from carebus_contracts.errors import UnmappableRecord
from carebus_contracts.omop.bundle import PersonRecords, ReferenceRecords
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec
from carebus_contracts.plans import TableWrite, encode_plan, encode_write
from carebus_converter.domain.warehouse.row_text import COPY_COLUMN, Row, cells, row_lines

PERSON_COLUMN = "person_id"


def person_writes(person: PersonRecords) -> list[bytes]:
    """Write what each covered table is to hold about a person, in the order of the catalog.

    Concepts in use are left out: the reference chunks carry them, once and not per person.

    Raises:
        UnmappableRecord: A row is of another person, a number has more than 64 bits, or ``covers``
            names a table that no person has.
    """
    if person.retired:
        return list(_tombstones())
    if unknown := [table for table in person.covers if table not in PERSON_TABLES]:
        raise UnmappableRecord(f"covers names {len(unknown)} tables that CDM 5.4 does not know")
    covers = frozenset(person.covers)
    return [
        _write(spec, _rows_of_person(spec, person)) for spec in PERSON_TABLES.values() if spec.name in covers
    ]


def reference_writes(records: ReferenceRecords) -> list[bytes]:
    """Write what a table is to hold of one chunk of reference rows.

    A complete chunk replaces what stands of it. Of one that is not, as are concepts in use, the rows
    are put beside what stands, so that a whole vocabulary outlives a job that brings only a part.

    Raises:
        UnmappableRecord: CDM 5.4 has no such table, or a number has more than 64 bits.
    """
    spec = REFERENCE_TABLES.get(records.table)
    if spec is None:
        raise UnmappableRecord("reference rows of a table that CDM 5.4 does not know")
    if records.complete:
        return [_write(spec, records.records)]
    lines = row_lines(spec, records.records)
    return [encode_write(spec.name, _columns(spec.name), lines, kind="upsert")]


def person_plan(target: str, person: PersonRecords, writes: Sequence[bytes]) -> bytes:
    """Write the plan of a person for one warehouse from its ``person_writes``."""
    return encode_plan(
        target=target, source=person.source, subject=f"person/{person.person_id}", writes=writes
    )


def reference_plan(target: str, records: ReferenceRecords, writes: Sequence[bytes]) -> bytes:
    """Write the plan of a reference chunk for one warehouse from its ``reference_writes``."""
    return encode_plan(
        target=target, source=records.source, subject=f"{records.table}/{records.chunk}", writes=writes
    )


class WarehousePlans:
    """Plans for several warehouses; only the first target of the same records pays for the rows."""

    def __init__(self) -> None:
        self._records: PersonRecords | ReferenceRecords | None = None
        self._writes: Sequence[bytes] = ()

    def plan(self, records: PersonRecords | ReferenceRecords, target: str) -> bytes:
        """Write the plan of these records for one warehouse.

        Raises:
            UnmappableRecord: See ``person_writes`` and ``reference_writes``.
        """
        if isinstance(records, PersonRecords):
            if records is not self._records:
                self._writes, self._records = person_writes(records), records
            return person_plan(target, records, self._writes)
        if records is not self._records:
            self._writes, self._records = reference_writes(records), records
        return reference_plan(target, records, self._writes)


def _rows_of_person(spec: TableSpec, person: PersonRecords) -> Sequence[Row]:
    table: Any = getattr(person.tables, spec.name)
    if table is None:
        return ()
    rows: Sequence[Row] = table.rows
    # A stray row would land in the scope of another person, where nobody would ever replace it.
    if PERSON_COLUMN in spec.row._fields:
        owners = set(map(cells(spec.row, (PERSON_COLUMN,)), rows))
        if owners - {person.person_id}:
            raise UnmappableRecord(f"{spec.name}: a row of another person")
    return rows


def _write(spec: TableSpec, rows: Sequence[Row]) -> bytes:
    return encode_write(spec.name, _columns(spec.name), row_lines(spec, rows)) if rows else _empty(spec.name)


@lru_cache
def _columns(table: str) -> tuple[str, ...]:
    return COPY_COLUMN, *(PERSON_TABLES.get(table) or REFERENCE_TABLES[table]).columns


@lru_cache
def _empty(table: str) -> bytes:
    return encode_write(table, _columns(table), [])


@lru_cache
def _tombstones() -> tuple[bytes, ...]:
    return tuple(
        TableWrite(kind="tombstone", table=table, hash="", count=0).to_json() for table in PERSON_TABLES
    )
