"""Retiring a source, the subjects that one job wrote last, or the persons that a source no longer has.

Everything of them goes, and older plans stay stale.
"""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.plans import ALL_PERSONS, ALL_SUBJECTS, PlannedTable, ReadPlan
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import ledger
from carebus_loader.adapters.openemr.changes import Change, change_of
from carebus_loader.adapters.openemr.conflicts import forget_subjects
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.filing import Filing
from carebus_loader.adapters.openemr.judging import (
    ALL_TABLES,
    GONE,
    Floors,
    Judgement,
    Standing,
    judge,
    take_back,
)
from carebus_loader.adapters.openemr.rows import Charted, clear_staging, put_rows
from carebus_loader.domain.guard import Held, Verdict, decide
from carebus_loader.ports import Delivery, Written

_SUBJECTS_A_TRANSACTION = 200
_TOMBSTONE = PlannedTable(kind="tombstone", table=ALL_TABLES, hash="", count=0)


async def retire(session: Session, delivery: Delivery, filing: Filing) -> Written:
    """Take away all subjects that are older than the plan, some at a time, and keep a floor for late ones.

    The floor comes first: who holds it shared is waited for, who comes after sees it.
    """
    plan = delivery.plan
    await ledger.open_sources(session, [plan.source])
    await session.begin()
    floors = await ledger.read_floors(session, plan.source, "FOR UPDATE")
    verdict = decide(_floor(floors, plan), delivery.version, "")
    if verdict is Verdict.STALE:
        await session.rollback()
        return Written(Result.STALE)
    await ledger.write_floors(session, plan.source, _raised(floors, delivery))
    await session.commit()
    deleted = persons = 0
    tables: dict[str, int] = {}
    after = ALL_SUBJECTS
    while keys := await _next_subjects(session, delivery, after):
        for change in await _retire_some(session, delivery, keys, filing):
            persons += _is_gone(change)
            deleted += change.deleted
            for table, count in change.written.tables.items():
                tables[table] = tables.get(table, 0) + count
        after = keys[-1][1]
    unchanged = verdict is Verdict.UNCHANGED and not deleted
    result = Result.UNCHANGED if unchanged else Result.APPLIED
    return Written(result, deleted=deleted, tables=tables, persons=persons)


async def would_retire(session: Session, delivery: Delivery) -> Written:
    """Say how many rows would go, by reading only."""
    plan = delivery.plan
    floors = await ledger.read_floors(session, plan.source)
    verdict = decide(_floor(floors, plan), delivery.version, "")
    if verdict is Verdict.STALE:
        return Written(Result.STALE)
    deleted = persons = 0
    after = ALL_SUBJECTS
    while keys := await _next_subjects(session, delivery, after):
        changes = await _tombstones(session, delivery, keys, lock=False)
        persons += sum(map(_is_gone, changes))
        deleted += sum(change.deleted for change in changes)
        after = keys[-1][1]
    unchanged = verdict is Verdict.UNCHANGED and not deleted
    return Written(Result.UNCHANGED if unchanged else Result.APPLIED, deleted=deleted, persons=persons)


def _is_gone(change: Change) -> bool:
    judgement = change.judgement
    if not judgement.delivery.plan.subject.startswith(ledger.PERSON):
        return False
    return judgement.rewritten and all(there.hash == GONE for there in judgement.held.values())


def _floor(floors: Floors, plan: ReadPlan) -> Held | None:
    return floors.persons if plan.subject == ALL_PERSONS else floors.there(plan.of_job)


def _raised(floors: Floors, delivery: Delivery) -> Floors:
    if delivery.plan.subject == ALL_PERSONS:
        return floors.persons_raised(delivery.version)
    return floors.raised(delivery.plan.of_job, delivery.version)


async def _next_subjects(session: Session, delivery: Delivery, after: str) -> list[ledger.SubjectKey]:
    plan, limit = delivery.plan, _SUBJECTS_A_TRANSACTION
    if plan.subject == ALL_PERSONS:
        return await ledger.vanished_subjects(
            session, plan.source, delivery.version, after=after, limit=limit
        )
    return await ledger.live_subjects(session, plan.source, plan.of_job, after=after, limit=limit)


async def _retire_some(
    session: Session, delivery: Delivery, keys: Sequence[ledger.SubjectKey], filing: Filing
) -> list[Change]:
    await clear_staging(session)
    await session.begin()
    changes = await _tombstones(session, delivery, keys, lock=True)
    await forget_subjects(session, [c.judgement.delivery.plan for c in changes])
    await ledger.write_subjects(
        session, (ledger.Entry(c.judgement, None, None, c.index) for c in changes if c.judgement.noted)
    )
    await put_rows(
        session,
        [Charted(c, 0, made=False) for c in changes],
        range(0),
        direct=False,
    )
    await filing.take_away(session, changes)
    await session.commit()
    return changes


async def _tombstones(
    session: Session, delivery: Delivery, keys: Sequence[ledger.SubjectKey], *, lock: bool
) -> list[Change]:
    read = await ledger.read_subjects(session, keys, lock=lock)
    indexes = await ledger.read_indexes(session, keys)
    of_job, missing = delivery.plan.of_job, delivery.plan.subject == ALL_PERSONS
    return [
        change_of(_judged(_one(delivery, key), standing, of_job), indexes.get(key, {}))
        for key, standing in read.standing.items()
        if (not of_job or standing.last_job == of_job)
        # A newer plan may have come since the subjects were looked up.
        and (not missing or ledger.vanished(standing.held, delivery.version))
    ]


def _judged(delivery: Delivery, standing: Standing, of_job: str) -> Judgement:
    return take_back(delivery, standing) if of_job else judge(delivery, standing)


def _one(delivery: Delivery, key: ledger.SubjectKey) -> Delivery:
    plan = delivery.plan
    gone = ReadPlan(target=plan.target, source=plan.source, subject=key[1], writes=(_TOMBSTONE,))
    return Delivery(gone, delivery.version, delivery.job_id)
