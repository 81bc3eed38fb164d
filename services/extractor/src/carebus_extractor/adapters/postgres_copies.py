"""What is copied out of one snapshot of a Postgres schema, and how it lies in the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from carebus_contracts.names import NameColumns
from carebus_contracts.omop.bundle import REFERRED_TABLES
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_extractor.adapters.building import RawTable, reading
from carebus_extractor.adapters.engine import identifier, quoted
from carebus_extractor.adapters.postgres_session import Schema, Session
from carebus_extractor.adapters.staging import Manifest, Stage
from carebus_extractor.domain.bundle_sql import concept_ids_sql
from carebus_extractor.domain.columns import ALL_TABLES, NUMBERED_BY_US, match_columns
from carebus_extractor.domain.names_sql import NAMES, NamesPart, names_select
from carebus_extractor.domain.postgres_sql import Event, costs, distinct_concepts
from carebus_extractor.domain.referred_sql import all_referred_ids_sql
from carebus_extractor.domain.selection import among
from carebus_extractor.domain.staging_sql import (
    AMBIGUOUS_EVENT,
    COST_EVENTS,
    ORPHAN,
    cost_select,
    numbered_select,
    staged_select,
    weights_select,
)

LONGEST_LINE_BYTES = 64 * 1024 * 1024
"""Longer rows fail their slice: the server's rows are whole, so none may be passed over."""
SMALLEST_BUFFER_BYTES = 64 * 1024
INTEGERS = ("smallint", "integer", "bigint")
TEXT = ("VARCHAR",)
IN_USE = "SELECT DISTINCT c FROM staged.in_use"


class LocalCopies:
    """What was copied out of one snapshot, as tables of the engine."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.schema = Schema({}, ())
        self.cdm_version = ""
        self.left_behind: dict[str, dict[str, int]] = {}
        self._relations: dict[str, str] = {}
        self._rows: dict[str, int] = {}

    def load(self, table: str, path: Path) -> None:
        """Take in the rows of one table."""
        there = self.schema.tables[table]
        types = ["BIGINT" if kind in INTEGERS else "VARCHAR" for kind in there.types]
        raw = RawTable()
        if path.stat().st_size:
            raw.add(table, table, _scan(path, types), there.columns, types)
        else:
            raw.add_empty(table)
        select = staged_select(table, raw.parts)
        if table == NUMBERED_BY_US:
            select = numbered_select(f"({select})")
        if table == "cost":
            self._create("raw_cost", select)
            events = {t: r for t, r in self._relations.items() if t in PERSON_TABLES}
            select = cost_select("staged.raw_cost", events)
            # COST rows of nobody are counted at the server: a slice alone cannot tell
            select = f"SELECT * FROM ({select}) WHERE _fault IS DISTINCT FROM '{ORPHAN}'"
        self._create(table, select)

    def load_persons(self, path: Path) -> None:
        """Take in the ids of all persons, which is what a plan needs."""
        person_id = "TRY_CAST(r0 AS BIGINT)"
        self._create(
            "_weights",
            f"SELECT DISTINCT {person_id} AS person_id, 0 AS rows, 0 AS size "
            f"FROM {_scan(path, TEXT)} WHERE {person_id} IS NOT NULL ORDER BY 1",
        )
        self._relations |= dict.fromkeys(self.schema.tables, "staged._weights")

    def load_names(self, names: NameColumns, path: Path) -> None:
        """Take in what persons are called, in the order of ``Session.names_query``."""
        fields = ("person_id", *names.columns)
        parts = []
        if path.stat().st_size:
            places = {field: number for number, field in enumerate(fields)}
            types = ("VARCHAR",) * len(fields)
            parts.append(NamesPart(_scan(path, types), types, places))
        else:
            places = dict.fromkeys(fields, 0)
            parts.append(NamesPart("(SELECT NULL::VARCHAR AS r0 WHERE false)", TEXT, places))
        self._create(NAMES, names_select(parts))

    def load_concept_ids(self, path: Path) -> None:
        """Take in ids of concepts that the job's persons use."""
        self.connection.execute("CREATE TABLE IF NOT EXISTS staged.in_use (c BIGINT)")
        self.connection.execute(
            f"INSERT INTO staged.in_use SELECT TRY_CAST(r0 AS BIGINT) FROM {_scan(path, TEXT)}"
        )

    def concept_ids(self) -> list[int]:
        """Return the concepts that the rows of persons use, and those that these rows refer to."""
        parts = [
            concept_ids_sql(table, relation, "_fault IS NULL")
            for table, relation in self._relations.items()
            if table in ALL_TABLES and ALL_TABLES[table].concept_columns
        ]
        return self.numbers(f"SELECT DISTINCT c FROM ({' UNION ALL '.join(parts)})")

    def referred_ids(self, table: str) -> list[int]:
        """Return the ids of rows of a referred table that the rows copied so far refer to."""
        return self.numbers(all_referred_ids_sql(table, self._relations))

    def numbers(self, query: str) -> list[int]:
        """Return the numbers in the only column of an answer."""
        return [number for (number,) in self.connection.execute(query).fetchall()]

    def weigh(self) -> None:
        """Find how much each person is, so that large ones are read alone."""
        self._create(
            "_weights", weights_select({t: r for t, r in self._relations.items() if t in PERSON_TABLES})
        )

    def stage(self) -> Stage:
        """Return what was copied in the shape of a stage."""
        manifest = Manifest(
            cdm_version=self.cdm_version,
            persons=0,
            tables=dict.fromkeys(self.schema.tables, 0) | self._rows,
            left_behind=self.left_behind,
            repeats=tuple(PERSON_TABLES),
            notes=self.schema.notes,
        )
        return Stage(manifest, self._relations)

    def _create(self, name: str, select: str) -> None:
        with reading(name):
            made = self.connection.execute(f"CREATE TABLE staged.{name} AS {select}").fetchone()
        self._relations[name] = f"staged.{name}"
        self._rows[name] = made[0] if made else 0


