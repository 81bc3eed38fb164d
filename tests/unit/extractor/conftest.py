"""A folder of hand-written files, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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
    reference: list[ReferenceRecords]
    reference_tables: dict[str, TableCounts]
    bundles: list[PersonRecords] = field(init=False)

    def __post_init__(self) -> None:
        self.bundles = [decode_person(value) for value in self.values]
        for counts in (*self.tables.values(), *self.reference_tables.values()):
            assert counts.read == counts.emitted + sum(counts.left_behind.values())

    def bundle(self, person_id: int) -> PersonRecords:
        """The bundle of one person."""
        (found,) = (b for b in self.bundles if b.person_id == person_id)
        return found

    def records(self, table: str) -> list[Any]:
        """The reference rows of one table."""
        return [record for chunk in self.reference if chunk.table == table for record in chunk.records]


class Folder:
    """A folder with files of a source."""

    def __init__(self, path: Path) -> None:
        self.path = path / "source"
        self.path.mkdir()
        self.settings = ExtractorSettings(allowed_roots=(str(path),), stage_dir=path / "stage")

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file; the margin of a text is taken off."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = "\n".join(line.strip(" ") for line in content.strip("\n ").split("\n")).encode() + b"\n"
        target.write_bytes(content)

    def persons(self, *ids: int) -> None:
        """Write a PERSON of people without particulars."""
        self.write("person.csv", "person_id,year_of_birth\n" + "\n".join(f"{i},1950" for i in ids))

    def job(self, **options: Any) -> ExtractJob:
        """A job that reads this folder."""
        place = {"format": "csv", "path": str(self.path)} | options.pop("omop", {})
        return ExtractJob.model_validate(
            {"kind": "extract", "source": "ward", "omop": place, "targets": ["postgres"]} | options
        )

    def extract(self, **options: Any) -> Extracted:
        """Plan a job and read all of its slices."""
        job = self.job(**options)
        plan = open_source(job.omop, self.settings).plan(job)
        return read_all(plan, job, self.settings)

    def refused(self, **options: Any) -> str:
        """The sentence with which a job fails."""
        from carebus_contracts.errors import JobError

        with pytest.raises(JobError) as caught:
            self.extract(**options)
        return str(caught.value)


def read_all(plan: SourcePlan, job: ExtractJob, settings: ExtractorSettings) -> Extracted:
    """Read the slices of a plan one after the other."""
    values: list[bytes] = []
    tables: dict[str, TableCounts] = {}
    for number, part in enumerate(plan.ranges, start=1):
        source = open_source(job.omop, settings)
        values += [m.value for m in source.read_slice(slice_of(plan, job, part, number))]
        assert source.version_ms(slice_of(plan, job, part, number)) == ACCEPTED_MS
        for table, counts in source.report.tables.items():
            tables[table] = added(tables.get(table, TableCounts()), counts)
    source = open_source(job.omop, settings)
    reference = [decode_reference(m.value) for m in source.read_reference(slice_of(plan, job, None, 0))]
    return Extracted(plan, values, tables, reference, source.report.tables)


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


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder under an allowed root."""
    return Folder(tmp_path)
