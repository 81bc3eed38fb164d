"""What stands in OpenEMR's schema of each subject, and since which version.

It is written in the transaction of the data, which makes delivery at least once an effect of once. Most persons of
a source that is loaded again are as they were, only at a newer version: that stands in a narrow table of its own,
as a row of the other is kilobytes, which the server would write whole, before and after, into its binary log. A
row of subject ``*`` keeps the floors of a source: versions up to which all of it, or all of one job, was
retired. That row is there before any other of the source, so that writers and retirers meet on its lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from carebus_contracts.plans import ALL_SUBJECTS
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.judging import GONE, NO_FLOORS, Floors, Judgement, Standing
from carebus_loader.adapters.openemr.row_index import RowIndex, pack_index, unpack_index
from carebus_loader.domain.guard import Held, pack, unpack

LEDGER = "carebus_subject"
LEDGER_DDL = f"""
CREATE TABLE IF NOT EXISTS {LEDGER} (
  source       VARCHAR(63)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state        MEDIUMTEXT   CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'hashes by version',
  chart        BINARY(16)   NULL COMMENT 'patient_data.uuid',
  pid          BIGINT       NULL COMMENT 'patient_data.pid when it was last written',
  tombstone    TINYINT      NOT NULL DEFAULT 0 COMMENT 'nothing of it stands',
  last_job     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  row_index    MEDIUMBLOB   NULL COMMENT 'uuid and hash of each row as we wrote it',
  first_seen   DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_changed DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (source, subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='carebus: what it wrote here'
"""
RAISED = "carebus_raised"
RAISED_DDL = f"""
CREATE TABLE IF NOT EXISTS {RAISED} (
  source       VARCHAR(63)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state_digest BINARY(8)    NOT NULL COMMENT 'of the state in {LEDGER} that this is about; any other is newer',
  version      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of all that it holds',
  last_job     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (source, subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='carebus: what was found as it is, since'
"""
LEDGER_COLUMNS = frozenset(
    {"source", "subject", "state", "chart", "pid", "tombstone", "last_job", "row_index"}
)

_STANDING = (
    f"SELECT s.subject, s.state, s.chart, s.last_job, r.state_digest, r.version, r.last_job FROM {LEDGER} s "
    f"LEFT JOIN {RAISED} r ON r.source = s.source AND r.subject = s.subject "
)

SubjectKey = tuple[str, str]
PERSON = "person/"
"""How the subjects begin that are persons; the others are providers and sites."""
_DIGEST = 8
_STATEMENT_BYTES = 4_000_000
"""Servers take packets of 16 MB unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the ledger says of some subjects and of their sources."""

    standing: Mapping[SubjectKey, Standing]
    floors: Mapping[str, Floors]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger is to say of one subject."""

    judgement: Judgement
    chart: bytes | None
    pid: int | None
    index: RowIndex | None
    """None leaves the index as it is."""


async def open_sources(session: Session, sources: Iterable[str]) -> None:
    """Make the row that holds the floors of each source."""
    for source in sorted(sources):
        await session.execute(
            f"INSERT INTO {LEDGER} (source, subject, state) VALUES (%s, %s, '{{}}') "
            "ON DUPLICATE KEY UPDATE source = source",
            (source, ALL_SUBJECTS),
        )


async def read_subjects(session: Session, keys: Iterable[SubjectKey], *, lock: bool = False) -> Read:
    """Read what stands of some subjects.

    Args:
        session: Where; inside a transaction when locking.
        keys: The subjects.
        lock: Whether to lock the rows, in key order; the floors only against being raised.
    """
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for source, subject in sorted(keys):
        by_source[source].append(subject)
    standing: dict[SubjectKey, Standing] = {}
    floors: dict[str, Floors] = {}
    for source, subjects in by_source.items():
        floors[source] = await read_floors(session, source, "LOCK IN SHARE MODE" if lock else "")
        found = await session.select(
            f"{_STANDING} WHERE s.source = %s AND s.subject IN ({marks(subjects)}) "
            f"ORDER BY s.subject {'FOR UPDATE' if lock else ''}",
            (source, *subjects),
        )
        for subject, *cells in found:
            standing[source, subject] = _standing(cells)
    return Read(standing, floors)


async def read_floors(session: Session, source: str, lock: str = "") -> Floors:
    """Read the floors of one source."""
    found = await session.select(
        f"SELECT state FROM {LEDGER} WHERE source = %s AND subject = %s {lock}", (source, ALL_SUBJECTS)
    )
    return Floors(unpack(found[0][0])) if found else NO_FLOORS


async def write_floors(session: Session, source: str, floors: Floors) -> None:
    """Write the floors of one source, whose row is locked."""
    await session.execute(
        f"UPDATE {LEDGER} SET state = %s WHERE source = %s AND subject = %s",
        (pack(floors.held), source, ALL_SUBJECTS),
    )


async def live_subjects(
    session: Session, source: str, of_job: str, *, after: str, limit: int
) -> list[SubjectKey]:
    """Return next subjects of a source, or next persons of one of its jobs, in key order.

    Providers and sites are of no job: what one brought may be in use by the others.
    """
    begin = PERSON if of_job else ""
    return await _live(
        session,
        source,
        lambda s: not of_job or s.last_job == of_job,
        begin=begin,
        after=after,
        limit=limit,
    )


async def vanished_subjects(
    session: Session, source: str, version: Version, *, after: str, limit: int
) -> list[SubjectKey]:
    """Return next persons of a source of whom nothing is as new as a version, in key order."""
    return await _live(
        session, source, lambda s: vanished(s.held, version), begin=PERSON, after=after, limit=limit
    )


async def _live(
    session: Session,
    source: str,
    wanted: Callable[[Standing], bool],
    *,
    begin: str,
    after: str,
    limit: int,
) -> list[SubjectKey]:
    while found := await session.select(
        f"{_STANDING} WHERE s.source = %s AND s.subject LIKE %s AND s.subject > %s AND s.tombstone = 0 "
        "ORDER BY s.subject LIMIT %s",
        (source, f"{begin}%", after, limit),
    ):
        if chosen := [subject for subject, *cells in found if wanted(_standing(cells))]:
            return [(source, subject) for subject in chosen]
        after = found[-1][0]
    return []


def vanished(held: Mapping[str, Held], version: Version) -> bool:
    """Whether nothing of a subject is as new as a version."""
    return all(there.version < version for there in held.values())


async def read_indexes(session: Session, keys: Sequence[SubjectKey]) -> dict[SubjectKey, RowIndex]:
    """Read which rows stand of some subjects."""
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for source, subject in keys:
        by_source[source].append(subject)
    return {
        (source, subject): unpack_index(packed)
        for source, subjects in by_source.items()
        for subject, packed in await session.select(
            f"SELECT subject, row_index FROM {LEDGER} WHERE source = %s AND subject IN ({marks(subjects)})",
            (source, *subjects),
        )
    }


async def write_subjects(session: Session, entries: Iterable[Entry]) -> None:
    """Write ledger rows in key order.

    Raises:
        DuplicateKey: A subject that was unknown has come to be known.
    """
    ordered = sorted(
        entries, key=lambda e: (e.judgement.delivery.plan.source, e.judgement.delivery.plan.subject)
    )
    fresh = [_values(e) for e in ordered if not e.judgement.standing.known]
    changed = [_values(e) for e in ordered if e.judgement.standing.known and e.index is not None]
    raised = {id(e): row for e in ordered if (row := _raised(e)) is not None}
    noted = [
        _values(e)[:-1]
        for e in ordered
        if e.judgement.standing.known and e.index is None and id(e) not in raised
    ]
    await _insert(session, fresh, _COLUMNS, "")
    await _insert(session, changed, _COLUMNS, _updating(_COLUMNS))
    await _insert(session, noted, _COLUMNS[:-1], _updating(_COLUMNS[:-1]))
    await _insert(session, list(raised.values()), _RAISED_COLUMNS, _updating(_RAISED_COLUMNS), table=RAISED)


_COLUMNS = ("source", "subject", "state", "chart", "pid", "tombstone", "last_job", "row_index")
_RAISED_COLUMNS = ("source", "subject", "state_digest", "version", "last_job")


def _standing(cells: Sequence[Any]) -> Standing:
    """Return what a row of ``_STANDING`` says, without the subject."""
    state, chart, last_job, raised_digest, raised_version, raised_job = cells
    digest = blake2b(state.encode(), digest_size=_DIGEST).digest()
    held = unpack(state)
    if raised_version is None or raised_digest != digest:
        return Standing(held, chart, known=True, last_job=last_job, digest=digest)
    version = Version.parse(raised_version)
    held = {table: Held(version, there.hash) for table, there in held.items()}
    return Standing(held, chart, known=True, last_job=raised_job, digest=digest)


def _raised(entry: Entry) -> tuple[object, ...] | None:
    """Return the row that raises all of a subject to one version; None when anything else is new."""
    after, standing = entry.judgement.held, entry.judgement.standing
    versions = {there.version for there in after.values()}
    if (
        not standing.known
        or entry.index is not None
        or entry.chart not in {None, standing.chart}
        or len(versions) != 1
        or {table: there.hash for table, there in after.items()}
        != {table: there.hash for table, there in standing.held.items()}
    ):
        return None
    plan = entry.judgement.delivery.plan
    return plan.source, plan.subject, standing.digest, str(versions.pop()), entry.judgement.last_job


def _values(entry: Entry) -> tuple[object, ...]:
    delivery, held = entry.judgement.delivery, entry.judgement.held
    return (
        delivery.plan.source,
        delivery.plan.subject,
        pack(held).decode(),
        entry.chart,
        entry.pid,
        int(all(there.hash == GONE for there in held.values())),
        entry.judgement.last_job,
        pack_index(entry.index) if entry.index is not None else None,
    )


def _updating(columns: Sequence[str]) -> str:
    parts = [
        # A statement that does not reach the chart leaves on record where it is.
        f"{c} = COALESCE(VALUES({c}), {c})" if c in ("chart", "pid") else f"{c} = VALUES({c})"
        for c in columns[2:]
    ]
    return f"ON DUPLICATE KEY UPDATE {', '.join(parts)}"


async def _insert(
    session: Session,
    rows: Sequence[tuple[object, ...]],
    columns: Sequence[str],
    conflict: str,
    *,
    table: str = LEDGER,
) -> None:
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    for part in _by_bytes(rows):
        await session.execute(
            f"{head}{', '.join(map(_row_sql, part))} {conflict}",
            [cell for row in part for cell in row if not isinstance(cell, bytes)],
        )


def _row_sql(row: tuple[object, ...]) -> str:
    """Return the place of a row; bytes stand there as hex digits, which is quicker than to escape them."""
    cells = [f"x'{cell.hex()}'" if isinstance(cell, bytes) else "%s" for cell in row]
    return f"({', '.join(cells)})"


def _by_bytes(rows: Sequence[tuple[object, ...]]) -> Iterable[list[tuple[object, ...]]]:
    part: list[tuple[object, ...]] = []
    size = 0
    for row in rows:
        size += 100 + sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        part.append(row)
        if size >= _STATEMENT_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
