"""Providers and sites: rows of ``users`` and ``facility`` that belong to no person, and that charts refer to.

Plans bring those along that their rows refer to. Each is a subject of its own in the ledger, with the guard,
the index and the rules about human edits of any other. They are put before the charts, in a transaction of
their own and under a lock: two loaders with the same new provider would otherwise block each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from carebus_contracts.errors import UnsupportedContract
from carebus_contracts.plans import PlannedShare, ReadPlan
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import derived_sql as derived
from carebus_loader.adapters.openemr import ledger
from carebus_loader.adapters.openemr.changes import Change, change_of
from carebus_loader.adapters.openemr.charts import named_lock
from carebus_loader.adapters.openemr.conflicts import set_aside
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.judging import ALL_TABLES, Floors, Judgement, Standing, judge
from carebus_loader.adapters.openemr.places import FACILITIES, KEPT_COLUMNS, NEW_COLUMNS, USERS, Place
from carebus_loader.adapters.openemr.referring import SITE, Directory, Site
from carebus_loader.ports import Delivery, Written

_ROWS_A_STATEMENT = 500
_KIND = {USERS.table: "provider/", FACILITIES.table: "care_site/"}
"""How subjects of a table's rows begin."""
_UNKNOWN = Standing({})


@dataclass(slots=True)
class SharedRows:
    """Puts the shared rows of a batch, and remembers for whose plan it was done, however often it is tried."""

    done: dict[int, list[Written]] = field(default_factory=dict)
    """By ``id`` of the delivery."""

    async def put(self, session: Session, database: str, batch: Sequence[Delivery]) -> None:
        """Put what is new or changed of the rows that plans bring along; outside of a transaction.

        Raises:
            UnsupportedContract: A plan brings what this version does not know.
        """
        stated = _statements(batch)
        if not stated:
            return
        keys = sorted(stated)
        if not any(j.noted for j in _judged(stated, await ledger.read_subjects(session, keys))):
            return
        async with named_lock(session, database, "shared"):
            await session.begin()
            try:
                changes = await _put(session, stated)
            except BaseException:
                await session.rollback()
                raise
            await session.commit()
        for change in changes:
            if change.judgement.rewritten:
                plan = change.judgement.delivery.plan
                bearer = stated[plan.source, plan.subject][0]
                self.done.setdefault(id(bearer), []).append(change.written)

    def told(self, delivery: Delivery, written: Written) -> Written:
        """Add to the answer about a plan what was done to the rows that it brought along."""
        for one in self.done.get(id(delivery), ()):
            tables = dict(written.tables)
            for table, count in one.tables.items():
                tables[table] = tables.get(table, 0) + count
            written = replace(
                written,
                result=Result.APPLIED
                if one.tables and written.result is Result.UNCHANGED
                else written.result,
                inserted=written.inserted + one.inserted,
                updated=written.updated + one.updated,
                tables=tables,
                conflicts={**written.conflicts, **one.conflicts},
            )
        return written


async def read_directory(session: Session, batch: Iterable[Delivery]) -> Directory:
    """Return the numbers of the providers and sites that plans bring along, as far as they are there."""
    uuids: defaultdict[str, set[str]] = defaultdict(set)
    for delivery in batch:
        for share in delivery.plan.refers:
            uuids[share.write.table].update(
                line[2:34].decode("ascii", "replace") for line in share.write.lines()
            )
    ((provider, facility, name, npi),) = await session.select(
        "SELECT @carebus_provider, @carebus_facility, @carebus_facility_name, @carebus_npi"
    )
    users = await _numbers(session, USERS, "id", uuids[USERS.table])
    facilities = await _numbers(session, FACILITIES, "id, name", uuids[FACILITIES.table])
    return Directory(
        {uuid: int(number) for uuid, number in users},
        {uuid: Site(int(number), called or "") for uuid, number, called in facilities},
        int(provider or 0),
        Site(int(facility or 0), name or ""),
        npi or "",
    )


_Stated = dict[ledger.SubjectKey, tuple[Delivery, Delivery]]
"""By subject: whose plan brings the newest statement about it, and the statement."""


def _statements(batch: Iterable[Delivery]) -> _Stated:
    newest: _Stated = {}
    for bearer in batch:
        for share in bearer.plan.refers:
            key = bearer.plan.source, share.subject
            known = newest.get(key)
            if known is None or (bearer.version, share.write.hash) > _rank(known[1]):
                newest[key] = bearer, _statement(bearer, share)
    return newest


def _rank(statement: Delivery) -> tuple[object, str]:
    return statement.version, statement.plan.writes[0].hash


