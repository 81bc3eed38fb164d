"""One batch of plans: rows first, scopes last, so that nothing shows before all of it is there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from carebus_contracts.errors import ConstraintViolated, RecordError
from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.clickhouse import sql, upserts
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.retiring import retire
from carebus_loader.adapters.clickhouse.row_versions import hash_bits, row_version
from carebus_loader.adapters.clickhouse.standing import (
    Known,
    Scopes,
    read_floors,
    read_scopes,
)
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Verdict
from carebus_loader.domain.warehouse.judging import Floors, in_force, judge
from carebus_loader.domain.warehouse.row_text import has_far_dates, has_long_numbers, json_rows
from carebus_loader.domain.warehouse.scopes import Scope, is_person, scope_of
from carebus_loader.domain.warehouse.tables import TABLES, table_of
from carebus_loader.domain.warehouse.upserting import upsert_of
from carebus_loader.ports import Delivery, Written


@dataclass(slots=True)
class Inserts:
    """What a batch inserts."""

    rows: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    upserts: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    scopes: list[bytes] = field(default_factory=list)


async def load(
    connection: Connection, batch: Sequence[Delivery], *, narrow_dates: bool, dry_run: bool
) -> list[Written]:
    """Write a batch, or with ``dry_run`` tell what that would do; retirements come first."""
    floors = await read_floors(connection, {d.plan.source for d in batch})
    retiring = [d for d in batch if d.plan.retires]
    done = {id(d): await retire(connection, d, floors, dry_run=dry_run) for d in retiring}
    plans = [(d, scope_of(d.plan)) for d in batch if not d.plan.retires]
    for delivery, _ in plans:
        _refuse_odd_cells(delivery.plan.writes, narrow_dates)
    known = await read_scopes(connection, [(scope, d.plan.writes) for d, scope in plans])
    of_chunks = [(delivery, scope) for delivery, scope in plans if not is_person(scope.subject)]
    chunks = await upserts.read_chunks(connection, of_chunks)
    shown = await upserts.count_shown(connection, of_chunks)
    inserts = Inserts()
    for delivery, scope in plans:
        if write := upsert_of(delivery.plan):
            rows, written = upserts.collect(delivery, write, scope, known=known, floors=floors, chunks=chunks)
            inserts.upserts[write.table] += rows
            done[id(delivery)] = written
        else:
            done[id(delivery)] = _collect(inserts, delivery, scope, known=known, floors=floors, shown=shown)
    if not dry_run:
        await _insert(connection, inserts)
    return [done[id(delivery)] for delivery in batch]


def _refuse_odd_cells(writes: Sequence[PlannedTable], narrow_dates: bool) -> None:
    for write in writes:
        table = table_of(write)
        if not write.count:
            continue
        if has_long_numbers(write, table):
            raise ConstraintViolated(f"rows of {table.name}: a whole number has more than 64 bits")
        if narrow_dates and has_far_dates(write):
            raise ConstraintViolated(f"rows of {table.name}: this server has dates from 1900 to 2299 only")


def _collect(
    inserts: Inserts,
    delivery: Delivery,
    scope: Scope,
    *,
    known: Scopes,
    floors: Floors,
    shown: Mapping[tuple[str, str, int], int],
) -> Written:
    source, _, key = scope
    held = {
        write.table: before
        for write in delivery.plan.writes
        if (before := known.get((source, key, write.table))) is not None
    }
    standing = {table: before.standing for table, before in held.items()}
    judgement = judge(delivery.plan, delivery.version, delivery.job_id, standing, floors)
    tally = Tally()
    noted = judgement.to_note()
    ends = _ScopeEnds(delivery, scope)
    for write in delivery.plan.writes:
        statement = noted.get(write.table)
        if statement is None:
            continue
        before, content = held.get(write.table), statement.hash
        rows = write.count if content else 0
        raised = judgement.verdicts[write.table] is Verdict.RAISE
        inserts.scopes.append(ends.row(write.table, content, rows, before if raised else None))
        if raised:
            continue
        if rows:
            inserts.rows[write.table].append(json_rows(write, ends.tail(write.table, content)))
        showed = shown.get((write.table, source, key)) or _rows_showing(source, before, floors)
        if rows or showed:
            tally.add(
                write.table,
                inserted=max(0, rows - showed),
                updated=min(rows, showed),
                deleted=max(0, showed - rows),
            )
    return tally.written(judgement.result, judgement.verdicts)


class _ScopeEnds:
    """Text that is the same for all rows of a delivery."""

    def __init__(self, delivery: Delivery, scope: Scope) -> None:
        self._version = row_version(delivery.version)
        self._source = orjson.dumps(scope.source)
        self._key = scope.key
        self._job = orjson.dumps(delivery.job_id)

    def tail(self, table: str, content: str) -> bytes:
        """Return the cells that follow those of the plan."""
        own = b",%d" % self._key if len(TABLES[table].tail) > 1 else b""
        return b",%b%b,%d" % (self._source, own, self._version | hash_bits(content))

    def row(self, table: str, content: str, rows: int, raised: Known | None) -> bytes:
        """Return a row of the scope table; a raised version keeps the rows that it had."""
        version = self._version | hash_bits(content)
        return b'["%b",%b,%d,%d,"%b",%d,%d,%d,%b]' % (
            table.encode(),
            self._source,
            self._key,
            version,
            content.encode(),
            rows,
            raised.data_version if raised else version,
            not content,
            self._job,
        )


def _rows_showing(source: str, known: Known | None, floors: Floors) -> int:
    if known is None:
        return 0
    held = in_force(source, known.standing, floors)
    return known.rows if held is not None and held.hash else 0


async def _insert(connection: Connection, inserts: Inserts) -> None:
    outcomes = await asyncio.gather(
        *(
            connection.insert(sql.rows_name(TABLES[name]), sql.stored(TABLES[name]), rows)
            for name, rows in inserts.rows.items()
        ),
        return_exceptions=True,
    )
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # Where a server is going down, a complaint about rows proves nothing: trouble of its own comes first.
    for failure in sorted(failures, key=lambda f: isinstance(f, RecordError)):
        raise failure
    # Rows that are put show at once: they wait until all others went through.
    for name, rows in inserts.upserts.items():
        if rows:
            await connection.insert(sql.upserts_name(TABLES[name]), sql.stored(TABLES[name]), rows)
    if inserts.scopes:
        await connection.insert(sql.SCOPES, sql.SCOPE_CELLS, inserts.scopes)
