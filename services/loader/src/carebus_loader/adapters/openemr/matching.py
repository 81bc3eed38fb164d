"""Patients whom OpenEMR has already: finding them by the number that people know, or asking a person.

A matched patient's chart gets our rows; the patient row itself stays as it is. What was decided stands in
``carebus_match``: no patient data leaves the database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from carebus_contracts.plans import ALL_SUBJECTS
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import derived_sql as derived
from carebus_loader.adapters.openemr.changes import PATIENT
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.errors import DuplicateKey
from carebus_loader.adapters.openemr.ledger import LEDGER, SubjectKey
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.ports import Delivery, Written

MATCHES = "carebus_match"
MATCHES_DDL = f"""
CREATE TABLE IF NOT EXISTS {MATCHES} (
  source      VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  candidates  TEXT        NOT NULL COMMENT 'pid and why of each patient that it may be',
  decided     VARCHAR(8)  CHARACTER SET ascii NULL COMMENT 'rule, person or new; NULL is open',
  decided_pid BIGINT      NULL COMMENT 'patient_data.pid; NULL with new',
  first_seen  DATETIME    NOT NULL DEFAULT CURRENT_TIMESTAMP,
  changed     DATETIME    NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (source, subject),
  UNIQUE KEY decided_pid (decided_pid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='carebus: which patients of OpenEMR persons are'
"""
UNDECIDED = "match_undecided"
"""Reason of the receipt: a person must say who it is, see `carebus matches list`."""
BY_NUMBER, BY_BIRTH, TAKEN = "pubpid", "birth and sex", "pubpid, but another person is this patient"
_ADOPTED_ROW = 3
"""Last digit of the uuid that a matched patient gets who has none."""


class Patient(NamedTuple):
    """A patient of OpenEMR who is not ours."""

    pid: int
    pubpid: str
    born: str
    sex: str


@dataclass(slots=True)
class Case:
    """One person whom we do not know, and who it may be."""

    delivery: Delivery
    number: str
    born: str
    sex: str
    uuid: str
    candidates: dict[int, str] = field(default_factory=dict)
    """Why, by pid."""

    @property
    def key(self) -> SubjectKey:
        """Source and subject."""
        return self.delivery.plan.source, self.delivery.plan.subject


async def settle(
    session: Session, settings: OpenEmrSettings, batch: Sequence[Delivery], *, record: bool
) -> dict[int, Written]:
    """Find out which persons are patients that OpenEMR has; outside of a transaction.

    Args:
        session: Where.
        settings: The site's policy.
        batch: Plans.
        record: Whether to write down what was found; a dry run only tells.

    Returns:
        Refusals by ``id`` of the delivery: persons about whom somebody must decide first.
    """
    if settings.match == "never":
        return {}
    cases = await _cases(session, batch, numberless=settings.match == "ask")
    decided = await _decisions(session, [case.key for case in cases])
    open_cases = [case for case in cases if case.key not in decided]
    await _find_candidates(session, open_cases, by_birth=settings.match == "ask")
    claims = Counter(pid for case in open_cases for pid in case.candidates)
    refused: dict[int, Written] = {}
    adopted = [(case, pid) for case in cases if (pid := decided.get(case.key)) is not None]
    for case in open_cases:
        if not case.candidates:
            continue
        if record:
            await _record(session, case)
        only = next(iter(case.candidates))
        sure = (
            settings.match == "pubpid" and list(case.candidates.values()) == [BY_NUMBER] and claims[only] == 1
        )
        if sure and (not record or await _claim(session, case.key, "rule", only)):
            adopted.append((case, only))
        else:
            refused[id(case.delivery)] = Written(Result.REFUSED, reason=UNDECIDED)
    for case, pid in adopted if record else ():
        if not await _adopt(session, case, pid):
            refused[id(case.delivery)] = Written(Result.REFUSED, reason=UNDECIDED)
    return refused


async def _cases(session: Session, batch: Sequence[Delivery], *, numberless: bool) -> list[Case]:
    """Return the persons who are not in the ledger, with a patient row and, unless it is of no account, a number."""
    cases: dict[SubjectKey, Case] = {}
    for delivery in batch:
        rows = [w for w in delivery.plan.writes if w.table == PATIENT and w.count]
        if rows and (delivery.plan.match or numberless):
            row = dict(zip(rows[0].columns, rows[0].records()[0], strict=True))
            case = Case(
                delivery,
                delivery.plan.match,
                str(row.get("DOB") or ""),
                str(row.get("sex") or ""),
                str(row["uuid"]),
            )
            cases[case.key] = case
    for source, subjects in _by_source(cases).items():
        for (subject,) in await session.select(
            f"SELECT subject FROM {LEDGER} WHERE source = %s AND subject IN ({marks(subjects)})",
            (source, *subjects),
        ):
            cases.pop((source, subject), None)
    return list(cases.values())


async def _decisions(session: Session, keys: Iterable[SubjectKey]) -> dict[SubjectKey, int | None]:
    """Return the patient of each person who was decided about; None is a new one."""
    decided: dict[SubjectKey, int | None] = {}
    for source, subjects in _by_source(keys).items():
        for subject, pid in await session.select(
            f"SELECT subject, decided_pid FROM {MATCHES} WHERE source = %s AND decided IS NOT NULL "
            f"AND subject IN ({marks(subjects)})",
            (source, *subjects),
        ):
            decided[source, subject] = pid
    return decided


async def _find_candidates(session: Session, cases: Sequence[Case], *, by_birth: bool) -> None:
    """Fill in who each may be: the same number, or also the same birth date and sex."""
    if not cases:
        return
    numbers = sorted({case.number for case in cases})
    # Persons without a number are not all patients without one: the empty text is looked for and never equal.
    where, arguments = f"pubpid IN ({marks(numbers)})", list(numbers)
    if by_birth and (births := sorted({case.born for case in cases if case.born})):
        where, arguments = f"{where} OR DOB IN ({marks(births)})", [*arguments, *births]
    found = [
        Patient(pid, pubpid or "", str(born or ""), sex or "")
        for pid, pubpid, born, sex in await session.select(
            f"SELECT pid, pubpid, DOB, sex FROM patient_data WHERE {where}", arguments
        )
    ]
    ours, taken = await _ours(session, found), await _taken(session, [patient.pid for patient in found])
    for case in cases:
        for patient in found:
            if patient.pid in ours:
                continue
            if case.number and patient.pubpid == case.number:
                case.candidates[patient.pid] = TAKEN if patient.pid in taken else BY_NUMBER
            elif (
                by_birth and (patient.born, patient.sex) == (case.born, case.sex) and patient.pid not in taken
            ):
                case.candidates[patient.pid] = BY_BIRTH


async def _ours(session: Session, patients: Sequence[Patient]) -> set[int]:
    """Return those whom we made: their number is a source that the ledger knows, and one of its persons.

    Not only persons whom the ledger knows: a chart is made before it is filled. It may be of this very person
    (the first try was refused for the sake of a neighbour, or died), or of one whom another loader has in hand.
    """
    labels: defaultdict[str, list[int]] = defaultdict(list)
    for patient in patients:
        source, colon, person = patient.pubpid.rpartition(":")
        if colon and person.lstrip("-").isdecimal():
            labels[source].append(patient.pid)
    if not labels:
        return set()
    known = await session.select(
        f"SELECT source FROM {LEDGER} WHERE subject = %s AND source IN ({marks(list(labels))})",
        (ALL_SUBJECTS, *labels),
    )
    return {pid for (source,) in known for pid in labels[source]}


async def _taken(session: Session, pids: Sequence[int]) -> set[int]:
    """Return the patients who were matched to somebody already."""
    if not pids:
        return set()
    found = await session.select(
        f"SELECT decided_pid FROM {MATCHES} WHERE decided_pid IN ({marks(pids)})", list(pids)
    )
    return {pid for (pid,) in found}


async def _adopt(session: Session, case: Case, pid: int) -> bool:
    """Note that the person is this patient, who gets a uuid and mappings where they lack.

    Returns:
        Whether the patient is still there; else the decision is open again.
    """
    await session.begin()
    try:
        uuid = derived.part("%s", _ADOPTED_ROW)
        lacked = await session.execute(
            f"UPDATE patient_data SET uuid = {uuid} WHERE pid = %s AND (uuid IS NULL OR uuid IN ('', %s))",
            (bytes.fromhex(case.uuid), pid, bytes(16)),
        )
        # One that has a uuid is OpenEMR's to map: ours would be made from it, and might be it.
        for statement in derived.after_patients([pid]) if lacked else ():
            await session.execute(statement)
        there = await session.select("SELECT 1 FROM patient_data WHERE pid = %s", (pid,))
        if there:
            await session.execute(
                f"INSERT INTO {LEDGER} (source, subject, state, chart, pid) "
                "SELECT %s, %s, '{}', uuid, pid FROM patient_data WHERE pid = %s "
                "ON DUPLICATE KEY UPDATE source = VALUES(source)",
                (*case.key, pid),
            )
        else:
            await session.execute(
                f"UPDATE {MATCHES} SET decided = NULL, decided_pid = NULL WHERE source = %s AND subject = %s",
                case.key,
            )
    except BaseException:
        await session.rollback()
        raise
    await session.commit()
    return bool(there)


async def _record(session: Session, case: Case) -> None:
    candidates = orjson.dumps([{"pid": pid, "why": why} for pid, why in case.candidates.items()]).decode()
    await session.execute(
        f"INSERT INTO {MATCHES} (source, subject, candidates) VALUES (%s, %s, %s) "
        "ON DUPLICATE KEY UPDATE candidates = VALUES(candidates)",
        (*case.key, candidates),
    )


async def _claim(session: Session, key: SubjectKey, how: str, pid: int | None) -> bool:
    """Write down who a person is; False when the patient is somebody already, or it was decided meanwhile."""
    try:
        done = await session.execute(
            f"UPDATE {MATCHES} SET decided = %s, decided_pid = %s "
            "WHERE source = %s AND subject = %s AND (decided IS NULL OR decided <> 'rule')",
            (how, pid, *key),
        )
    except DuplicateKey:
        return False
    return bool(done)


def _by_source(keys: Iterable[SubjectKey]) -> Mapping[str, list[str]]:
    by_source: defaultdict[str, list[str]] = defaultdict(list)
    for source, subject in sorted(keys):
        by_source[source].append(subject)
    return by_source


@dataclass(frozen=True, slots=True)
class OpenMatch:
    """One person about whom somebody must decide, or has decided."""

    source: str
    subject: str
    candidates: Sequence[Mapping[str, object]]
    decided: str | None
    decided_pid: int | None


async def read_matches(settings: OpenEmrSettings, *, source: str | None, everything: bool) -> list[OpenMatch]:
    """Read who is to be decided about; with ``everything`` also who was."""
    session = await Session.open(settings, starting=True)
    try:
        where = " AND ".join(
            (*(["source = %s"] if source else []), *([] if everything else ["decided IS NULL"]))
        )
        rows = await session.select(
            f"SELECT source, subject, candidates, decided, decided_pid FROM {MATCHES} "
            f"WHERE {where or 'TRUE'} ORDER BY source, subject",
            [source] if source else [],
        )
    finally:
        session.close()
    return [OpenMatch(of, subject, orjson.loads(who), how, pid) for of, subject, who, how, pid in rows]


async def decide(settings: OpenEmrSettings, key: SubjectKey, pid: int | None) -> str:
    """Write down who a person is; None is a new patient.

    Returns:
        What is wrong with that, in a sentence; empty when it is done.
    """
    session = await Session.open(settings, starting=True)
    try:
        if not await session.select(f"SELECT 1 FROM {MATCHES} WHERE source = %s AND subject = %s", key):
            return f"{key[0]} {key[1]} is nobody about whom to decide; see `carebus matches list --all`"
        if await session.select(f"SELECT 1 FROM {LEDGER} WHERE source = %s AND subject = %s", key):
            return f"{key[0]} {key[1]} is in OpenEMR already; two charts are merged in OpenEMR itself"
        if pid is not None:
            found = await session.select("SELECT pid, pubpid FROM patient_data WHERE pid = %s", (pid,))
            if not found:
                return f"OpenEMR has no patient with pid {pid}"
            if await _ours(session, [Patient(pid, found[0][1] or "", "", "")]):
                return f"the patient with pid {pid} is a chart that carebus made for another person"
        if not await _claim(session, key, "new" if pid is None else "person", pid):
            return f"the patient with pid {pid} is another person already"
    finally:
        session.close()
    return ""
