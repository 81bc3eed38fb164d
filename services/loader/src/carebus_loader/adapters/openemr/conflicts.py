"""Rows that people changed since we wrote them: they are left alone, and recorded with both versions.

Only rows that a plan would change or take away are looked at, so first loads and unchanged charts cost
nothing. The database sums up hundreds of rows in one number; only where that is another than expected are
rows read. Both versions stay in this database: they are patient data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import NamedTuple

import orjson

from carebus_contracts.plans import ReadPlan
from carebus_loader.adapters.openemr.as_written import clinical, digest, digest_sql, fraction_places, plain
from carebus_loader.adapters.openemr.changes import PATIENT, Change, table_of
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.judging import ALL_TABLES
from carebus_loader.adapters.openemr.matching import MATCHES
from carebus_loader.adapters.openemr.places import place_of
from carebus_loader.adapters.openemr.row_index import UNKNOWN, text_hash, written_hash
from carebus_loader.adapters.openemr.settings import OpenEmrSettings

CONFLICTS = "carebus_conflict"
CONFLICTS_DDL = f"""
CREATE TABLE IF NOT EXISTS {CONFLICTS} (
  source     VARCHAR(63)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  write_name VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'table, and the OMOP table behind it',
  uuid       BINARY(16)   NOT NULL COMMENT 'of the row',
  job_id     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  ours       MEDIUMTEXT   NULL COMMENT 'what the source says by column; NULL is no row',
  theirs     MEDIUMTEXT   NULL COMMENT 'what stood by column; NULL is no row',
  first_seen DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_seen  DATETIME     NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (source, subject, write_name, uuid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='carebus: rows that people changed since it wrote them'
"""

_UUIDS_A_STATEMENT = 500
"""More would make MariaDB turn the list into a table (``in_predicate_conversion_threshold``)."""
_ROWS_A_STATEMENT = 100

Cells = tuple[object, ...]


class Standing(NamedTuple):
    """What the database says of one row."""

    stands: bool
    cells: Cells


class Candidate(NamedTuple):
    """One row that a plan would change or take away."""

    change: Change
    write: str
    uuid: bytes
    row: list[object] | None
    """As the plan has it; None where the plan has it no more."""
    columns: tuple[str, ...]
    """Those that were compared when it was written."""


async def set_aside(session: Session, changes: Sequence[Change], *, record: bool) -> None:
    """Take rows that people changed out of what is to be put and taken away.

    Who is retired is retired with all that people wrote into our rows.

    Args:
        session: Inside a transaction when recording: the rows stay locked until its end.
        changes: Of subjects; those without a history are passed over.
        record: Whether to write down the conflicts; a dry run only counts.
    """
    going = {id(c) for c in changes if any(w.table == ALL_TABLES for w in c.judgement.delivery.plan.writes)}
    if record and going:
        await forget_subjects(session, [c.judgement.delivery.plan for c in changes if id(c) in going])
    candidates = list(_candidates(c for c in changes if id(c) not in going))
    if not candidates:
        return
    doubtful, standing = await _doubtful(session, candidates, lock=record)
    conflicts = [c for c in doubtful if not _settled(c, standing.get((c.write, c.uuid)))]
    for conflict in conflicts:
        _leave_alone(conflict)
    if record:
        await _forget(session, candidates, conflicts)
        await _record(session, conflicts, standing)


def _candidates(changes: Iterable[Change]) -> Iterator[Candidate]:
    for change in changes:
        for write, before in change.before.items():
            put, gone = change.put.get(write, {}), change.gone.get(write, ())
            if not put and not gone:
                continue
            table, references = table_of(write)
            columns = clinical(table, before.columns, references)
            for uuid, row in put.items():
                if uuid in before:
                    yield Candidate(change, write, uuid, row, columns)
            for uuid in gone:
                yield Candidate(change, write, uuid, None, columns)


async def _doubtful(
    session: Session, candidates: Iterable[Candidate], *, lock: bool
) -> tuple[list[Candidate], dict[tuple[str, bytes], Standing]]:
    """Return the candidates that may not be as we left them, and what stands of these."""
    groups: defaultdict[tuple[str, tuple[str, ...]], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.write, candidate.columns].append(candidate)
    doubtful: list[Candidate] = []
    found: dict[tuple[str, bytes], Standing] = {}
    for (write, columns), group in groups.items():
        table, _ = table_of(write)
        stands = "TRUE" if table == PATIENT else place_of(write).stands
        names = "".join(f", t.`{column}`" for column in columns)
        for start in range(0, len(group), _UUIDS_A_STATEMENT):
            some = group[start : start + _UUIDS_A_STATEMENT]
            uuids = ", ".join([f"x'{candidate.uuid.hex()}'" for candidate in some])
            rows = f"FROM `{table}` t FORCE INDEX (uuid) WHERE t.uuid IN ({uuids})"
            rows += " FOR UPDATE" if lock else ""
            summed = f"SUM({stands}), BIT_XOR({digest_sql(table, columns)})"
            if (await session.select(f"SELECT {summed} {rows}"))[0] == (len(some), _expected(some)):
                continue
            doubtful += some
            for uuid, stand, *cells in await session.select(f"SELECT t.uuid, {stands}{names} {rows}"):
                found[write, uuid] = Standing(bool(stand), tuple(cells))
    return doubtful, found


def _expected(candidates: Iterable[Candidate]) -> int:
    """Return what the hashes of rows sum up to when they are as we left them."""
    hashes = (int.from_bytes(written_hash(c.change.before[c.write][c.uuid])) for c in candidates)
    return reduce(xor, hashes, 0)


def _settled(candidate: Candidate, standing: Standing | None) -> bool:
    """Tell whether the row is still ours, or is by now what we would make of it; then it is left out."""
    change, write, uuid = candidate.change, candidate.write, candidate.uuid
    if candidate.row is None and (standing is None or not standing.stands):
        change.gone[write].remove(uuid)
        return True
    if standing is None:
        return False
    table, _ = table_of(write)
    now = digest(uuid, standing.cells, fraction_places(table, candidate.columns))
    written = written_hash(change.before[write][uuid])
    if standing.stands and now == written != UNKNOWN:
        return True
    if candidate.row is None or not standing.stands:
        return False
    same_columns = change.columns[write] == change.before[write].columns
    if same_columns and now == written_hash(change.index[write][uuid]):
        del change.put[write][uuid]
        return True
    return False


def _leave_alone(conflict: Candidate) -> None:
    change, write, uuid = conflict.change, conflict.write, conflict.uuid
    entry = change.before[write][uuid]
    if conflict.row is not None:
        del change.put[write][uuid]
        change.edited[write] += 1
        if change.columns[write] != change.before[write].columns:
            # Written with other columns than the rest is now: it can not be compared again.
            entry = text_hash(entry) + UNKNOWN
    else:
        change.gone[write].remove(uuid)
    index = change.index.get(write)
    if index is None:
        index = change.index[write] = type(change.before[write])(columns=change.before[write].columns)
    index[uuid] = entry
    change.conflicts[write] += 1


async def forget_subjects(session: Session, plans: Iterable[ReadPlan]) -> None:
    """Remove all that was recorded of some subjects."""
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for plan in plans:
        by_source[plan.source].append(plan.subject)
    for source, subjects in by_source.items():
        for table in (CONFLICTS, MATCHES):
            await session.execute(
                f"DELETE FROM {table} WHERE source = %s AND subject IN ({marks(subjects)})",
                (source, *subjects),
            )


async def _forget(session: Session, candidates: Sequence[Candidate], conflicts: Sequence[Candidate]) -> None:
    """Remove the records of rows that agree again."""
    by_source: defaultdict[str, set[str]] = defaultdict(set)
    for candidate in candidates:
        plan = candidate.change.judgement.delivery.plan
        by_source[plan.source].add(plan.subject)
    known: set[tuple[str, str, str, bytes]] = set()
    for source, subjects in by_source.items():
        for subject, write, uuid in await session.select(
            f"SELECT subject, write_name, uuid FROM {CONFLICTS} WHERE source = %s AND subject IN ({marks(subjects)})",
            (source, *sorted(subjects)),
        ):
            known.add((source, subject, write, uuid))
    if not known:
        return
    over = known & set(map(_key, candidates)) - set(map(_key, conflicts))
    for key in sorted(over):
        await session.execute(
            f"DELETE FROM {CONFLICTS} WHERE source = %s AND subject = %s AND write_name = %s AND uuid = %s",
            key,
        )


async def _record(
    session: Session,
    conflicts: Sequence[Candidate],
    standing: Mapping[tuple[str, bytes], Standing],
) -> None:
    rows = [
        (*_key(c), c.change.judgement.delivery.job_id, _ours(c), _theirs(c, standing.get((c.write, c.uuid))))
        for c in conflicts
    ]
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[start : start + _ROWS_A_STATEMENT]
        await session.execute(
            f"INSERT INTO {CONFLICTS} (source, subject, write_name, uuid, job_id, ours, theirs) VALUES "
            f"{', '.join(['(%s, %s, %s, %s, %s, %s, %s)'] * len(some))} "
            "ON DUPLICATE KEY UPDATE job_id = VALUES(job_id), ours = VALUES(ours), theirs = VALUES(theirs)",
            [cell for row in some for cell in row],
        )


def _key(candidate: Candidate) -> tuple[str, str, str, bytes]:
    plan = candidate.change.judgement.delivery.plan
    return plan.source, plan.subject, candidate.write, candidate.uuid


def _ours(candidate: Candidate) -> str | None:
    if candidate.row is None:
        return None
    columns = candidate.change.columns[candidate.write]
    said = dict(zip(columns, candidate.row, strict=True))
    return orjson.dumps({c: said[c] for c in columns if c != "uuid"}).decode()


def _theirs(candidate: Candidate, standing: Standing | None) -> str | None:
    if standing is None:
        return None
    texts = [None if cell is None else plain(cell) for cell in standing.cells]
    return orjson.dumps(dict(zip(candidate.columns, texts, strict=True))).decode()


@dataclass(frozen=True, slots=True)
class Conflict:
    """One recorded conflict, with patient data in it."""

    source: str
    subject: str
    write: str
    uuid: bytes
    job_id: str
    last_seen: str
    ours: Mapping[str, object] | None
    """What the source says; None is no row."""
    theirs: Mapping[str, object] | None
    """What stood; None is no row."""

    @property
    def differing(self) -> dict[str, tuple[object, object]]:
        """Both versions of each column in which they differ; nothing where one of them is no row."""
        if self.ours is None or self.theirs is None:
            return {}
        return {
            column: (self.ours[column], value)
            for column, value in self.theirs.items()
            if column in self.ours and self.ours[column] != value and str(self.ours[column]) != str(value)
        }


async def read_conflicts(
    settings: OpenEmrSettings, *, source: str | None = None, limit: int = 100
) -> list[Conflict]:
    """Read what is recorded, newest first.

    Raises:
        ConfigurationError: Wrong credentials or address, or nothing was prepared there.
        TargetUnavailable: It does not answer.
    """
    session = await Session.open(settings, starting=True)
    try:
        only, arguments = ("WHERE source = %s", (source, limit)) if source else ("", (limit,))
        rows = await session.select(
            f"SELECT source, subject, write_name, uuid, job_id, CAST(last_seen AS CHAR), ours, theirs "
            f"FROM {CONFLICTS} {only} ORDER BY last_seen DESC, source, subject, write_name, uuid LIMIT %s",
            arguments,
        )
    finally:
        session.close()
    return [
        Conflict(
            source=of,
            subject=subject,
            write=write,
            uuid=uuid,
            job_id=job_id,
            last_seen=last_seen,
            ours=orjson.loads(ours) if ours else None,
            theirs=orjson.loads(theirs) if theirs else None,
        )
        for of, subject, write, uuid, job_id, last_seen, ours, theirs in rows
    ]
