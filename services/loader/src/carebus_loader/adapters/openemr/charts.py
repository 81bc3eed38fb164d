"""Charts: patients get their numbers here, in a short transaction of their own.

OpenEMR numbers patients by MAX(pid)+1 without a lock. We take a lock among ourselves, and let the unique
key decide against everybody else. A crash afterwards leaves an empty chart, which the next try finds by
its uuid and fills.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b

from carebus_contracts.errors import ConstraintViolated, SchemaFrozen, TargetUnavailable
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.errors import DuplicateKey
from carebus_runtime import metric_names as metrics

LOCK_S = 30
_TRIES = 50
"""Each try that fails means that somebody else registered a patient in between."""
_PATIENTS_A_STATEMENT = 1_000

PatientRow = Mapping[str, object]
"""Columns of patient_data by name, ``uuid`` in hex."""

_PROVIDER = "NULLIF(@carebus_provider, 0)"
_ONCE = {
    "date": "NOW()",
    "regdate": "NOW()",
    "hipaa_allowsms": "'NO'",
    "hipaa_allowemail": "'NO'",
    "financial": "'1'",
    "pricelevel": "'standard'",
    "providerID": _PROVIDER,
    "created_by": _PROVIDER,
    "updated_by": _PROVIDER,
}
"""SQL by column that a plan does not name: set when a patient is made and then left to OpenEMR."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Where patients are."""

    pids: Mapping[bytes, int]
    made: frozenset[bytes]
    """uuids of those that did not exist before."""


@asynccontextmanager
async def named_lock(session: Session, database: str, purpose: str) -> AsyncIterator[None]:
    """Hold a lock that all our processes at this schema respect. Taken outside of transactions.

    Raises:
        TargetUnavailable: Others hold it for too long.
    """
    name = f"carebus.{database}.{purpose}"
    if len(name) > 64:  # the most that MySQL takes; names are server-wide, so the schema must be in it
        name = f"carebus.{blake2b(database.encode(), digest_size=16).hexdigest()}.{purpose}"
    if (await session.select("SELECT GET_LOCK(%s, %s)", (name, LOCK_S)))[0][0] != 1:
        raise TargetUnavailable(
            f"the lock {name} was not free within {LOCK_S} s", system="OpenEMR's database"
        )
    began = time.monotonic()
    try:
        yield
    finally:
        await session.execute("DO RELEASE_LOCK(%s)", (name,))
        metrics.LOCK_SECONDS.labels(purpose).observe(time.monotonic() - began)


async def find_charts(session: Session, uuids: Sequence[bytes]) -> dict[bytes, int]:
    """Return the pids of patients that are there."""
    found: dict[bytes, int] = {}
    for start in range(0, len(uuids), _PATIENTS_A_STATEMENT):
        some = uuids[start : start + _PATIENTS_A_STATEMENT]
        rows = await session.select(
            f"SELECT uuid, pid FROM patient_data WHERE uuid IN ({', '.join(['%s'] * len(some))})", some
        )
        found.update((uuid, pid) for uuid, pid in rows)
    return found


async def open_charts(session: Session, database: str, patients: Mapping[bytes, PatientRow | None]) -> Charts:
    """Return the pid of each patient, making those that are not there.

    Args:
        session: Outside of a transaction.
        database: The schema, for the lock's name.
        patients: Rows by uuid; None where the plan does not say who it is.

    Raises:
        ConstraintViolated: A patient is not there, and the plan does not say who it is.
    """
    found = await find_charts(session, list(patients))
    missing = {uuid: row for uuid, row in patients.items() if uuid not in found}
    if not missing:
        return Charts(found, frozenset())
    if any(row is None for row in missing.values()):
        raise ConstraintViolated("the patient is not in OpenEMR, and the plan does not say who it is")
    async with named_lock(session, database, "pid"):
        for _ in range(_TRIES):
            await session.begin()
            try:
                made = await _make(session, {u: row for u, row in missing.items() if row is not None})
            except DuplicateKey:
                # Somebody else took the number, or made the patient: look again.
                await session.rollback()
                found |= await find_charts(session, list(missing))
                missing = {u: row for u, row in missing.items() if u not in found}
                continue
            except BaseException:
                await session.rollback()
                raise
            await session.commit()
            return Charts({**found, **made}, frozenset(made))
    raise TargetUnavailable("others register patients faster than we can", system="OpenEMR's database")


async def reserve_encounters(session: Session, count: int) -> range:
    """Take a block of numbers from the counter that encounters and documents share.

    In a transaction of its own, as its row would make all writers wait; a gap is harmless.
    """
    if not count:
        return range(0)
    last = await session.insert_id("UPDATE sequences SET id = LAST_INSERT_ID(id + %s)", (count,))
    if not last:
        raise SchemaFrozen("OpenEMR's table sequences has no row; it ships with one")
    return range(last - count + 1, last + 1)


async def _make(session: Session, rows: Mapping[bytes, PatientRow]) -> dict[bytes, int]:
    if not rows:
        return {}
    first = int((await session.select("SELECT COALESCE(MAX(pid), 0) + 1 FROM patient_data"))[0][0])
    pids = {uuid: first + n for n, uuid in enumerate(rows)}
    by_columns: dict[tuple[str, ...], list[bytes]] = {}
    for uuid in pids:
        by_columns.setdefault(tuple(c for c in rows[uuid] if c != "uuid"), []).append(uuid)
    for columns, uuids in by_columns.items():
        once = {c: sql for c, sql in _ONCE.items() if c not in columns}
        names = ", ".join(f"`{c}`" for c in ("uuid", "pid", *columns, *once))
        one = f"({', '.join([*['%s'] * (len(columns) + 2), *once.values()])})"
        for start in range(0, len(uuids), _PATIENTS_A_STATEMENT):
            some = uuids[start : start + _PATIENTS_A_STATEMENT]
            await session.execute(
                f"INSERT INTO patient_data ({names}) VALUES {', '.join([one] * len(some))}",
                [cell for u in some for cell in (u, pids[u], *(rows[u][c] for c in columns))],
            )
    return pids
