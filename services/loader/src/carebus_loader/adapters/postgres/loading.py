"""One batch of plans in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carebus_contracts.plans import ALL_SUBJECTS, ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import UNKNOWN_HASH, Version
from carebus_loader.adapters.postgres.ledger import NO_ROWS, NOTHING, Entry, Ledger, Subject
from carebus_loader.adapters.postgres.rows import Changes, TakesChanges, apply
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Held, Verdict
from carebus_loader.domain.warehouse.judging import Floors, Judgement, floor_name, judge, retirement
from carebus_loader.domain.warehouse.scopes import Scope, scope_of
from carebus_loader.domain.warehouse.tables import TABLES, table_of
from carebus_loader.domain.warehouse.upserting import Merge, above, ground_of, hashes, merge, only, upsert_of
from carebus_loader.ports import Delivery, Written

_RETIRED_AT_ONCE = 2_000
"""Subjects whose rows one statement deletes: bounds arrays and plans, not the transaction."""


async def load(connection: Any, settings: PostgresSettings, batch: Sequence[Delivery]) -> list[Written]:
    """Write a batch inside the transaction that is open; retirements come first, whatever their place.

    Raises:
        Overtaken: Begin the transaction again.
    """
    ledger = Ledger(connection, settings.omop_schema)
    retiring = [d for d in batch if d.plan.subject == ALL_SUBJECTS]
    sources = {d.plan.source for d in batch}
    await ledger.hold_sources(sources, {d.plan.source for d in retiring})
    floors = await ledger.floors(sources)
    done: dict[int, Written] = {}
    for delivery in retiring:
        done[id(delivery)] = await _retire(ledger, settings, delivery, floors)
    plans = [(d, scope_of(d.plan)) for d in batch if d.plan.subject != ALL_SUBJECTS]
    entries = await ledger.read([(s.source, s.subject) for _, s in plans], lock=True) if plans else {}
    changes = Changes()
    fresh: dict[Subject, Entry] = {}
    known: dict[Subject, Entry] = {}
    tallies: list[tuple[Delivery, Judgement | Merge, Tally]] = []
    for delivery, scope in plans:
        key = scope.source, scope.subject
        entry = entries.get(key)
        tally = Tally()
        said, after = collect(changes, delivery, scope, entry=entry or NOTHING, floors=floors, tally=tally)
        tallies.append((delivery, said, tally))
        if after is not None:
            (known if entry else fresh)[key] = after
    await ledger.insert(fresh)
    await apply(connection, settings, changes)
    await ledger.update(known)
    done |= {id(d): written(said, tally) for d, said, tally in tallies}
    return [done[id(delivery)] for delivery in batch]


def written(said: Judgement | Merge, tally: Tally) -> Written:
    """Close the account of a plan."""
    if isinstance(said, Merge):
        return tally.written(said.result(changed=bool(tally.inserted + tally.updated)))
    return tally.written(said.result, said.verdicts)


def collect(
    changes: TakesChanges, delivery: Delivery, scope: Scope, *, entry: Entry, floors: Floors, tally: Tally
) -> tuple[Judgement | Merge, Entry | None]:
    """Note what a plan changes; return what was judged, and the entry afterwards where it is another."""
    if write := upsert_of(delivery.plan):
        table = table_of(write)
        ground = ground_of(scope.source, entry.standing().get(table.name), floors)
        merged = merge(entry.upserted, ground, delivery.version, hashes(write, table))
        new = only(write, table, merged.put)
        changes.put(table, scope, new, holds=entry.holds(table.name), tally=tally)
        return merged, entry._replace(upserted=merged.noted) if merged.noted is not entry.upserted else None
    judgement = judge(delivery.plan, delivery.version, delivery.job_id, entry.standing(), floors)
    said = judgement.to_note()
    # A newer statement about a whole chunk also takes away what was put on the one before.
    kept = above(entry.upserted, delivery.version) if said and entry.upserted else NO_ROWS
    rewrite = len(kept) < len(entry.upserted) and bool(said)
    for write in delivery.plan.writes:
        table = table_of(write)
        if judgement.verdicts[table.name] is Verdict.WRITE or rewrite:
            rows = write if judgement.statements[table.name].hash else None
            holds = entry.holds(table.name)
            changes.write(table, scope, rows, holds=holds, tally=tally, keep=kept)
    if not said:
        return judgement, None
    after = entry.noting(said, {delivery.version: delivery.job_id})
    return judgement, after._replace(upserted=kept) if entry.upserted else after


async def _retire(
    ledger: Ledger,
    settings: PostgresSettings,
    delivery: Delivery,
    floors: dict[tuple[str, str], Version],
) -> Written:
    """Empty what is older than the plan, and leave a floor for what comes later though it is older."""
    plan, version = delivery.plan, delivery.version
    result = retirement(plan, version, floors)
    if result is not Result.APPLIED:
        return Written(result)
    tally = Tally()
    entries = await ledger.of_source(plan.source, plan.of_job)
    for start in range(0, len(entries), _RETIRED_AT_ONCE):
        await _empty(ledger, settings, delivery, entries[start : start + _RETIRED_AT_ONCE], tally)
    floors[plan.source, floor_name(plan.of_job)] = version
    await ledger.raise_floor(plan.source, floor_name(plan.of_job), version)
    return tally.written(result)


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
        for table in stripped | {t for t in gone if entry.held[t].hash != UNKNOWN_HASH}:
            if table in TABLES:
                changes.write(TABLES[table], scope, None, holds=True, tally=tally, keep=kept)
        if gone or stripped:
            after = entry.noting(gone, {version: delivery.job_id})
            emptied[plan.source, subject] = after._replace(upserted=kept)
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
