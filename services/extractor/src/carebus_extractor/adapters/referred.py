"""What the rows of a person refer to: providers, their sites, and the places of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import duckdb
import orjson

from carebus_contracts.jobs import ExtractJob
from carebus_contracts.omop.bundle import REFERRED_TABLES
from carebus_extractor.adapters.staging import Stage
from carebus_extractor.domain.referred_sql import referred_ids_sql, referred_texts_sql, referring


@dataclass(slots=True)
class Referred:
    """What one person's rows refer to."""

    ids: dict[str, set[int]] = field(default_factory=lambda: {table: set() for table in REFERRED_TABLES})
    """By table; also ids that the source does not know."""
    rows: dict[str, list[bytes]] = field(default_factory=dict)
    """By table ``[...]`` a row, by id."""
    concepts: set[int] = field(default_factory=set)
    """What these rows in turn refer to."""


@dataclass(frozen=True, slots=True)
class _Row:
    text: bytes
    further: tuple[tuple[str, int], ...]
    """Rows of other tables that this one refers to: table and id."""
    concepts: tuple[int, ...]


class ReferredRows:
    """Finds them for the persons of a slice; what was read once is kept for the rest of the slice.

    Tables that the source leaves out or empty cost nothing.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, stage: Stage, job: ExtractJob) -> None:
        self._connection = connection
        self._relations = {
            table: stage.relations[table]
            for table in reversed(tuple(REFERRED_TABLES))  # those first that refer to the others
            if stage.manifest.tables.get(table) and table not in job.leave_out
        }
        self._known: dict[str, dict[int, _Row | None]] = {table: {} for table in self._relations}

    def of(self, held: Mapping[str, str]) -> dict[int, Referred]:
        """Return what each person of a chunk refers to.

        Args:
            held: Relations of the persons' tables; those rows count that travel.
        """
        found: dict[int, Referred] = {}
        for table in self._relations:
            if referring(table, held):
                sql = referred_ids_sql(table, held)
                for person_id, ids in self._connection.execute(sql).fetchall():
                    found.setdefault(person_id, Referred()).ids[table].update(ids)
        for table in self._relations:
            self._read(table, {i for referred in found.values() for i in referred.ids[table]})
            for referred in found.values():
                self._add(table, referred)
        return found

    def _add(self, table: str, referred: Referred) -> None:
        known = self._known[table]
        rows = [row for i in sorted(referred.ids[table]) if (row := known[i])]
        if rows:
            referred.rows[table] = [row.text for row in rows]
        for row in rows:
            referred.concepts.update(row.concepts)
            for other, key in row.further:
                referred.ids[other].add(key)

    def _read(self, table: str, ids: Iterable[int]) -> None:
        known = self._known[table]
        if new := sorted(i for i in ids if i not in known):
            known.update(dict.fromkeys(new))
            sql = referred_texts_sql(table, self._relations[table], new)
            for key, text in self._connection.execute(sql).fetchall():
                known[key] = _row(table, text)


def _row(table: str, text: bytes) -> _Row:
    spec = REFERRED_TABLES[table]
    cells = dict(zip(spec.columns, orjson.loads(text), strict=True))
    further = (
        (other, cells[key])
        for other, referred in REFERRED_TABLES.items()
        for key in referred.key
        if other != table and cells.get(key) is not None
    )
    concepts = (cells[column] for column in spec.concept_columns if cells[column] is not None)
    return _Row(text, tuple(further), tuple(concepts))
