"""OpenEMR as a target: sets of rows in one transaction a batch, guarded by a ledger beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from carebus_contracts.errors import ConstraintViolated, TargetUnavailable
from carebus_contracts.plans import ALL_SUBJECTS
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import ledger
from carebus_loader.adapters.openemr.changes import DEATH, PATIENT, Change, change_of
from carebus_loader.adapters.openemr.charts import (
    Charts,
    PatientRow,
    open_charts,
    reserve_encounters,
)
from carebus_loader.adapters.openemr.checking import check_schema, open_session
from carebus_loader.adapters.openemr.conflicts import set_aside
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.errors import DuplicateKey, LockConflict
from carebus_loader.adapters.openemr.filing import Filing
from carebus_loader.adapters.openemr.judging import Judgement, Standing, judge
from carebus_loader.adapters.openemr.lab_codes import LabCodes
from carebus_loader.adapters.openemr.matching import settle
from carebus_loader.adapters.openemr.places import ENCOUNTERS, check_columns, is_of
from carebus_loader.adapters.openemr.preparing import prepare
from carebus_loader.adapters.openemr.referring import PROVIDER, Directory
from carebus_loader.adapters.openemr.retiring import retire, would_retire
from carebus_loader.adapters.openemr.rights import grants
from carebus_loader.adapters.openemr.rows import Bent, Charted, clear_staging, put_rows
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.adapters.openemr.shared_rows import SharedRows, read_directory
from carebus_loader.adapters.openemr.vaccine_codes import VaccineCodes
from carebus_loader.ports import Delivery, Written

_TRIES = 6
"""Another writer of the same subjects makes us look again; more than a few times means trouble."""
UNKNOWN = Standing({})


class OpenEmrTarget:
    """Writes plans into OpenEMR's database.

    Delivery at least once has its effect once: data and ledger commit together. Patients get their
    numbers in a short transaction before; a crash between the two leaves an empty chart, which the next
    try finds and fills. Retiring a source is the one thing that takes several transactions; it is done
    again where it stopped.
    """

    name = "openemr"

    def __init__(self, settings: OpenEmrSettings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._pinging: Session | None = None
        self._turn = asyncio.Lock()
        self._sources: set[str] = set()
        self._vaccines = VaccineCodes()
        self._tests = LabCodes()
        self._filing = Filing(settings)

    async def start(self) -> None:
        """Connect, and check that tables and ledger are the ones that we know.

        Raises:
            ConfigurationError: Wrong credentials or address, schema not prepared.
            SchemaFrozen: The tables are not the ones that we know.
            TargetUnavailable: It does not answer.
        """
        session = await Session.open(self._settings, starting=True)
        try:
            await check_schema(session, self._settings)
            await self._filing.start(session)
        finally:
            session.close()
        self._session = await open_session(self._settings, starting=True)

    async def stop(self) -> None:
        """Close all connections."""
        self._drop()
        self._filing.stop()
        if self._pinging is not None:
            self._pinging.close()
            self._pinging = None

    async def ping(self) -> None:
        """Answer quickly whether database and folder do; on a connection that writing does not occupy.

        Raises:
            TargetUnavailable: It does not.
        """
        try:
            if self._pinging is None:
                self._pinging = await Session.open(self._settings)
            await self._pinging.select("SELECT 1")
            await self._filing.ping()
        except BaseException:
            if self._pinging is not None:
                self._pinging.close()
            self._pinging = None
            raise

    def grants(self, user: str) -> list[str]:
        """Return the statements that give a user (``name`` or ``name@host``) the rights of a loader."""
        return grants(self._settings.database, user, documents=self._settings.sites_folder is not None)

    async def prepare(self) -> list[str]:
        """Make the ledger and what rows refer to; see ``preparing.prepare``."""
        return await prepare(self._settings)

    async def write(self, batch: Sequence[Delivery]) -> list[Written]:
        """Write a batch in one transaction, ledger included.

        Raises:
            RecordError: A record in here is refused for good; the caller finds it by halving.
            TransientError: Try the same batch again later.
            FatalError: Stop.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._settings.write_timeout_s):
                    return await self._filing.passing(batch, self._write)
            except TimeoutError:
                self._drop()
                raise TargetUnavailable(
                    f"{self._settings.system} took longer than {self._settings.write_timeout_s:g} s",
                    system=self._settings.system,
                ) from None
            except (ConstraintViolated, LockConflict):
                raise
            except BaseException:
                # Cancelled or broken in the middle of an answer: nothing that comes now could be trusted.
                self._drop()
                raise

    async def vanished(self, source: str, version: Version) -> list[int]:
        """Return the persons of whom nothing is as new as a version."""
        async with self._turn:
            session, found, after = await self._open(), list[int](), ALL_SUBJECTS
            while keys := await ledger.vanished_subjects(session, source, version, after=after, limit=1000):
                found += (int(subject.partition("/")[2]) for _, subject in keys)
                after = keys[-1][1]
            return sorted(found)

    async def _write(self, batch: Sequence[Delivery]) -> list[Written]:
        session = await self._open()
        written: dict[int, Written] = {}
        for at, delivery in enumerate(batch):
            if delivery.plan.retires:
                written[at] = (
                    await would_retire(session, delivery)
                    if delivery.dry_run
                    else await retire(session, delivery, self._filing)
                )
        plans = [(at, d) for at, d in enumerate(batch) if at not in written]
        dry = [(at, d) for at, d in plans if d.dry_run]
        wet = [(at, d) for at, d in plans if not d.dry_run]
        if dry:
            found = await self._compare(session, [d for _, d in dry])
            written.update(zip((at for at, _ in dry), found, strict=True))
        if wet:
            found = await self._apply(session, [d for _, d in wet])
            written.update(zip((at for at, _ in wet), found, strict=True))
        return [written[at] for at in range(len(batch))]

    async def _compare(self, session: Session, batch: Sequence[Delivery]) -> list[Written]:
        """Say what would become of a batch, by reading only."""
        refused = await settle(session, self._settings, batch, record=False)
        judged = _judged(batch, await ledger.read_subjects(session, map(_key, batch)))
        directory = await read_directory(session, batch)
        changes = await _changes(session, judged, directory, record=False)
        return [refused.get(id(c.judgement.delivery)) or c.written for c in changes]

    async def _apply(self, session: Session, batch: Sequence[Delivery]) -> list[Written]:
        await self._know_sources(session, batch)
        refused = await settle(session, self._settings, batch, record=True)
        rest = [d for d in batch if id(d) not in refused]
        written = iter(await self._insist(session, rest) if rest else [])
        return [refused.get(id(d)) or next(written) for d in batch]

    async def _insist(self, session: Session, batch: Sequence[Delivery]) -> list[Written]:
        direct, shared = True, SharedRows()
        for attempt in range(_TRIES):
            try:
                written = await self._attempt(session, batch, shared, direct=direct)
                return [shared.told(d, w) for d, w in zip(batch, written, strict=True)]
            except Bent:
                await session.rollback()
                direct = False
            except (DuplicateKey, LockConflict):
                # Another writer has these subjects in hand; what it wrote decides what is left to do.
                await session.rollback()
                if attempt == _TRIES - 1:
                    raise
            except ConstraintViolated:
                await session.rollback()
                raise
        raise TargetUnavailable("other writers keep changing the same charts", system=self._settings.system)

    async def _attempt(
        self, session: Session, batch: Sequence[Delivery], shared: SharedRows, *, direct: bool
    ) -> list[Written]:
        before = await ledger.read_subjects(session, map(_key, batch))
        judged = _judged(batch, before)
        bearers = [j.delivery for j in judged if j.result is not Result.STALE]
        await shared.put(session, self._settings.database, bearers)
        if not any(j.noted for j in judged):
            await self._filing.clean(session, judged)
            return [Change(j, {}).written for j in judged]
        directory = await read_directory(session, bearers)
        charts = await self._charts(session, judged, directory)
        block = await reserve_encounters(session, sum(map(_encounters, judged)))
        numbers = await self._filing.reserve(session, judged)
        await self._vaccines.know(session, self._settings.database, judged)
        await self._tests.know(session, self._settings.database, judged)
        if not direct or any(j.standing.known and j.rewritten for j in judged) or _found(charts):
            await clear_staging(session)
        await session.begin()
        locked = await ledger.read_subjects(session, map(_key, batch), lock=True)
        if locked != before:
            raise LockConflict("the ledger changed", system=self._settings.system)
        changes = await _changes(session, judged, directory, record=True)
        charted = [_charted(change, charts) for change in changes]
        await ledger.write_subjects(
            session,
            (_entry(c, where) for c, where in zip(changes, charted, strict=True) if c.judgement.noted),
        )
        await put_rows(session, [c for c in charted if c is not None], block, direct=direct)
        replaced = await self._filing.put(session, judged, charted, numbers)
        await session.commit()
        await self._filing.clean(session, judged, replaced)
        return [change.written for change in changes]

    async def _charts(self, session: Session, judged: Sequence[Judgement], directory: Directory) -> Charts:
        patients: dict[bytes, PatientRow | None] = {}
        for judgement in judged:
            if any(write.count for write in judgement.writes):
                uuid, row = _patient(judgement)
                if uuid is not None:
                    patients[uuid] = row and _resolved(row, directory)
                else:
                    raise ConstraintViolated(
                        "rows of a person who is not in OpenEMR: load PERSON first, or with them"
                    )
        return await open_charts(session, self._settings.database, patients)

    async def _know_sources(self, session: Session, batch: Sequence[Delivery]) -> None:
        fresh = {d.plan.source for d in batch} - self._sources
        if fresh:
            await ledger.open_sources(session, fresh)
            self._sources |= fresh

    async def _open(self) -> Session:
        if self._session is None:
            self._session = await open_session(self._settings)
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def _key(delivery: Delivery) -> ledger.SubjectKey:
    return delivery.plan.source, delivery.plan.subject


