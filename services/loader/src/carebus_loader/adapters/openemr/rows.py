"""Putting the rows of a batch: straight into the tables for new charts, by way of staging for the rest."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from carebus_contracts.errors import ConstraintViolated
from carebus_loader.adapters.openemr import derived_sql as derived
from carebus_loader.adapters.openemr import row_sql as sql
from carebus_loader.adapters.openemr.changes import DEATH, PATIENT, Change
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.order_lines import OrderLines
from carebus_loader.adapters.openemr.places import (
    ENCOUNTERS,
    FILLED,
    LISTS,
    PRESCRIPTIONS,
    TARGETS,
    Parent,
    Place,
    check_columns,
    check_rows,
    is_of,
    place_of,
)

_UUIDS_A_STATEMENT = 1_000


_Rows = list[tuple[int, Collection[list[object]]]]
"""Rows by patient's number."""
_Group = tuple[Place, tuple[str, ...], _Rows]
_Links = defaultdict[Place, list[str]]
"""Lines of uuid, patient's and encounter's number by place."""


class Bent(Exception):
    """The server would have bent or dropped a row; roll back and stage the rows."""


@dataclass(slots=True)
class Charted:
    """The changes of one subject, and the chart that they go to."""

    change: Change
    pid: int
    """0 where the plan only takes rows away."""
    made: bool
    """Whether the chart was made just now, so that nothing can be in it."""


@dataclass(slots=True)
class Encounters:
    """Numbers of encounters by uuid in hex: those that stand, and fresh ones from our block."""

    block: Iterator[int]
    number: dict[str, int] = field(default_factory=dict)

    def assign(self, uuids: Iterable[str]) -> None:
        """Give a number to each that has none.

        Raises:
            Bent: The block is too small, as somebody else changed the same charts.
        """
        for uuid in uuids:
            if uuid not in self.number:
                if (fresh := next(self.block, None)) is None:
                    raise Bent
                self.number[uuid] = fresh


async def put_rows(session: Session, charted: Sequence[Charted], block: range, *, direct: bool) -> None:
    """Put and take away what changed, with all that follows from it.

    Args:
        session: Inside a transaction.
        charted: Each subject's changes.
        block: Fresh encounter numbers.
        direct: Whether to try the quick way.

    Raises:
        Bent: Roll back and do it again without ``direct``.
        ConstraintViolated: The server refuses a row.
    """
    encounters = Encounters(iter(block))
    quick = [c for c in charted if c.made and direct]
    slow = [c for c in charted if not (c.made and direct)]
    if slow:
        await _find_encounters(session, slow, encounters)
    for c in charted:
        for write, rows in c.change.put.items():
            if is_of(write, ENCOUNTERS):
                encounters.assign(str(row[0]) for row in rows.values())
    if quick:
        await _put_direct(session, quick, encounters)
    if slow:
        await _put_staged(session, slow, encounters)
        await _take_away(session, [c.change for c in slow])
    told = [c.pid for c in charted if c.change.put.get(PATIENT) or c.made]
    if told:
        for statement in derived.after_patients(told):
            await session.execute(statement)


async def clear_staging(session: Session) -> None:
    """Empty the staging tables; outside of a transaction, as it may end one."""
    for table in (sql.GONE, sql.NEW, sql.LINKS, sql.PATIENTS, *(sql.staging(p.table) for p in FILLED)):
        await session.execute(f"TRUNCATE TABLE {table}")


async def _put_direct(session: Session, charted: Sequence[Charted], encounters: Encounters) -> None:
    links: _Links = defaultdict(list)
    filled: set[str] = set()
    async for place, columns, lines in _made_ready(session, charted, encounters, links, fresh=True):
        filled.add(place.table)
        for into in (place, *place.also):
            if not await session.load(sql.load_direct(into, columns, place), lines):
                raise Bent
    pids = [c.pid for c in charted]
    for place in TARGETS:
        if place.table in filled and place is not LISTS:
            for statement in derived.after_rows(place, derived.of_charts(place, pids)):
                await session.execute(statement)
    if filled & {LISTS.table, PRESCRIPTIONS.table}:
        await session.execute(derived.register(LISTS.table, derived.of_charts(LISTS, pids)))
    await _link(session, links, fresh=True)


