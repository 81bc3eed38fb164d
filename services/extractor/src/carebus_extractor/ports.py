"""What the extractor needs of a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from carebus_contracts.jobs import ExtractJob, TableCounts
from carebus_contracts.slices import WorkSlice
from carebus_extractor.domain.slicing import SliceRange

PERSON_CONTRACT = "PersonRecords/1"
REFERENCE_CONTRACT = "ReferenceRecords/1"


@dataclass(frozen=True, slots=True)
class BundleMessage:
    """One message for ``carebus.omop.records.v1``."""

    key: bytes
    """``source/person_id``, or ``source/table/chunk``."""
    value: bytes
    contract: str = PERSON_CONTRACT
    person: bool = True


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a job is cut. The same source and job give the same plan."""

    fingerprint: str
    cdm_version: str
    persons: int
    ranges: tuple[SliceRange, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the report should know: files left behind, columns missing, ids that repeat."""

    @property
    def slices(self) -> int:
        """Slices: the reference rows, and a range of persons each."""
        return len(self.ranges) + 1

    @property
    def planned_size(self) -> float:
        """Bytes of a slice of persons, on average."""
        return sum(part.size for part in self.ranges) / len(self.ranges)

    @property
    def last_waits(self) -> bool:
        """Slices need no other."""
        return False


@dataclass(slots=True)
class SliceReport:
    """What became of every row of a slice; complete once its messages were all drawn."""

    persons: int = 0
    tables: dict[str, TableCounts] = field(default_factory=dict)


class OmopSource(Protocol):
    """A place that holds OMOP tables. Not for two threads at a time.

    All methods block and raise ``JobError`` with one sentence where the source or the job's wording
    is at fault, ``SourceUnavailable`` where a database does not answer.
    """

    report: SliceReport
    """Of the slice read last; complete once its iterator is exhausted."""

    def plan(self, job: ExtractJob) -> SourcePlan:
        """Cut the job into ranges of persons; stages file sources, once a machine."""
        ...

    def read_slice(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield one bundle a person, in order of person_id."""
        ...

    def read_reference(self, work: WorkSlice) -> Iterator[BundleMessage]:
        """Yield the rows that belong to no person, in chunks."""
        ...

    def version_ms(self, work: WorkSlice) -> int:
        """Return the version v of what is read: of files the job's time, of databases the snapshot's."""
        ...