def _judged(batch: Sequence[Delivery], read: ledger.Read) -> list[Judgement]:
    return [judge(d, read.standing.get(_key(d), UNKNOWN), read.floors[d.plan.source]) for d in batch]


async def _changes(
    session: Session, judged: Sequence[Judgement], directory: Directory, *, record: bool
) -> list[Change]:
    known = [_key(j.delivery) for j in judged if j.standing.known and j.rewritten]
    indexes = await ledger.read_indexes(session, known) if known else {}
    changes = [change_of(j, indexes.get(_key(j.delivery), {}), directory) for j in judged]
    for change in changes:
        if _is_matched(change.judgement):
            change.leave_patient()
    await set_aside(session, changes, record=record)
    return changes


def _is_matched(judgement: Judgement) -> bool:
    """Return whether the person is a patient whom OpenEMR had before."""
    chart = judgement.standing.chart
    return chart is not None and chart != _stated_patient(judgement)[0]


def _patient(judgement: Judgement) -> tuple[bytes | None, PatientRow | None]:
    """Return uuid and row of the patient: as the plan says, unless it is one whom OpenEMR had before."""
    if _is_matched(judgement):
        return judgement.standing.chart, None
    return _stated_patient(judgement)


def _stated_patient(judgement: Judgement) -> tuple[bytes | None, PatientRow | None]:
    """Return uuid and row of the patient, as the plan says them or as the ledger remembers."""
    row: dict[str, object] = {}
    for write in judgement.delivery.plan.writes:
        if write.table in {PATIENT, DEATH} and write.count:
            check_columns(PATIENT, write.columns, (PROVIDER,))
            (cells, *_) = write.records()
            if write.table == PATIENT or row:
                row |= zip(write.columns, cells, strict=True)
    if not row:
        return judgement.standing.chart, None
    try:
        return bytes.fromhex(str(row["uuid"])), row
    except ValueError:
        raise ConstraintViolated("patient_data: a row does not begin with a uuid") from None


def _resolved(row: PatientRow, directory: Directory) -> PatientRow:
    columns, resolved = directory.resolve(PATIENT, tuple(row))
    return dict(zip(columns, resolved(list(row.values())), strict=True))


def _encounters(judgement: Judgement) -> int:
    return sum(write.count for write in judgement.writes if is_of(write.table, ENCOUNTERS))


def _found(charts: Charts) -> bool:
    return len(charts.pids) > len(charts.made)


def _charted(change: Change, charts: Charts) -> Charted | None:
    uuid, _ = _patient(change.judgement)
    pid = charts.pids.get(uuid) if uuid is not None else None
    if not change.judgement.rewritten:
        return None
    return Charted(change, pid or 0, made=uuid in charts.made and not change.judgement.standing.known)


def _entry(change: Change, charted: Charted | None) -> ledger.Entry:
    uuid, _ = _patient(change.judgement)
    return ledger.Entry(
        change.judgement,
        uuid,
        charted.pid or None if charted else None,
        change.index if change.judgement.rewritten else None,
    )
