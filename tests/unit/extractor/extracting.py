"""All that a job brings forth, read slice by slice the way a worker does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carebus_contracts.jobs import ExtractJob, TableCounts
from carebus_contracts.omop.bundle import PersonRecords, ReferenceRecords, decode_person, decode_reference
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters import open_source
from carebus_extractor.adapters.reading import added
from carebus_extractor.domain.slicing import SliceRange
from carebus_extractor.ports import SourcePlan
from carebus_extractor.settings import ExtractorSettings

ACCEPTED_MS = 1_700_000_000_000
"""14 November 2023."""


@dataclass
class Extracted:
    """All that one job brings forth."""

    plan: SourcePlan
    values: list[bytes]
    tables: dict[str, TableCounts]
    reference_values: list[bytes]
    reference_tables: dict[str, TableCounts]
    versions: set[int]

    def __post_init__(self) -> None:
        for counts in (*self.tables.values(), *self.reference_tables.values()):
            assert counts.read == counts.emitted + sum(counts.left_behind.values())

    @property
    def bundles(self) -> list[PersonRecords]:
        """The bundles, decoded."""
        return [decode_person(value) for value in self.values]

    @property
    def reference(self) -> list[ReferenceRecords]:
        """The chunks of reference rows, decoded."""
        return [decode_reference(value) for value in self.reference_values]

    def bundle(self, person_id: int) -> PersonRecords:
        """The bundle of one person."""
        (found,) = (b for b in self.bundles if b.person_id == person_id)
        return found

    def records(self, table: str) -> list[Any]:
        """The reference rows of one table."""
        return [record for chunk in self.reference if chunk.table == table for record in chunk.records]


def extract(job: ExtractJob, settings: ExtractorSettings) -> Extracted:
    """Plan a job and read all of its slices."""
    plan = open_source(job.omop, settings).plan(job)
    return read_all(plan, plan.ranges, job, settings)


def read_all(
    plan: SourcePlan, ranges: Sequence[SliceRange], job: ExtractJob, settings: ExtractorSettings
) -> Extracted:
    """Read ranges one after the other, and the reference rows."""
    values: list[bytes] = []
    versions: set[int] = set()
    tables: dict[str, TableCounts] = {}
    for number, part in enumerate(ranges, start=1):
        source = open_source(job.omop, settings)
        work = slice_of(plan, job, part, number)
        messages = list(source.read_slice(work))
        assert all(m.person and m.contract == "PersonRecords/1" for m in messages)
        assert source.report.persons == len(messages)
        values += [m.value for m in messages]
        versions.add(source.version_ms(work))
        for table, counts in source.report.tables.items():
            tables[table] = added(tables.get(table, TableCounts()), counts)
    source = open_source(job.omop, settings)
    reference = [m.value for m in source.read_reference(slice_of(plan, job, None, 0))]
    return Extracted(plan, values, tables, reference, source.report.tables, versions)


def slice_of(plan: SourcePlan, job: ExtractJob, part: SliceRange | None, number: int) -> WorkSlice:
    """The message that asks for one part of a plan."""
    return WorkSlice(
        job_id="job",
        slice=number,
        kind="persons" if part else "reference",
        after=part.after if part else None,
        up_to=part.up_to if part else None,
        ids=part.ids if part else (),
        fingerprint=plan.fingerprint,
        accepted_ms=ACCEPTED_MS,
        job=job,
    )
