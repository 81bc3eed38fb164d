"""Bundles and reference chunks out of a stage, with an exact count of every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb

from carebus_contracts.jobs import ExtractJob, TableCounts
from carebus_contracts.omop.bundle import encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters.names import NamesReader
from carebus_extractor.adapters.referred import Referred, ReferredRows
from carebus_extractor.adapters.staging import Stage
from carebus_extractor.domain.bundle_sql import (
    concept_texts_sql,
    concepts_sql,
    counts_sql,
    oddities,
    repeated_sql,
    rows_sql,
    single_rows_sql,
    travelling_sql,
)
from carebus_extractor.domain.selection import among, in_range, in_sample
from carebus_extractor.domain.slicing import SliceRange, Weight, cut
from carebus_extractor.domain.staging_sql import DUPLICATE_PERSON, ORPHAN
from carebus_extractor.ports import BundleMessage, SliceReport

CHUNK_PERSONS = 1_000
CHUNK_ROWS = 150_000
CHUNK_BYTES = 24 * 1024 * 1024
"""One chunk is what the engine renders at once: large enough that queries cost little, small in memory."""

FETCH_ROWS = 5_000


class SliceReader:
    """Reads one slice. Draw its messages to the end, then the report is complete."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, stage: Stage, work: WorkSlice, report: SliceReport
    ) -> None:
        self._connection = connection
        self._stage = stage
        self._work = work
        self._report = report
        self._job: ExtractJob = work.job
        self._tables = carried(stage, self._job)
        self._covers = tuple(self._tables)
        self._source = self._job.source.encode()
        self._concepts: dict[int, bytes] = {}
        self._unknown: set[int] = set()
        self._referred = ReferredRows(connection, stage, self._job)
        self._names = NamesReader(connection, stage, self._job)

    def messages(self) -> Iterator[BundleMessage]:
        """Yield one bundle a person, in order of person_id."""
        for table in self._tables:
            self._report.tables[table] = TableCounts()
        if self._work.after is None and not self._work.ids:
            for table, reasons in self._stage.manifest.left_behind.items():
                if table in self._tables:
                    self._report.tables[table] = TableCounts(read=sum(reasons.values()), left_behind=reasons)
        for chunk in list(self._chunks()):
            yield from self._chunk(chunk)

    def _chunks(self) -> Iterator[SliceRange]:
        work = self._work
        where = " AND ".join((in_range(work.after, work.up_to), self._wanted()))
        rows = self._all(
            f"SELECT person_id, rows, size FROM {self._stage.relations['_weights']} WHERE {where} ORDER BY 1"
        )
        return cut(
            (Weight(*row) for row in rows),
            persons=CHUNK_PERSONS,
            rows=CHUNK_ROWS,
            size=CHUNK_BYTES,
            after=work.after,
            up_to=work.up_to,
        )

    def _wanted(self) -> str:
        """SQL for the persons of this slice, beside its range."""
        return f"{among(self._work.ids)} AND {in_sample(self._job.persons.sample)}"

    def _chunk(self, chunk: SliceRange) -> Iterator[BundleMessage]:
        """Count the rows of one chunk, and yield its bundles."""
        here = f"{in_range(chunk.after, chunk.up_to)} AND {self._wanted()}"
        person = self._stage.relation("person", chunk.after, chunk.up_to) or self._stage.relations["person"]
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT person_id "
            f"FROM {person} WHERE _fault IS NULL AND {here}"
        )
        held = self._hold(chunk, here)
        persons = [person_id for (person_id,) in self._all("SELECT person_id FROM known ORDER BY 1")]
        texts: dict[int, dict[str, bytes]] = {person_id: {} for person_id in persons}
        emitted: dict[str, int] = {}
        for table, relation in held.items():
            emitted[table] = 0
            for person_id, rows, text in self._texts(table, relation, persons):
                texts[person_id][table] = text
                emitted[table] += rows
        referred = self._referred.of(held)
        concepts = self._concepts_of(held, referred) if held else {}
        names = self._names.of(here)
        self._count(held, emitted)
        for relation in held.values():
            self._connection.execute(f"DROP TABLE {relation}")
        for person_id in persons:
            yield self._message(
                person_id,
                texts.pop(person_id),
                concepts.get(person_id, ()),
                referred.get(person_id),
                self._names.name(names, person_id),
            )

    def _texts(self, table: str, relation: str, persons: list[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (person_id, number of rows, ``[[...],[...]]``)."""
        if len(persons) != 1:
            yield from self._all(rows_sql(table, relation, repeats=table in self._stage.manifest.repeats))
            return
        # one alone may be too large to be put together in the engine's memory
        rows = self._drawn(single_rows_sql(table, relation))
        count, parts, part = 0, [], []
        for _, same in groupby(rows, key=itemgetter(0)):
            texts = sorted(text for _, text in same)
            part += texts[:1] if table == "person" else texts
            if len(part) >= FETCH_ROWS:
                parts.append(b",".join(part))
                count += len(part)
                part = []
        parts += part
        if count + len(part):
            yield persons[0], count + len(part), b"[%b]" % b",".join(parts)

    def _drawn(self, sql: str) -> Iterator[Any]:
        """Yield the rows of an answer in a stream."""
        found = self._connection.execute(sql)
        while rows := found.fetchmany(FETCH_ROWS):
            yield from rows

    def _hold(self, chunk: SliceRange, here: str) -> dict[str, str]:
        """Copy the rows of a chunk into the engine, so that the stage is read once for all queries."""
        held = {}
        for table in self._tables:
            if (relation := self._stage.relation(table, chunk.after, chunk.up_to)) is None:
                continue
            ((rows,),) = self._all(
                f"CREATE OR REPLACE TEMP TABLE chunk_{table} AS SELECT *, "
                f"(_fault IS NULL AND person_id IS NOT NULL AND person_id IN (FROM known)) AS _travels "
                f"FROM {relation} WHERE {here}"
            )
            if rows:
                held[table] = f"chunk_{table}"
        return held

    def _message(
        self,
        person_id: int,
        tables: Mapping[str, bytes],
        concepts: Iterable[int],
        referred: Referred | None,
        name: bytes | None,
    ) -> BundleMessage:
        self._report.persons += 1
        lookup = self._concepts
        return BundleMessage(
            b"%b/%d" % (self._source, person_id),
            encode_person(
                source=self._job.source,
                person_id=person_id,
                cdm_version=self._stage.cdm_version(self._work.job),
                covers=self._covers,
                tables=tables,
                concepts=[lookup[c] for c in concepts if c in lookup],
                refers=referred.rows if referred else None,
                name=name,
            ),
        )

    def _concepts_of(self, held: Mapping[str, str], referred: Mapping[int, Referred]) -> dict[int, list[int]]:
        """Return the concepts of each person of a chunk, ascending, and learn those that are new."""
        found: dict[int, list[int]] = dict(self._all(concepts_sql(held)))
        for person_id, referring in referred.items():
            if more := referring.concepts.difference(own := found.get(person_id, [])):
                found[person_id] = sorted((*own, *more))
        new = set().union(*found.values()) - self._concepts.keys() - self._unknown
        if new and (concept := self._stage.relations.get("concept")):
            self._concepts.update(self._all(concept_texts_sql(concept, sorted(new))))
        self._unknown |= new - self._concepts.keys() - {0}
        return found

    def _count(self, held: Mapping[str, str], emitted: Mapping[str, int]) -> None:
        visit = held.get("visit_occurrence")
        visits = f"SELECT person_id, visit_occurrence_id FROM {visit} WHERE _travels" if visit else None
        year = datetime.fromtimestamp(self._work.accepted_ms / 1000, UTC).year
        for table, relation in held.items():
            odd = oddities(table, unknown=self._unknown, visits=visits, born_until=year)
            counts = TableCounts(emitted=emitted[table])
            rows, travelling, *oddly = self._all(travelling_sql(relation, odd))[0]
            found = [(None, True, rows, *oddly)]
            if travelling != rows:
                found = self._all(counts_sql(relation, odd))
            for fault, travels, rows, *oddly in found:
                reason = "" if travels else fault or ORPHAN
                counts = added(
                    counts,
                    TableCounts(
                        read=rows,
                        left_behind={reason: rows} if reason else {},
                        noted={name: n for name, n in zip(odd, oddly, strict=True) if n},
                    ),
                )
            left_behind = sum(counts.left_behind.values())
            if table == "person" and (doubles := counts.read - counts.emitted - left_behind):
                counts = added(counts, TableCounts(left_behind={DUPLICATE_PERSON: doubles}))
            if table in self._stage.manifest.repeats and (
                again := self._all(repeated_sql(table, relation))[0][0]
            ):
                counts = added(counts, TableCounts(noted={"repeated_id": int(again)}))
            self._report.tables[table] = added(self._report.tables[table], counts)

    def _all(self, sql: str) -> list[Any]:
        return self._connection.execute(sql).fetchall()


def carried(stage: Stage, job: ExtractJob) -> dict[str, str]:
    """Return the relations of the person tables that the job's bundles are complete for, in their order."""
    return {
        table: stage.relations[table]
        for table in PERSON_TABLES
        if table in stage.relations and table not in job.leave_out
    }


def added(one: TableCounts, other: TableCounts) -> TableCounts:
    """Return the sum of two counts."""
    return TableCounts(
        read=one.read + other.read,
        emitted=one.emitted + other.emitted,
        left_behind=_sum(one.left_behind, other.left_behind),
        noted=_sum(one.noted, other.noted),
    )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {k: one.get(k, 0) + other.get(k, 0) for k in sorted({*one, *other})}
