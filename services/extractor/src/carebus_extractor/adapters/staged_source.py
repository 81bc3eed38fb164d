"""What all sources have in common: a stage, ranges of persons, and readers over the stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import duckdb

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import ExtractJob
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters.building import reading
from carebus_extractor.adapters.engine import engine, kept_engine
from carebus_extractor.adapters.names import names_note
from carebus_extractor.adapters.reading import SliceReader
from carebus_extractor.adapters.reference import ReferenceReader
from carebus_extractor.adapters.staging import Stage
from carebus_extractor.domain.columns import ALL_TABLES
from carebus_extractor.domain.selection import selected
from carebus_extractor.domain.slicing import SliceRange, Weight, cut, cut_ids
from carebus_extractor.ports import BundleMessage, SliceReport, SourcePlan
from carebus_extractor.settings import ExtractorSettings

FETCH_ROWS = 10_000


class FileSource(ABC):
    """A source of files: staged once a machine, keyed by its fingerprint."""

    def __init__(self, settings: ExtractorSettings) -> None:
        self._settings = settings
        self.report = SliceReport()

    @abstractmethod
    def fingerprint(self) -> str:
        """State of the source right now."""

    @abstractmethod
    def _staged(self, fingerprint: str, job: ExtractJob) -> AbstractContextManager[Stage]:
        """Hold the stage of the source in that state."""

    def plan(self, job: ExtractJob) -> SourcePlan:
        """Cut the job into ranges of persons; stages the source where this machine has not yet."""
        check_job(job)
        fingerprint = self.fingerprint()
        with self._staged(fingerprint, job) as stage, engine(self._settings) as connection:
            return plan_of(connection, stage, fingerprint, job, self._settings)

    def read_slice(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield one bundle a person, in order of person_id."""
        report = self.report = SliceReport()
        self._unchanged(work)
        with (
            self._staged(work.fingerprint, work.job) as stage,
            kept_engine(self._settings) as connection,
            reading("a slice"),
        ):
            yield from SliceReader(connection, stage, work, report).messages()

    def read_reference(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield the rows that belong to no person, in chunks."""
        report = self.report = SliceReport()
        self._unchanged(work)
        with (
            self._staged(work.fingerprint, work.job) as stage,
            engine(self._settings) as connection,
            reading("the reference slice"),
        ):
            yield from ReferenceReader(connection, stage, work, report).messages()

    def version_ms(self, work: WorkSlice) -> int:
        """Return the job's time: files do not say when they were true."""
        return work.accepted_ms

    def _unchanged(self, work: WorkSlice) -> None:
        if self.fingerprint() != work.fingerprint:
            raise JobError("the source's files changed while they were read; send the job again")


def check_job(job: ExtractJob) -> None:
    """See that a job names tables that there are.

    Raises:
        JobError: ``leave_out`` names another.
    """
    if strange := [table for table in job.leave_out if table not in ALL_TABLES]:
        raise JobError(f"leave_out: no such table: {', '.join(strange)}")
    if "person" in job.leave_out:
        raise JobError("leave_out: person cannot be left out, for the other tables belong to it")


def plan_of(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    fingerprint: str,
    job: ExtractJob,
    settings: ExtractorSettings,
) -> SourcePlan:
    """Cut a staged source into ranges."""
    asked = job.persons
    size = job.slice_persons or settings.slice_persons
    limit = f" LIMIT {asked.limit}" if asked.limit else ""
    chosen = f"FROM {stage.relations['_weights']} WHERE {selected(asked)} ORDER BY 1{limit}"
    # weights come in a stream: a plan's memory grows with the slices and not with the persons
    found = connection.execute(f"SELECT person_id, rows, size {chosen}")
    counted = _Counted(found)
    notes = list(stage.manifest.notes)
    ranges: list[SliceRange]
    if asked.ids:
        there = [weight.person_id for weight in counted]
        if absent := len(set(asked.ids)) - len(there):
            notes.append(
                f"{absent} of the persons named are not in the source, or are left out by the other options"
            )
        ranges = list(cut_ids(there, persons=size))
    else:
        ranges = list(
            cut(
                counted,
                persons=size,
                rows=settings.slice_rows,
                size=settings.slice_mb * 1024 * 1024,
                after=asked.start_after,
            )
        )
        if asked.limit and counted.last is not None and counted.number == asked.limit:
            ranges[-1] = replace(ranges[-1], up_to=counted.last)
    if note := names_note(connection, stage, job, f"SELECT person_id {chosen}", counted.number):
        notes.append(note)
    absent_tables = [t for t in PERSON_TABLES if t not in stage.relations]
    if absent_tables:
        notes.append(f"the source has no {', '.join(absent_tables)}: left alone in the targets")
    if "concept" not in stage.relations:
        notes.append(
            "the source has no concept table: charts and documents show source values and numbers of concepts, "
            "without names and codes"
        )
    return SourcePlan(fingerprint, stage.cdm_version(job), counted.number, tuple(ranges), tuple(notes))


class _Counted:
    """Weights as they are drawn from the engine, with the number and the last of them."""

    def __init__(self, found: duckdb.DuckDBPyConnection) -> None:
        self._found = found
        self.number = 0
        self.last: int | None = None

    def __iter__(self) -> Iterator[Weight]:
        while rows := self._found.fetchmany(FETCH_ROWS):
            for row in rows:
                weight = Weight(*row)
                self.number += 1
                self.last = weight.person_id
                yield weight
