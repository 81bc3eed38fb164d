"""A schema of a Postgres database: each slice is copied out of one snapshot and read like a file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import ExtractJob, PostgresSchema
from carebus_contracts.names import NameColumns
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters.building import reading
from carebus_extractor.adapters.engine import engine
from carebus_extractor.adapters.postgres_copies import IN_USE, Copying, LocalCopies
from carebus_extractor.adapters.postgres_session import Schema, Session, session
from carebus_extractor.adapters.reading import SliceReader
from carebus_extractor.adapters.reference import ALWAYS, ReferenceReader
from carebus_extractor.adapters.staged_source import check_job, plan_of
from carebus_extractor.domain.columns import cdm_version_of, match_columns
from carebus_extractor.domain.postgres_sql import in_sample_postgres
from carebus_extractor.domain.selection import among, in_range
from carebus_extractor.ports import BundleMessage, SliceReport, SourcePlan
from carebus_extractor.settings import ExtractorSettings, PostgresConnection


class PostgresSource:
    """Reads a schema. Nothing is staged but the slice in hand, and nothing of it stays."""

    def __init__(self, omop: PostgresSchema, settings: ExtractorSettings) -> None:
        if omop.connection not in settings.connections:
            known = ", ".join(sorted(settings.connections)) or "none"
            raise JobError(
                f"omop.connection: this worker's settings have no {omop.connection!r}; they have {known}"
            )
        self._name = omop.connection
        self._schema = omop.db_schema
        self._settings = settings
        self._connection: PostgresConnection = settings.connections[omop.connection]
        self._versions: dict[tuple[str, int], int] = {}
        self.report = SliceReport()

    def plan(self, job: ExtractJob) -> SourcePlan:
        """Cut the job into ranges of the persons that there are now."""
        check_job(job)
        with self._local() as local:
            fingerprint = asyncio.run(self._copy_persons(job, local))
            return plan_of(local.connection, local.stage(), fingerprint, job, self._settings)

    def read_slice(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield one bundle a person, in order of person_id."""
        report = self.report = SliceReport()
        with self._local() as local, reading("a slice"):
            asyncio.run(self._copy_slice(work, local))
            yield from SliceReader(local.connection, local.stage(), work, report).messages()

    def read_reference(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield the rows that belong to no person, in chunks."""
        report = self.report = SliceReport()
        with self._local() as local, reading("the reference slice"):
            asyncio.run(self._copy_reference(work, local))
            yield from ReferenceReader(
                local.connection, local.stage(), work, report, concepts_in_use=IN_USE
            ).messages()

    def version_ms(self, work: WorkSlice) -> int:
        """Return when the slice's snapshot was taken; known once its first message was drawn."""
        return self._versions[work.job_id, work.slice]

    @contextmanager
    def _local(self) -> Iterator[LocalCopies]:
        with (
            engine(self._settings) as connection,
            tempfile.TemporaryDirectory(prefix="engine-", dir=self._settings.stage_dir) as folder,
        ):
            yield LocalCopies(connection, Path(folder))

    @asynccontextmanager
    async def _snapshot(self, local: LocalCopies, work: WorkSlice | None = None) -> AsyncIterator[Copying]:
        async with session(self._name, self._connection, self._schema) as snapshot:
            fingerprint = await snapshot.fingerprint()
            if work is not None:
                if fingerprint != work.fingerprint:
                    raise JobError(
                        f"connection {self._name!r} leads to another server or database "
                        "than when the job was planned"
                    )
                self._versions = {(work.job_id, work.slice): snapshot.version_ms}
            local.schema = await snapshot.schema()
            local.cdm_version = await _cdm_version(snapshot, local.schema)
            yield Copying(snapshot, local, fingerprint)

    async def _copy_persons(self, job: ExtractJob, local: LocalCopies) -> str:
        async with self._snapshot(local) as copying:
            person = local.schema.tables["person"]
            await copying.rows(f"SELECT {person.column('person_id')} FROM {person.name}", local.load_persons)
            if isinstance(job.names, NameColumns):
                await copying.names(job.names, lambda _: "true")
            return copying.fingerprint

    async def _copy_slice(self, work: WorkSlice, local: LocalCopies) -> None:
        async with self._snapshot(local, work) as copying:
            where = {
                table: _slice_condition(work, there.column("person_id"))
                for table, there in local.schema.tables.items()
                if table in PERSON_TABLES and table != "cost"
            }
            for table, condition in where.items():
                if table not in work.job.leave_out:
                    await copying.table(table, condition)
            if "cost" in local.schema.tables and "cost" not in work.job.leave_out:
                await copying.costs(where, count_others=work.after is None and not work.ids)
            if isinstance(work.job.names, NameColumns):
                await copying.names(work.job.names, lambda column: _slice_condition(work, column))
            await copying.referred(work.job.leave_out)
            if "concept" in local.schema.tables:
                await copying.concepts(local.concept_ids())
            local.weigh()

    async def _copy_reference(self, work: WorkSlice, local: LocalCopies) -> None:
        async with self._snapshot(local, work) as copying:
            for table in REFERENCE_TABLES:
                if table not in local.schema.tables or table in work.job.leave_out:
                    continue
                if table == "concept" and not work.job.vocabulary:
                    await copying.concepts_in_use()
                elif work.job.vocabulary or table in ALWAYS:
                    await copying.table(table, "true")


def _slice_condition(work: WorkSlice, column: str) -> str:
    return " AND ".join(
        (
            in_range(work.after, work.up_to, column),
            among(work.ids, column),
            in_sample_postgres(work.job.persons.sample, column),
        )
    )


async def _cdm_version(snapshot: Session, schema: Schema) -> str:
    tables = schema.tables
    matches = {table: match_columns(table, there.columns) for table, there in tables.items()}
    said = None
    if "cdm_source" in tables and "cdm_version" in matches["cdm_source"].places:
        source = tables["cdm_source"]
        said = await snapshot.value(f"SELECT max({source.column('cdm_version')}::text) FROM {source.name}")
    return cdm_version_of(
        said,
        renamed=any(match.renamed for match in matches.values()),
        columns=frozenset((table, column) for table, match in matches.items() for column in match.places),
    )
