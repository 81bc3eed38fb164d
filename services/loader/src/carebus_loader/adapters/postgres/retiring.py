"""Retiring many subjects in the transaction that is open: a source, what one job wrote last, or the persons
that a source no longer has."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.plans import ALL_PERSONS, ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import UNKNOWN_HASH, Version
from carebus_loader.adapters.postgres.ledger import Entry, Ledger, Subject
from carebus_loader.adapters.postgres.rows import Changes, apply
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Held
from carebus_loader.domain.warehouse.judging import Floors, floor_of, retirement
from carebus_loader.domain.warehouse.scopes import Scope, is_person
from carebus_loader.domain.warehouse.tables import TABLES
from carebus_loader.domain.warehouse.upserting import above
from carebus_loader.ports import Delivery, Written

_RETIRED_AT_ONCE = 2_000
"""Subjects that are read, and whose rows are deleted, at a time: bounds memory, not the transaction."""


async def retire(
    ledger: Ledger, settings: PostgresSettings, delivery: Delivery, floors: dict[tuple[str, str], Version]
) -> Written:
    """Empty what is older than the plan, and leave a floor for what comes later though it is older."""
    plan, version = delivery.plan, delivery.version
    result = retirement(plan, version, floors)
    if result is not Result.APPLIED:
        return Written(result)
    tally, after = Tally(), ""
    while entries := await _next(ledger, delivery, after):
        await _empty(ledger, settings, delivery, entries, tally)
        after = entries[-1][0]
    floors[plan.source, floor_of(plan)] = version
    await ledger.raise_floor(plan.source, floor_of(plan), version)
    return tally.written(result)


async def would_retire(ledger: Ledger, delivery: Delivery, floors: Floors) -> Written:
    """Tell what ``retire`` would answer, by reading alone; of rows only whether there are any.

    To count rows would cost as much as the retirement. Persons are counted where they vanished.
    """
    plan, version = delivery.plan, delivery.version
    persons = await ledger.count_vanished(plan.source, version) if plan.subject == ALL_PERSONS else 0
    return Written(retirement(plan, version, floors), persons=persons)


async def _next(ledger: Ledger, delivery: Delivery, after: str) -> list[tuple[str, Entry]]:
    plan = delivery.plan
    if plan.subject == ALL_PERSONS:
        return await ledger.vanished(plan.source, delivery.version, after=after, limit=_RETIRED_AT_ONCE)
    return await ledger.of_source(plan.source, plan.of_job, after=after, limit=_RETIRED_AT_ONCE)


async def _empty(
    ledger: Ledger,
    settings: PostgresSettings,
    delivery: Delivery,
    entries: Sequence[tuple[str, Entry]],
    tally: Tally,
) -> None:
    plan, version = delivery.plan, delivery.version
    changes = Changes()
    emptied: dict[Subject, Entry] = {}
    for subject, entry in entries:
        gone = _retired(entry, plan, version)
        # Jobs put rows for all others, too, so only a whole source takes them away.
        kept = entry.upserted if plan.of_job else above(entry.upserted, version)
        stripped = {subject.partition("/")[0]} if len(kept) < len(entry.upserted) else set()
        scope = Scope(plan.source, subject, int(subject.rpartition("/")[2]))
        standing = {table for table in gone if entry.held[table].hash != UNKNOWN_HASH}
        for table in stripped | standing:
            if table in TABLES:
                changes.write(TABLES[table], scope, None, holds=True, tally=tally, keep=kept)
        if gone or stripped:
            after = entry.noting(gone, {version: delivery.job_id})
            emptied[plan.source, subject] = after._replace(upserted=kept)
        tally.persons += bool(standing) and is_person(subject)
    await apply(ledger.connection, settings, changes)
    await ledger.update(emptied)


def _retired(entry: Entry, plan: ReadPlan, version: Version) -> dict[str, Held]:
    """Return the tables of a subject that a retirement empties, and as of which version."""
    if not plan.of_job:
        return {
            table: Held(version, UNKNOWN_HASH) for table, held in entry.held.items() if held.version < version
        }
    # What a job said is gone as of when it said so: another job's older plan stays older than that.
    return {
        table: Held(standing.held.version, UNKNOWN_HASH)
        for table, standing in entry.standing().items()
        if standing.job_id == plan.of_job and standing.held.version <= version
    }
