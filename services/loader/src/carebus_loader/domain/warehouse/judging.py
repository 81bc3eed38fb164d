"""What a plan does to each table of its subject, with floors of retired sources and jobs.

A floor is left behind when a whole source, or all that one job wrote last, is retired. Under a
source's floor every older plan is stale. What a retired job said or says up to its floor counts as
"no rows" at the version at which it was said. So plans and retirements may come in any order.
The floor of a source's persons is the version of a job that told all of them: plans of persons that
are older say nothing any more, and persons of whom nothing is as new were taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from carebus_contracts.plans import ALL_PERSONS, ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import UNKNOWN_HASH, Version
from carebus_loader.domain.guard import Held, Verdict, decide, result_of
from carebus_loader.domain.warehouse.scopes import is_person

WHOLE_SOURCE = "*"
PERSONS = "persons"


class Standing(NamedTuple):
    """What a target holds of one table of a subject, and the job that said so last."""

    held: Held
    job_id: str


Floors = Mapping[tuple[str, str], Version]
"""By source, and ``WHOLE_SOURCE``, ``PERSONS`` or ``job/<job_id>``."""


def floor_name(job_id: str) -> str:
    """Name the floor of one job, or with no job of the whole source."""
    return f"job/{job_id}" if job_id else WHOLE_SOURCE


def floor_of(plan: ReadPlan) -> str:
    """Name the floor that a retirement raises."""
    return PERSONS if plan.subject == ALL_PERSONS else floor_name(plan.of_job)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done for one plan."""

    verdicts: Mapping[str, Verdict]
    statements: Mapping[str, Held]
    """Per table the version and hash to note; the hash is empty where the table is to hold no rows."""
    silenced: bool
    """The plan's job was retired: its rows count for nothing."""

    @property
    def result(self) -> Result:
        """What became of the plan."""
        return Result.STALE if self.silenced else result_of(self.verdicts.values())

    def to_note(self) -> dict[str, Held]:
        """Return the statements that are newer than what is held."""
        return {
            table: self.statements[table]
            for table, verdict in self.verdicts.items()
            if verdict in (Verdict.WRITE, Verdict.RAISE)
        }


def judge(
    plan: ReadPlan, version: Version, job_id: str, standing: Mapping[str, Standing], floors: Floors
) -> Judgement:
    """Compare a plan with what is held of its subject; of upserts ``upserting.merge`` judges.

    Args:
        plan: What is said.
        version: How new it is.
        job_id: The job that says so.
        standing: What is held, by table.
        floors: Of the plan's source at least.
    """
    source = plan.source
    own = floors.get((source, floor_name(job_id))) if job_id else None
    silenced = own is not None and version <= own
    complete = floors.get((source, PERSONS)) if floors and is_person(plan.subject) else None
    overtaken = complete is not None and version < complete
    verdicts: dict[str, Verdict] = {}
    statements: dict[str, Held] = {}
    for write in plan.writes:
        if write.kind == "upsert":
            continue
        content = UNKNOWN_HASH if silenced or write.kind == "tombstone" else write.hash
        known = standing.get(write.table)
        # Floors are rare, and this runs for every table of every person.
        held = in_force(source, known, floors) if floors else known and known.held
        verdicts[write.table] = Verdict.STALE if overtaken else decide(held, version, content)
        statements[write.table] = Held(version, content)
    return Judgement(verdicts, statements, silenced)


def in_force(source: str, standing: Standing | None, floors: Floors) -> Held | None:
    """Return what holds of a table once floors are taken into account."""
    held = standing.held if standing else None
    if standing and standing.job_id:
        of_job = floors.get((source, floor_name(standing.job_id)))
        if of_job is not None and standing.held.version <= of_job:
            held = Held(standing.held.version, UNKNOWN_HASH)
    of_source = floors.get((source, WHOLE_SOURCE))
    if of_source is not None and (held is None or held.version < of_source):
        held = Held(of_source, UNKNOWN_HASH)
    return held


def retirement(plan: ReadPlan, version: Version, floors: Floors) -> Result:
    """Decide whether a plan about all of a source raises its floor."""
    floor = floors.get((plan.source, floor_of(plan)))
    if floor is None or version > floor:
        return Result.APPLIED
    return Result.UNCHANGED if version == floor else Result.STALE
