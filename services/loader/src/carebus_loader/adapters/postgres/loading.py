"""One batch of plans in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carebus_loader.adapters.postgres.ledger import NO_ROWS, NOTHING, Entry, Ledger, Subject
from carebus_loader.adapters.postgres.retiring import retire
from carebus_loader.adapters.postgres.rows import Changes, TakesChanges, apply
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Verdict
from carebus_loader.domain.warehouse.judging import Floors, Judgement, judge
from carebus_loader.domain.warehouse.scopes import Scope, scope_of
from carebus_loader.domain.warehouse.tables import table_of
from carebus_loader.domain.warehouse.upserting import Merge, above, ground_of, hashes, merge, only, upsert_of
from carebus_loader.ports import Delivery, Written


async def load(connection: Any, settings: PostgresSettings, batch: Sequence[Delivery]) -> list[Written]:
    """Write a batch inside the transaction that is open; retirements come first, whatever their place.

    Raises:
        Overtaken: Begin the transaction again.
    """
    ledger = Ledger(connection, settings.omop_schema)
    retiring = [d for d in batch if d.plan.retires]
    sources = {d.plan.source for d in batch}
    await ledger.hold_sources(sources, {d.plan.source for d in retiring})
    floors = await ledger.floors(sources)
    done: dict[int, Written] = {}
    for delivery in retiring:
        done[id(delivery)] = await retire(ledger, settings, delivery, floors)
    plans = [(d, scope_of(d.plan)) for d in batch if not d.plan.retires]
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