async def _put_staged(session: Session, charted: Sequence[Charted], encounters: Encounters) -> None:
    await _update_patients(session, charted)
    links: _Links = defaultdict(list)
    staged: set[Place] = set()
    growing = set(_growing(charted))
    async for place, columns, lines in _made_ready(session, charted, encounters, links, fresh=False):
        for into in (place, *place.also):
            if place in staged:  # rows with other columns than these
                await session.execute(f"DELETE FROM {sql.staging(into.table)}")
            if not await session.load(sql.load_staging(into.table, columns, into, place), lines):
                raise ConstraintViolated(f"{into.table}: a row is no text that the server can read")
        staged.add(place)
        new = 0
        if place in growing:
            await session.execute(f"DELETE FROM {sql.NEW}")
            new = await session.execute(derived.note_new(place))
        for into in (place, *place.also):
            await session.execute(sql.upsert(into, columns, place))
        if new:
            for statement in derived.after_rows(place, derived.of_new(place)):
                await session.execute(statement)
            if place is PRESCRIPTIONS:
                await session.execute(derived.register_medications(derived.of_new(place)))
        if new < len(lines):
            for statement in derived.after_changes(place):
                await session.execute(statement)
        if place is LISTS:
            await session.execute(derived.without_links())
    await _link(session, links, fresh=False)


def _growing(charted: Iterable[Charted]) -> Iterator[Place]:
    """Yield the places of rows that the ledger does not know; the others are there, as was just seen."""
    for c in charted:
        for write, rows in c.change.put.items():
            if not write.startswith(PATIENT) and rows.keys() - c.change.before.get(write, {}).keys():
                yield place_of(write)


async def _link(session: Session, links: _Links, *, fresh: bool) -> None:
    for place, lines in links.items():
        await session.execute(f"DELETE FROM {sql.LINKS}")
        if not await session.load(sql.LOAD_LINKS, lines):
            raise ConstraintViolated(f"{place.table}: a link is malformed")
        for statement in derived.after_links(place, fresh=fresh):
            await session.execute(statement)


async def _update_patients(session: Session, charted: Sequence[Charted]) -> None:
    by_columns: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for c in charted:
        for write in (PATIENT, DEATH):
            for row in c.change.put.get(write, {}).values():
                columns = c.change.columns[write]
                check_columns(PATIENT, columns)
                by_columns[columns].append(sql.line([*row, c.pid]))
        if c.change.gone.get(DEATH) and not c.change.put.get(DEATH):
            for uuid in c.change.gone[DEATH]:
                by_columns["uuid", "deceased_date", "deceased_reason"].append(
                    sql.line([uuid.hex(), None, "", c.pid])
                )
    for columns, lines in by_columns.items():
        await session.execute(f"DELETE FROM {sql.PATIENTS}")
        if not await session.load(sql.load_staging(PATIENT, columns), lines):
            raise ConstraintViolated("patient_data: a row is no text that the server can read")
        await session.execute(sql.update_patients(columns))


async def _take_away(session: Session, changes: Iterable[Change]) -> None:
    gone: defaultdict[Place, set[bytes]] = defaultdict(set)
    kept: set[bytes] = set()
    for change in changes:
        for write, uuids in change.gone.items():
            if not write.startswith(PATIENT):
                gone[place_of(write)].update(uuids)
        # A row may move from one write to another: then it is not gone.
        kept.update(*change.put.values())
    lines = [uuid.hex() for uuids in gone.values() for uuid in sorted(uuids - kept)]
    if not lines:
        return
    if not await session.load(sql.LOAD_GONE, lines):
        raise ConstraintViolated("the uuids of rows that are gone are malformed")
    for place in (place for place in gone if place.away):
        await session.execute(sql.take_away(place))
    for statement in derived.after_gone():
        await session.execute(statement)


async def _find_encounters(session: Session, charted: Sequence[Charted], encounters: Encounters) -> None:
    wanted: set[str] = set()
    for c in charted:
        for write, rows in c.change.put.items():
            if write.startswith(PATIENT):
                continue
            place, columns = place_of(write), c.change.columns[write]
            if place.numbered:
                wanted.update(str(row[0]) for row in rows.values())
            elif place.refers in columns:
                at = columns.index(place.refers)
                wanted.update(str(row[at]) for row in rows.values() if row[at])
    encounters.number.update(await _numbers(session, Parent("form_encounter", "encounter"), wanted))


