"""Bundles and reference chunks out of a stage, with an exact count of every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from carebus_contracts.jobs import ExtractJob, TableCounts
from carebus_contracts.omop.bundle import encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters.staging import Stage
from carebus_extractor.domain.bundle_sql import (
    concept_texts_sql,
    concepts_sql,
    oddities,
    repeated_sql,
    rows_sql,
)
from carebus_extractor.domain.selection import among, in_range, in_sample
from carebus_extractor.domain.slicing import SliceRange, Weight, cut
from carebus_extractor.domain.staging_sql import DUPLICATE_PERSON, MALFORMED, ORPHAN
from carebus_extractor.ports import BundleMessage, SliceReport

CHUNK_PERSONS = 1_000
CHUNK_ROWS = 60_000
CHUNK_BYTES = 6 * 1024 * 1024
"""One chunk is what the engine renders at once: large enough that queries cost little, small in memory."""


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

    def messages(self) -> Iterator[BundleMessage]:
        """Yield one bundle a person, in order of person_id."""
        for table in self._tables:
            self._report.tables[table] = TableCounts()
        if self._work.after is None and not self._work.ids:
            self._count_rejected()
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
        """Yield the bundles of one chunk, and count its rows."""
        here = f"{in_range(chunk.after, chunk.up_to)} AND {self._wanted()}"
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT person_id "
            f"FROM {self._stage.relations['person']} WHERE _fault IS NULL AND {here}"
        )
        travels = f"{here} AND _fault IS NULL AND person_id IN (FROM known)"
        texts: dict[int, dict[str, bytes]] = {
            i: {} for (i,) in self._all("SELECT person_id FROM known ORDER BY 1")
        }
        emitted: dict[str, int] = {}
        for table, relation in self._tables.items():
            count = 0
            for person_id, rows, text in self._all(rows_sql(table, relation, travels)):
                texts[person_id][table] = text
                count += rows
            emitted[table] = count
        concepts = self._concepts_of(travels)
        self._count(here, travels, emitted)
        for person_id in list(texts):
            yield self._message(person_id, texts.pop(person_id), concepts.get(person_id, ()))

    def _message(self, person_id: int, tables: Mapping[str, bytes], concepts: Iterable[int]) -> BundleMessage:
        self._report.persons += 1
        lookup = self._concepts
        return BundleMessage(
            b"%b/%d" % (self._source, person_id),
            encode_person(
                source=self._job.source,
                person_id=person_id,
                cdm_version=self._stage.manifest.cdm_version,
                covers=self._covers,
                tables=tables,
                concepts=[lookup[c] for c in concepts if c in lookup],
            ),
        )

    def _concepts_of(self, travels: str) -> dict[int, list[int]]:
        """Return the concepts of each person of a chunk, ascending, and learn those that are new."""
        parts = [
            concepts_sql(table, relation, travels)
            for table, relation in self._tables.items()
            if PERSON_TABLES[table].concept_columns
        ]
        found = dict(
            self._all(
                f"SELECT person_id, list_sort(list(DISTINCT c)) FROM ({' UNION ALL '.join(parts)}) GROUP BY 1"
            )
        )
        new = set().union(*found.values()) - self._concepts.keys() - self._unknown
        if new and (concept := self._stage.relations.get("concept")):
            self._concepts.update(self._all(concept_texts_sql(concept, sorted(new))))
        self._unknown |= new - self._concepts.keys() - {0}
        return found

    def _count(self, here: str, travels: str, emitted: Mapping[str, int]) -> None:
        visit = self._stage.relations.get("visit_occurrence")
        visits = f"SELECT person_id, visit_occurrence_id FROM {visit} WHERE {travels}" if visit else None
        year = datetime.fromtimestamp(self._work.accepted_ms / 1000, UTC).year
        for table, relation in self._tables.items():
            faults = dict(
                self._all(
                    "SELECT CASE WHEN _fault IS NOT NULL THEN _fault "
                    f"WHEN person_id IN (FROM known) THEN '' ELSE '{ORPHAN}' END AS f, count(*) "
                    f"FROM {relation} WHERE {here} GROUP BY 1"
                )
            )
            odd: dict[str, int] = {}
            if travelling := faults.pop("", 0):
                tests = oddities(table, unknown=self._unknown, visits=visits, future_after=year)
                (values,) = self._all(f"SELECT {', '.join(tests.values())} FROM {relation} WHERE {travels}")
                odd = dict(zip(tests, values, strict=True))
                if table == "person":
                    # of several PERSON rows with one id, one travels
                    faults[DUPLICATE_PERSON] = travelling - self._all("SELECT count(*) FROM known")[0][0]
                    emitted = {**emitted, table: travelling - faults[DUPLICATE_PERSON]}
                else:
                    odd["repeated_id"] = self._all(repeated_sql(table, relation, travels))[0][0]
            self._report.tables[table] = added(
                self._report.tables[table],
                TableCounts(
                    read=travelling + sum(faults.values()) - faults.get(DUPLICATE_PERSON, 0),
                    emitted=emitted[table],
                    left_behind={k: v for k, v in faults.items() if v},
                    noted={k: int(v) for k, v in odd.items() if v},
                ),
            )

    def _count_rejected(self) -> None:
        for table, lines in self._stage.manifest.rejected.items():
            if table in self._tables and lines:
                self._report.tables[table] = TableCounts(read=lines, left_behind={MALFORMED: lines})

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
