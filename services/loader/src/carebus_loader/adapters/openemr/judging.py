"""What a plan does to what stands: the guard over all tables of a subject, with tombstones and floors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from carebus_contracts.plans import PlannedTable
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held, Verdict, decide, result_of
from carebus_loader.ports import Delivery

ALL_TABLES = "*"
"""A tombstone of this table, in a plan or in the ledger, is one of every table."""
GONE = ""
"""Content hash of a tombstone."""

_TAKEN = (Verdict.WRITE, Verdict.RAISE)
_JOB_FLOOR = "job:"
_PERSONS_FLOOR = "persons"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says of one subject."""

    held: Mapping[str, Held]
    chart: bytes | None = None
    """uuid of the patient row."""
    known: bool = False
    """Whether the ledger has a row for it."""
    last_job: str = ""
    """The job of the newest statement about it."""
    digest: bytes = b""
    """Of what the ledger says, as it stands there."""


@dataclass(frozen=True, slots=True)
class Floors:
    """Up to which versions a source was retired: as a whole, and job by job."""

    held: Mapping[str, Held]

    def there(self, of_job: str = "") -> Held | None:
        """Return the floor of the source, or of one of its jobs."""
        return self.held.get(_JOB_FLOOR + of_job if of_job else ALL_TABLES)

    @property
    def persons(self) -> Held | None:
        """Return the version of the job that told all persons of the source; older plans say nothing more."""
        return self.held.get(_PERSONS_FLOOR)

    def raised(self, of_job: str, version: Version) -> Floors:
        """Return the floors with one of them at a new height."""
        return Floors({**self.held, _JOB_FLOOR + of_job if of_job else ALL_TABLES: Held(version, GONE)})

    def persons_raised(self, version: Version) -> Floors:
        """Return the floors with that of the persons at a new height."""
        return Floors({**self.held, _PERSONS_FLOOR: Held(version, GONE)})


NO_FLOORS = Floors({})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one delivery does."""

    delivery: Delivery
    standing: Standing
    verdicts: Mapping[str, Verdict]
    held: Mapping[str, Held]
    """What the ledger will say."""
    writes: Sequence[PlannedTable]
    """Tables that get new content."""
    emptied: Sequence[str]
    """Tables that lose theirs."""
    result: Result

    @property
    def noted(self) -> bool:
        """Whether the ledger changes."""
        return any(verdict in _TAKEN for verdict in self.verdicts.values())

    @property
    def last_job(self) -> str:
        """The job of the newest statement: one that comes late does not take the subject over."""
        newest = max((there.version for there in self.held.values()), default=self.delivery.version)
        return self.delivery.job_id if self.delivery.version >= newest else self.standing.last_job

    @property
    def rewritten(self) -> bool:
        """Whether rows may change."""
        return Verdict.WRITE in self.verdicts.values()


def judge(delivery: Delivery, standing: Standing, floors: Floors = NO_FLOORS) -> Judgement:
    """Apply the guard to each table of a plan.

    A plan of a job that was retired says that at its version there is nothing: so it is of no account
    whether plan or retirement came first.
    """
    below = [there for there in (floors.there(), standing.held.get(ALL_TABLES)) if there is not None]
    if (told := floors.persons) and delivery.version < told.version:
        below.append(told)
    job_floor = floors.there(delivery.job_id) if delivery.job_id else None
    taken_back = job_floor is not None and delivery.version <= job_floor.version
    verdicts: dict[str, Verdict] = {}
    after = dict(standing.held)
    for table, stated in _statements(delivery, standing):
        content = GONE if taken_back else stated
        there = max((*below, *([standing.held[table]] if table in standing.held else [])), default=None)
        verdict = verdicts[table] = decide(there, delivery.version, content)
        if verdict in _TAKEN:
            after[table] = Held(delivery.version, content)
    writes = [
        write
        for write in delivery.plan.writes
        if write.kind == "replace_scope" and not taken_back and verdicts[write.table] is Verdict.WRITE
    ]
    # A late tombstone of all tables is noted for those never seen; what stands decides what it was.
    about = [verdict for table, verdict in verdicts.items() if table != ALL_TABLES] or verdicts.values()
    result = Result.STALE if taken_back else result_of(about)
    return _judgement(delivery, standing, verdicts=verdicts, after=after, writes=writes, result=result)


def take_back(delivery: Delivery, standing: Standing) -> Judgement:
    """Empty a subject whose last job is retired: at the versions that it has, there is nothing.

    So another job's plan that is on its way is not overtaken by the retirement.
    """
    live = {t: h for t, h in standing.held.items() if h.hash != GONE and h.version <= delivery.version}
    verdicts = dict.fromkeys(live, Verdict.WRITE)
    after = {**standing.held, **{table: Held(held.version, GONE) for table, held in live.items()}}
    result = result_of(verdicts.values())
    return _judgement(delivery, standing, verdicts=verdicts, after=after, writes=[], result=result)


def _judgement(
    delivery: Delivery,
    standing: Standing,
    *,
    verdicts: Mapping[str, Verdict],
    after: Mapping[str, Held],
    writes: Sequence[PlannedTable],
    result: Result,
) -> Judgement:
    written = {write.table for write in writes}
    emptied = [t for t, verdict in verdicts.items() if verdict is Verdict.WRITE and t not in written]
    return Judgement(delivery, standing, verdicts, _folded(after), writes, emptied, result)


def _statements(delivery: Delivery, standing: Standing) -> Iterable[tuple[str, str]]:
    """Return table and content hash of each statement; a tombstone has the empty hash."""
    writes = delivery.plan.writes
    if any(write.table == ALL_TABLES for write in writes):
        return [(table, GONE) for table in {ALL_TABLES: None, **standing.held}]
    return [(write.table, write.hash if write.kind == "replace_scope" else GONE) for write in writes]


def _folded(held: Mapping[str, Held]) -> dict[str, Held]:
    """Leave out what the tombstone of all tables says already."""
    all_gone = held.get(ALL_TABLES)
    if all_gone is None:
        return dict(held)
    return {table: there for table, there in held.items() if table == ALL_TABLES or there > all_gone}