def _statement(bearer: Delivery, share: PlannedShare) -> Delivery:
    write = share.write
    if write.kind != "replace_scope" or not share.subject.startswith(_KIND.get(write.table, "?")):
        raise UnsupportedContract("plans bring along rows that this loader does not know: upgrade it")
    known = {*NEW_COLUMNS[write.table], *KEPT_COLUMNS[write.table], SITE}
    if write.columns[:1] != ("uuid",) or not known.issuperset(write.columns):
        raise UnsupportedContract(
            f"plans write a column of {write.table} that this loader does not know: upgrade it"
        )
    plan = ReadPlan(bearer.plan.target, bearer.plan.source, share.subject, (write,))
    return Delivery(plan, bearer.version, bearer.job_id)


def _judged(stated: _Stated, read: ledger.Read) -> list[Judgement]:
    return [
        judge(statement, read.standing.get(key, _UNKNOWN), _of_source(read.floors[key[0]]))
        for key, (_, statement) in sorted(stated.items())
    ]


def _of_source(floors: Floors) -> Floors:
    """Return the floor of the whole source: what one job brought may be in use by the others."""
    return Floors({what: held for what, held in floors.held.items() if what == ALL_TABLES})


async def _put(session: Session, stated: _Stated) -> list[Change]:
    judged = _judged(stated, await ledger.read_subjects(session, sorted(stated), lock=True))
    changes: list[Change] = []
    for place in (FACILITIES, USERS):
        mine = [j for j in judged if j.noted and j.delivery.plan.writes[0].table == place.table]
        if mine:
            directory = await read_directory(session, (bearer for bearer, _ in stated.values()))
            changes += await _put_into(session, place, mine, directory)
    return changes


async def _put_into(
    session: Session, place: Place, judged: Sequence[Judgement], directory: Directory
) -> list[Change]:
    known = [_key(j) for j in judged if j.standing.known and j.rewritten]
    indexes = await ledger.read_indexes(session, known) if known else {}
    changes = [change_of(j, indexes.get(_key(j), {}), directory) for j in judged]
    await set_aside(session, changes, record=True)
    await ledger.write_subjects(
        session,
        (ledger.Entry(c.judgement, None, None, c.index if c.judgement.rewritten else None) for c in changes),
    )
    by_columns: defaultdict[tuple[str, ...], list[list[object]]] = defaultdict(list)
    for change in changes:
        for write, put in change.put.items():
            by_columns[change.columns[write]] += put.values()
    for columns, rows in by_columns.items():
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            await _write(session, place, columns, rows[start : start + _ROWS_A_STATEMENT])
    return changes


async def _write(
    session: Session, place: Place, columns: tuple[str, ...], rows: Sequence[Sequence[object]]
) -> None:
    """Insert rows that are not there, and update those that are.

    One statement for both would demand the right to update all columns that it inserts.
    """
    uuids = [str(row[0]) for row in rows]
    there = {uuid for uuid, _ in await _numbers(session, place, "id", uuids)}
    fixed = {**place.once, **place.always}
    names = ", ".join(f"`{c}`" for c in (*columns, *fixed))
    one = f"({', '.join(['UNHEX(%s)', *['%s'] * (len(columns) - 1), *fixed.values()])})"
    if new := [row for row in rows if row[0] not in there]:
        await session.execute(
            f"INSERT INTO `{place.table}` ({names}) VALUES {', '.join([one] * len(new))}",
            [cell for row in new for cell in row],
        )
    kept = [at for at, column in enumerate(columns) if column in KEPT_COLUMNS[place.table]]
    sets = [f"`{columns[at]}` = %s" for at in kept] + [f"`{c}` = {sql}" for c, sql in place.always.items()]
    for row in (row for row in rows if row[0] in there):
        await session.execute(
            f"UPDATE `{place.table}` SET {', '.join(sets)} WHERE uuid = UNHEX(%s)",
            [*(row[at] for at in kept), row[0]],
        )
    some = ", ".join(f"x'{bytes.fromhex(uuid).hex()}'" for uuid in uuids)
    if place is FACILITIES and there:
        await session.execute(derived.renamed_facilities(some))
    for statement in derived.after_shared(place, f"`{place.table}` t WHERE t.uuid IN ({some})"):
        await session.execute(statement)


async def _numbers(
    session: Session, place: Place, columns: str, uuids: Iterable[str]
) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    ordered = sorted(uuids)
    for start in range(0, len(ordered), _ROWS_A_STATEMENT):
        some = ordered[start : start + _ROWS_A_STATEMENT]
        found += await session.select(
            f"SELECT LOWER(HEX(uuid)), {columns} FROM `{place.table}` FORCE INDEX (uuid) "
            f"WHERE uuid IN ({', '.join(['UNHEX(%s)'] * len(some))})",
            some,
        )
    return found


def _key(judgement: Judgement) -> ledger.SubjectKey:
    return judgement.delivery.plan.source, judgement.delivery.plan.subject
