"""The tables of a warehouse: OMOP 5.4, and beside each row its source, scope and copy number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType, NoneType
from typing import Any, Literal, get_args

from carebus_contracts.errors import UnsupportedContract
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec
from carebus_contracts.plans import PlannedTable

Kind = Literal["whole", "number", "text", "date", "timestamp"]
SOURCE = "source"
COPY = "record_copy"
PERSON = "person_id"
CHUNK = "reference_chunk"

_KINDS: Mapping[type, Kind] = {
    int: "whole",
    float: "number",
    str: "text",
    date: "date",
    datetime: "timestamp",
}


@dataclass(frozen=True, slots=True)
class WarehouseTable:
    """One table as it stands in a warehouse."""

    name: str
    kinds: Mapping[str, Kind]
    """All columns in the order in which rows are sent: those of a plan, then ``tail``."""
    planned: tuple[str, ...]
    """The columns that a plan carries."""
    tail: tuple[str, ...]
    """The columns that the loader adds to each row: source, and the scope where OMOP has no such column."""
    scope: str
    """``person_id`` or ``reference_chunk``: with the source it names the rows that a plan replaces."""
    key: tuple[str, ...]
    """Source, scope, record key, copy number."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in the order in which rows are sent."""
        return tuple(self.kinds)


def _table(spec: TableSpec, scope: str) -> WarehouseTable:
    planned = (COPY, *spec.columns)
    tail = (SOURCE,) if scope in spec.columns else (SOURCE, scope)
    kinds: dict[str, Kind] = {COPY: "whole"}
    kinds |= {name: _kind(annotation) for name, annotation in spec.types.items()}
    kinds[SOURCE] = "text"
    kinds.setdefault(scope, "whole")
    return WarehouseTable(
        name=spec.name,
        kinds=MappingProxyType(kinds),
        planned=planned,
        tail=tail,
        scope=scope,
        key=(SOURCE, scope, *(column for column in spec.key if column != scope), COPY),
    )


def _kind(annotation: Any) -> Kind:
    types = [a for a in get_args(annotation) if a is not NoneType] or [annotation]
    return _KINDS[types[0]]


TABLES: Mapping[str, WarehouseTable] = MappingProxyType(
    {spec.name: _table(spec, PERSON) for spec in PERSON_TABLES.values()}
    | {spec.name: _table(spec, CHUNK) for spec in REFERENCE_TABLES.values()}
)
"""All tables by name, in the order of the catalog."""


def table_of(write: PlannedTable) -> WarehouseTable:
    """Find the table of a write.

    Raises:
        UnsupportedContract: Table or columns are not those of CDM 5.4: a newer converter's plan.
    """
    table = TABLES.get(write.table)
    if table is None:
        raise UnsupportedContract("a plan names a table that this loader does not know; upgrade the loader")
    if write.columns != table.planned and (write.columns or write.count):
        raise UnsupportedContract(
            f"a plan has other columns for {table.name} than this loader; upgrade the older of the two"
        )
    return table
