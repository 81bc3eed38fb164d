"""Rows that belong to no person, in chunks whose numbers stay the same while a table grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb

from carebus_contracts.jobs import TableCounts
from carebus_contracts.omop.bundle import REFERRED_TABLES, encode_reference
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters.reading import carried
from carebus_extractor.adapters.staging import Stage
from carebus_extractor.domain.bundle_sql import (
    chunk_sql,
    concept_ids_sql,
    in_part,
    reference_rows_sql,
    reference_weights_sql,
)
from carebus_extractor.domain.staging_sql import MALFORMED
from carebus_extractor.ports import REFERENCE_CONTRACT, BundleMessage, SliceReport

ALWAYS = ("provider", "care_site", "location", "cdm_source", "metadata")
"""Sent with every job, beside the concepts in use."""
MESSAGE_BYTES = 3 * 1024 * 1024
"""Larger chunks are split, so that none is near the limit of the topic."""
BATCH_BYTES = 6 * 1024 * 1024
"""So much is rendered at once."""
PART_STRIDE = 1_000_000_000
"""Part n of a split chunk has the number chunk + n * PART_STRIDE."""


class ReferenceReader:
    """Reads the reference rows of one job. Draw its messages to the end, then the report is complete."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        stage: Stage,
        work: WorkSlice,
        report: SliceReport,
        *,
        concepts_in_use: str = "",
    ) -> None:
        """Take what is needed.

        Args:
            connection: The engine.
            stage: The source.
            work: The slice.
            report: Is filled while messages are drawn.
            concepts_in_use: SQL of the ids, where the stage does not hold the persons to find them in.
        """
        self._connection = connection
        self._stage = stage
        self._work = work
        self._report = report
        self._concepts_in_use = concepts_in_use

    def messages(self) -> Iterator[BundleMessage]:
        """Yield the chunks, table by table."""
        job = self._work.job
        for table in REFERENCE_TABLES:
            if table not in self._stage.relations or table in job.leave_out:
                continue
            if table == "concept" and not job.vocabulary:
                in_use = self._concepts_in_use or self._find_concepts_in_use()
                yield from self._table(table, f"concept_id IN ({in_use})")
            elif job.vocabulary or table in ALWAYS:
                yield from self._table(table, "true")

    def _table(self, table: str, wanted: str) -> Iterator[BundleMessage]:
        relation = self._stage.relations[table]
        ((faulty, odd),) = self._all(
            "SELECT count(*) FILTER (_fault IS NOT NULL), count(*) FILTER (_fault IS NULL AND _odd) "
            f"FROM {relation} WHERE _fault IS NOT NULL OR ({wanted})"
        )
        behind = faulty + sum(self._stage.manifest.left_behind.get(table, {}).values())
        where = f"_fault IS NULL AND {wanted}"
        sent = 0
        for batch in _batches(self._all(reference_weights_sql(table, relation, where))):
            (first, _, size), (last, _, _) = batch[0], batch[-1]
            parts = _parts(size) if len(batch) == 1 else 1
            for part in range(parts):
                here = f"{where} AND {chunk_sql(table)} BETWEEN {first} AND {last}"
                if parts > 1:
                    here += f" AND {in_part(table, part, parts)}"
                for chunk, rows, text in self._all(reference_rows_sql(table, relation, here)):
                    sent += rows
                    yield self._message(table, chunk + part * PART_STRIDE, text, complete=wanted == "true")
        self._report.tables[table] = TableCounts(
            read=sent + behind,
            emitted=sent,
            left_behind={MALFORMED: behind} if behind else {},
            noted={"unreadable_cell": odd} if odd else {},
        )

    def _message(self, table: str, chunk: int, text: bytes, *, complete: bool) -> BundleMessage:
        source = self._work.job.source
        value = encode_reference(
            source=source,
            table=table,
            chunk=chunk,
            cdm_version=self._stage.cdm_version(self._work.job),
            rows=text,
            complete=complete,
        )
        return BundleMessage(f"{source}/{table}/{chunk}".encode(), value, REFERENCE_CONTRACT, person=False)

    def _find_concepts_in_use(self) -> str:
        """Gather the concepts of all persons, providers and sites of the source, whoever the job asks for.

        So the reference slice is the same for every job on the same data, whichever persons it takes.
        """
        chosen = f"SELECT person_id FROM {self._stage.relations['_weights']}"
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE chosen AS {chosen}")
        everything = self._work.job.model_copy(update={"leave_out": ()})
        parts = [
            concept_ids_sql(table, relation, "_fault IS NULL AND person_id IN (FROM chosen)")
            for table, relation in carried(self._stage, everything).items()
            if PERSON_TABLES[table].concept_columns
        ]
        parts += [
            concept_ids_sql(table, self._stage.relations[table], "_fault IS NULL")
            for table in REFERRED_TABLES
            if self._stage.manifest.tables.get(table)
        ]
        union = " UNION ALL ".join(parts)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE concepts_in_use AS SELECT DISTINCT c FROM ({union})"
        )
        return "SELECT c FROM concepts_in_use"

    def _all(self, sql: str) -> list[Any]:
        return self._connection.execute(sql).fetchall()


def _batches(weights: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Gather neighbouring chunks up to BATCH_BYTES; a chunk that must be split stands alone."""
    batch: list[tuple[int, int, int]] = []
    held = 0
    for weight in weights:
        if batch and held + weight[2] > BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(weight)
        held += weight[2]
        if weight[2] > MESSAGE_BYTES and len(batch) > 1:
            yield batch[:-1]
            batch, held = [weight], weight[2]
    if batch:
        yield batch


def _parts(size: int) -> int:
    parts = 1
    while size > parts * MESSAGE_BYTES:
        parts *= 2
    return parts