async def _made_ready(
    session: Session, charted: Sequence[Charted], encounters: Encounters, links: _Links, *, fresh: bool
) -> AsyncIterator[tuple[Place, tuple[str, ...], list[str]]]:
    """Yield place, columns and lines of each group; while the server has one, the next is made ready.

    Rows that refer to others wait until those are written, and have their numbers.
    """

    def ready(group: _Group) -> asyncio.Task[list[str]]:
        return asyncio.create_task(asyncio.to_thread(lambda: list(_lines(*group, encounters, links))))

    groups = [(place, columns, rows) for (place, columns), rows in _grouped(charted)]
    coming: asyncio.Task[list[str]] | None = None
    for group, following in zip_longest(groups, groups[1:]):
        if group[0].parents:
            await _find_parents(session, group)
        if group[0].in_order:
            await _number_lines(session, group, fresh=fresh)
        lines = await (coming or ready(group))
        coming = ready(following) if following and not following[0].parents else None
        yield group[0], group[1], lines


async def _find_parents(session: Session, group: _Group) -> None:
    """Put the numbers of other rows where the plan holds their uuids.

    Raises:
        ConstraintViolated: There is no such row.
    """
    place, columns, rows = group
    for column, parent in place.parents.items():
        if column not in columns:
            continue
        at = columns.index(column)
        of_group = [row for _, some in rows for row in some if row[at] is not None]
        number = await _numbers(session, parent, {str(row[at]) for row in of_group})
        for row in of_group:
            if (found := number.get(str(row[at]))) is None:
                raise ConstraintViolated(f"{place.table}: a row refers to a {parent.table} that is not there")
            row[at] = found


async def _numbers(session: Session, parent: Parent, wanted: Iterable[str]) -> dict[str, int]:
    """Return the numbers of rows by uuid in hex."""
    number: dict[str, int] = {}
    uuids = sorted(map(_uuid, wanted))
    for start in range(0, len(uuids), _UUIDS_A_STATEMENT):
        some = ", ".join(f"x'{uuid.hex()}'" for uuid in uuids[start : start + _UUIDS_A_STATEMENT])
        found = await session.select(
            f"SELECT uuid, `{parent.key}` FROM `{parent.table}` FORCE INDEX (uuid) WHERE uuid IN ({some})"
        )
        number.update((uuid.hex(), int(its)) for uuid, its in found)
    return number


async def _number_lines(session: Session, group: _Group, *, fresh: bool) -> None:
    """Put the number of each line of an order at the end of its row; new lines go by name."""
    _, columns, rows = group
    order, name = columns.index("procedure_order_id"), columns.index("procedure_name")
    lines = OrderLines()
    every = [row for _, some in rows for row in some]
    if not fresh:
        await lines.look_up(session, {str(row[0]): int(str(row[order])) for row in every})
    for row in sorted(every, key=lambda row: str(row[name])):
        row.append(lines.number(str(row[0]), int(str(row[order]))))


def _grouped(charted: Sequence[Charted]) -> list[tuple[tuple[Place, tuple[str, ...]], _Rows]]:
    """Gather rows of all subjects by place and columns, in the order of writing."""
    groups: dict[tuple[Place, tuple[str, ...]], _Rows] = {}
    for c in charted:
        for write, rows in c.change.put.items():
            if rows and not write.startswith(PATIENT) and place_of(write) in TARGETS:
                place, columns = place_of(write), c.change.columns[write]
                check_rows(place, columns)
                groups.setdefault((place, columns), []).append((c.pid, rows.values()))
    return sorted(groups.items(), key=lambda item: TARGETS.index(item[0][0]))


def _lines(
    place: Place,
    columns: tuple[str, ...],
    rows: _Rows,
    encounters: Encounters,
    links: _Links,
) -> Iterator[str]:
    """Yield each row with its references resolved, and note which rows belong to encounters."""
    at = columns.index(place.refers) if place.refers in columns else None
    numbers: Mapping[str, int] = encounters.number
    linked = links[place] if place.linked and at is not None else None
    for pid, some in rows:
        for row in some:
            if at is not None:
                row[at] = numbers.get(str(row[at]), place.nowhere)
                if linked is not None and row[at] is not None:
                    linked.append(f"{row[0]}\t{pid}\t{row[at]}")
            if place.numbered:
                yield sql.line([*row, pid, numbers[str(row[0])]])
            elif place.in_order:
                yield sql.line([*row[:-1], pid, row[-1]])
            else:
                yield sql.line([*row, pid])


def _uuid(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConstraintViolated("a reference is no uuid") from None