class Copying:
    """Copies out of one snapshot; each goes through a file, so that no table has to fit in memory."""

    def __init__(self, snapshot: Session, local: LocalCopies, fingerprint: str) -> None:
        self._snapshot = snapshot
        self._local = local
        self._tables = local.schema.tables
        self.fingerprint = fingerprint

    async def rows(self, query: str, load: Callable[[Path], None]) -> None:
        """Copy the answer of a query."""
        path = self._local.folder / "copy.csv"
        await self._snapshot.copy(query, path)
        load(path)
        path.unlink()

    async def table(self, table: str, where: str) -> None:
        """Copy rows of one table."""
        there = self._tables[table]
        columns = ", ".join(identifier(column) for column in there.columns)
        await self.rows(
            f"SELECT {columns} FROM {there.name} WHERE {where}", lambda path: self._local.load(table, path)
        )

    async def concepts(self, ids: Sequence[int]) -> None:
        """Copy the rows of some concepts."""
        column = self._tables["concept"].column("concept_id")
        await self.table("concept", among(ids, column) if ids else "false")

    async def names(self, names: NameColumns, where: Callable[[str], str]) -> None:
        """Copy what persons are called; ``where`` is the condition on them, given SQL of their id."""
        query = await self._snapshot.names_query(names, where)
        await self.rows(query, lambda path: self._local.load_names(names, path))

    async def referred(self, leave_out: Sequence[str]) -> None:
        """Copy the rows of no person that the slice's rows refer to; those first that refer to others."""
        for table in reversed(tuple(REFERRED_TABLES)):
            if table in self._tables and table not in leave_out:
                ids = self._local.referred_ids(table)
                column = self._tables[table].column(f"{table}_id")
                await self.table(table, among(ids, column) if ids else "false")

    async def concepts_in_use(self) -> None:
        """Copy the concepts of all persons, providers and sites: see ``ReferenceReader``."""
        person = self._tables["person"]
        column = person.column("person_id")
        chosen = f"SELECT {column} FROM {person.name}"
        for table, there in self._tables.items():
            if table == "cost" or not (table in PERSON_TABLES or table in REFERRED_TABLES):
                continue
            known = match_columns(table, there.columns).places
            if concepts := [there.column(c) for c in ALL_TABLES[table].concept_columns if c in known]:
                belongs = f"{there.column('person_id')} IN ({chosen})" if table in PERSON_TABLES else "true"
                await self.rows(
                    distinct_concepts(there.name, concepts, belongs), self._local.load_concept_ids
                )
        await self.concepts(self._local.numbers(IN_USE))

    async def costs(self, where: Mapping[str, str], *, count_others: bool) -> None:
        """Copy the costs of the slice's events; count those of nobody where the slice is the one to do it."""
        cost = self._tables["cost"]
        events = {
            word: Event(there.name, there.column(f"{table}_id"), there.column("person_id"))
            for word, table in COST_EVENTS.items()
            if (there := self._tables.get(table))
        }
        conditions = costs(
            cost.column("cost_domain_id"),
            cost.column("cost_event_id"),
            events,
            {word: where[COST_EVENTS[word]] for word in events},
        )
        await self.table("cost", conditions.of_persons)
        if count_others:
            count = f"SELECT count(*) FROM {cost.name} WHERE"
            nobody = await self._snapshot.value(f"{count} {conditions.of_nobody}")
            several = await self._snapshot.value(f"{count} {conditions.of_several}")
            self._local.left_behind["cost"] = {
                reason: rows for reason, rows in ((ORPHAN, nobody), (AMBIGUOUS_EVENT, several)) if rows
            }


def _scan(path: Path, types: Sequence[str]) -> str:
    columns = ", ".join(f"'r{n}': '{kind}'" for n, kind in enumerate(types))
    # the engine takes the whole buffer however short the file is
    buffer = min(LONGEST_LINE_BYTES, path.stat().st_size + SMALLEST_BUFFER_BYTES)
    return (
        f"read_csv({quoted(path)}, delim=',', quote='\"', escape='\"', header=false, "
        f"columns={{{columns}}}, auto_detect=false, parallel=false, "
        f"max_line_size={buffer}, buffer_size={buffer})"
    )
