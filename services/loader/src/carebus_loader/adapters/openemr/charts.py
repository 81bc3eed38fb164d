"""Charts: patients get their numbers here, some dozens in a statement of their own.

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
from itertools import islice

from carebus_contracts.errors import CareBusError, ConstraintViolated, SchemaFrozen, TargetUnavailable
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.errors import DuplicateKey
from carebus_runtime import metric_names as metrics

LOCK_S = 30
_TRIES = 50
"""Each try that fails means that somebody else registered a patient in between."""
_PATIENTS_A_STATEMENT = 1_000
_PATIENTS_A_TURN = 50
"""Patients who are made under one hold of the lock: a few milliseconds' work of the server."""

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


def lock_name(database: str, purpose: str) -> str:
    """Return the name of a lock; names are server-wide, so the schema is in it."""
    if len(name := f"carebus.{database}.{purpose}") <= 64:  # the most that MySQL takes
        return name
    return f"carebus.{blake2b(database.encode(), digest_size=16).hexdigest()}.{purpose}"


@asynccontextmanager
async def named_lock(session: Session, database: str, purpose: str) -> AsyncIterator[None]:
    """Hold a lock that all our processes at this schema respect. Taken outside of transactions.

    Raises:
        TargetUnavailable: Others hold it for too long.
    """
    name = lock_name(database, purpose)
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
        rows = await session.select(f"SELECT uuid, pid FROM patient_data WHERE uuid IN ({marks(some)})", some)
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
    made: dict[bytes, int] = {}
    tries = 0
    while missing:
        some = {u: row for u, row in islice(missing.items(), _PATIENTS_A_TURN) if row is not None}
        try:
            pids = await _make(session, database, some)
            made |= pids
        except DuplicateKey:
            # Somebody else took the number, or made the patient: look again.
            if (tries := tries + 1) == _TRIES:
                raise TargetUnavailable(
                    "others register patients faster than we can", system="OpenEMR's database"
                ) from None
            pids = await find_charts(session, list(some))
            found |= pids
        missing = {u: row for u, row in missing.items() if u not in pids}
    return Charts({**found, **made}, frozenset(made))


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


async def _make(session: Session, database: str, rows: Mapping[bytes, PatientRow]) -> dict[bytes, int]:
    """Make some patients under the lock of patients' numbers.

    Raises:
        DuplicateKey: A number was taken, or a patient made, by somebody else.
        ConstraintViolated: A row cannot be.
    """
    columns = list(dict.fromkeys(c for row in rows.values() for c in (*row, *_ONCE) if c != "uuid"))
    values = ", ".join(
        f"(%s, @carebus_pid + {n}, {', '.join('%s' if c in row else _ONCE.get(c, 'DEFAULT') for c in columns)})"
        for n, row in enumerate(rows.values())
    )
    # All in one message: while the lock is held nobody waits for this process to get a processor. Who does
    # not get the lock in time goes on without; the unique key decides.
    name = lock_name(database, "pid")
    release = session.ready("DO RELEASE_LOCK(%s); SET @carebus_until = SYSDATE(6)", [name])
    locked = session.ready(
        "SET @carebus_lock = GET_LOCK(%s, %s), @carebus_since = SYSDATE(6)", [name, LOCK_S]
    )
    first = "SET @carebus_pid = (SELECT COALESCE(MAX(pid), 0) + 1 FROM patient_data)"
    insert = session.ready(
        f"INSERT INTO patient_data (uuid, pid, {', '.join(f'`{c}`' for c in columns)}) VALUES {values}",
        [cell for uuid, row in rows.items() for cell in (uuid, *(row[c] for c in columns if c in row))],
    )
    try:
        await session.execute("; ".join((locked, first, insert, release)))
    except CareBusError:
        await session.execute(release)
        raise
    ((number, held_us),) = await session.select(
        "SELECT @carebus_pid, TIMESTAMPDIFF(MICROSECOND, @carebus_since, @carebus_until)"
    )
    metrics.LOCK_SECONDS.labels("pid").observe(held_us / 1_000_000)
    return {uuid: number + n for n, uuid in enumerate(rows)}
