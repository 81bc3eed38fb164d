"""Patients whom OpenEMR has already: matched by their number, or decided about by a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
import pytest
from click.testing import CliRunner

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.adapters.openemr.matching import UNDECIDED
from carebus_loader.matches_command import matches
from carebus_loader.ports import Delivery
from support.target_suite import put

from .hand_made import a_plan

Read = Callable[..., list[tuple[Any, ...]]]
_DAYS = count()


@pytest.fixture
def source() -> str:
    return f"s{uuid4().hex[:12]}"


@pytest.fixture
def number() -> str:
    """A number of a patient that nobody else has."""
    return f"MRN-{uuid4().hex[:8]}"


@pytest.fixture
def born() -> str:
    """A birth date that nobody in the shared schema has."""
    return str(date(1901, 1, 1) + timedelta(days=next(_DAYS)))


async def a_target(settings: OpenEmrSettings, match: str) -> OpenEmrTarget:
    target = OpenEmrTarget(settings.model_copy(update={"match": match}))
    await target.start()
    return target


@pytest.fixture
async def by_number(openemr: OpenEmrSettings) -> AsyncIterator[OpenEmrTarget]:
    target = await a_target(openemr, "pubpid")
    yield target
    await target.stop()


@pytest.fixture
async def asking(openemr: OpenEmrSettings) -> AsyncIterator[OpenEmrTarget]:
    target = await a_target(openemr, "ask")
    yield target
    await target.stop()


def known_as(number: str, plan: ReadPlan) -> ReadPlan:
    """The plan of a person with a number."""
    return ReadPlan(
        target=plan.target, source=plan.source, subject=plan.subject, writes=plan.writes, match=number
    )


def of_birth(plan: ReadPlan, born: str) -> ReadPlan:
    """The plan of a person who was born at another date."""
    writes = [
        encode_write(w.table, w.columns, [line.replace(b"1958-04-23", born.encode()) for line in w.lines()])
        for w in plan.writes
    ]
    return read_plan(encode_plan(target="openemr", source=plan.source, subject=plan.subject, writes=writes))


def registered(read: Read, number: str, *, born: str = "1970-01-01", uuid: bytes | None = None) -> int:
    """Register a patient as OpenEMR's staff do; return the pid."""
    read(
        "INSERT INTO patient_data (pid, uuid, pubpid, fname, lname, DOB, sex) "
        "SELECT COALESCE(MAX(pid), 0) + 1, %s, %s, 'by', 'hand', %s, 'Female' FROM patient_data",
        uuid,
        number,
        born,
    )
    return int(read("SELECT MAX(pid) FROM patient_data WHERE pubpid = %s", number)[0][0])


def patients(read: Read, source: str) -> int:
    return int(read("SELECT COUNT(*) FROM patient_data WHERE pubpid LIKE %s", f"{source}:%")[0][0])


def problems(read: Read, pid: int) -> list[str]:
    return [t for (t,) in read("SELECT title FROM lists WHERE pid = %s AND activity = 1 ORDER BY title", pid)]


@pytest.mark.parametrize("uuid", [None, b"\x00" * 16, b"a" * 15 + b"\x11"])
async def test_one_patient_of_that_number_is_the_person(
    by_number: OpenEmrTarget, read: Read, source: str, number: str, uuid: bytes | None
) -> None:
    """Our rows come into the chart; who the patient is stays as staff wrote it; a uuid is made if it lacks."""
    own = uuid and uuid.strip(b"\0") and uuid[:12] + uuid4().bytes[:4]
    pid = registered(read, number, uuid=own or uuid)

    written = await put(by_number, known_as(number, a_plan(source, 1, problems={1: "Asthma"})))
    again = await put(by_number, known_as(number, a_plan(source, 1, problems={1: "Asthma", 2: "Gout"})), v=2)

    assert (written.result, again.result) == (Result.APPLIED, Result.APPLIED)
    assert problems(read, pid) == ["Asthma", "Gout"]
    assert patients(read, source) == 0
    ((fname, born, now),) = read("SELECT fname, DOB, uuid FROM patient_data WHERE pid = %s", pid)
    assert (fname, str(born)) == ("by", "1970-01-01")
    assert now == own if own else len(now) == 16
    if not own:
        assert read("SELECT table_name FROM uuid_registry WHERE uuid = %s", now) == [("patient_data",)]
    assert written.conflicts == {"patient_data": 1}


async def test_nobody_is_matched_unless_the_site_says_so(
    target: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """The default makes a chart of its own."""
    pid = registered(read, number)

    await put(target, known_as(number, a_plan(source, 1, problems={1: "Asthma"})))

    assert problems(read, pid) == []
    assert patients(read, source) == 1


async def test_a_number_that_nobody_has_is_a_new_patient(
    by_number: OpenEmrTarget, asking: OpenEmrTarget, read: Read, source: str, born: str
) -> None:
    """Under both policies."""
    first = known_as(f"MRN-{source}", a_plan(source, 1, problems={1: "Asthma"}))
    other = of_birth(a_plan(source, 2, problems={1: "Asthma"}), born)

    assert (await put(by_number, first)).result is Result.APPLIED
    assert (await put(asking, other)).result is Result.APPLIED
    assert patients(read, source) == 2


async def test_an_empty_chart_of_ours_is_nobody_to_ask_about(
    asking: OpenEmrTarget, read: Read, source: str, born: str
) -> None:
    """Charts are made before they are filled: a neighbour's bad row, or a crash, leaves them to the next try."""
    plans = [of_birth(a_plan(source, n, problems={1: "Asthma"}), born) for n in (1, 2)]
    bad = of_birth(a_plan(source, 3, problems={1: "Asthma"}, problem={"begdate": "no date"}), born)
    with pytest.raises(ConstraintViolated):
        await asking.write([Delivery(plan, Version(1), "job") for plan in (*plans, bad)])
    empty = patients(read, source)

    again = await asking.write([Delivery(plan, Version(1), "job") for plan in plans])
    of_another_source = await put(asking, of_birth(a_plan(f"{source}x", 1), born))

    assert empty == 3
    assert [w.result for w in (*again, of_another_source)] == [Result.APPLIED] * 3
    assert read("SELECT 1 FROM carebus_match WHERE source LIKE %s", f"{source}%") == []


async def test_two_patients_of_one_number_are_for_a_person_to_decide(
    by_number: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """The person is refused with a reason, the neighbours in the batch are not; nothing is guessed."""
    pids = {registered(read, number), registered(read, number)}
    unclear = known_as(number, a_plan(source, 1, problems={1: "Asthma"}))

    refused, other = await by_number.write(
        [Delivery(unclear, Version(1), "job"), Delivery(a_plan(source, 2), Version(1), "job")]
    )

    assert (refused.result, refused.reason) == (Result.REFUSED, UNDECIDED)
    assert other.result is Result.APPLIED
    ((candidates,),) = read("SELECT candidates FROM carebus_match WHERE source = %s", source)
    assert {c["pid"] for c in orjson.loads(candidates)} == pids


async def test_two_persons_of_one_number_are_for_a_person_to_decide(
    by_number: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """In one batch neither is the patient; in two, the second is not."""
    pid = registered(read, number)
    plans = [known_as(number, a_plan(source, n, problems={1: "Asthma"})) for n in (1, 2)]
    together = await by_number.write([Delivery(plan, Version(1), "job") for plan in plans])

    other, third = f"{source}b", f"{number}-2"
    registered(read, third)
    first = await put(by_number, known_as(third, a_plan(other, 1, problems={1: "Asthma"})))
    second = await put(by_number, known_as(third, a_plan(other, 2, problems={1: "Gout"})))

    assert [w.result for w in together] == [Result.REFUSED, Result.REFUSED]
    assert problems(read, pid) == []
    assert (first.result, second.result) == (Result.APPLIED, Result.REFUSED)


@pytest.fixture
def as_operator(openemr: OpenEmrSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a person who runs commands at the shared schema."""
    for name in ("host", "port", "user", "database"):
        monkeypatch.setenv(f"CAREBUS_OPENEMR_{name.upper()}", str(getattr(openemr, name)))
    monkeypatch.setenv("CAREBUS_OPENEMR_PASSWORD", openemr.password.get_secret_value())


async def command(*arguments: str) -> tuple[int, str]:
    answer = await asyncio.to_thread(CliRunner().invoke, matches, list(arguments))
    return answer.exit_code, answer.output


@pytest.mark.usefixtures("as_operator")
async def test_asking_finds_also_who_was_born_then_and_a_person_decides(
    asking: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """Listed with the reason and without any name; after the word the same plan is loaded."""
    # The plans of hand_made are of a woman born on 1958-04-23.
    pid = registered(read, f"{number}-other", born="1958-04-23")
    plan = known_as(number, a_plan(source, 1, problems={1: "Asthma"}))
    refused = await put(asking, plan)
    _, listed = await command("list", "--source", source)

    nonsense = [
        await command("decide", source, "1", "--pid", "999999999"),
        await command("decide", source, "77", "--new"),
        await command("decide", source, "1"),
    ]
    said = await command("decide", source, "1", "--pid", str(pid))
    loaded = await put(asking, plan, v=2)

    assert refused.result is Result.REFUSED
    assert f"pid {pid} (birth and sex)" in listed
    assert [code for code, _ in nonsense] == [2, 2, 2]
    assert "no patient with pid 999999999" in nonsense[0][1]
    assert said == (0, "Noted.\n")
    assert loaded.result is Result.APPLIED
    assert problems(read, pid) == ["Asthma"]
    assert (await command("decide", source, "1", "--new"))[0] == 2


@pytest.mark.usefixtures("as_operator")
async def test_a_person_may_say_that_it_is_a_new_patient(
    asking: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """Then a chart is made."""
    pid = registered(read, number)
    plan = known_as(number, a_plan(source, 1, problems={1: "Asthma"}))
    await put(asking, plan)

    await command("decide", source, "1", "--new")
    await put(asking, plan, v=2)

    assert problems(read, pid) == []
    assert patients(read, source) == 1


async def test_dry_run_says_who_would_be_refused_and_records_nothing(
    by_number: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """Neither a case nor a chart."""
    for _ in range(2):
        registered(read, number)

    (would,) = await by_number.write(
        [Delivery(known_as(number, a_plan(source, 1)), Version(1), "job", dry_run=True)]
    )

    assert would.result is Result.REFUSED
    assert read("SELECT 1 FROM carebus_match WHERE source = %s", source) == []


async def test_loaders_at_once_give_a_patient_to_one_person(
    openemr: OpenEmrSettings, read: Read, source: str, number: str
) -> None:
    """Two persons of one number, each at a loader of its own: one chart, and one who is to be decided about."""
    pid = registered(read, number)
    loaders = [await a_target(openemr, "pubpid") for _ in range(2)]
    plans = [known_as(number, a_plan(source, n, problems={1: f"of {n}"})) for n in (1, 2)]

    written = await asyncio.gather(*(put(loader, plan) for loader, plan in zip(loaders, plans, strict=True)))
    for loader in loaders:
        await loader.stop()

    assert {w.result for w in written} <= {Result.APPLIED, Result.REFUSED}
    assert len(problems(read, pid)) == sum(w.result is Result.APPLIED for w in written) <= 1
    assert patients(read, source) == 0


@pytest.mark.usefixtures("as_operator")
async def test_asking_also_about_persons_without_a_number(
    asking: OpenEmrTarget, read: Read, source: str, number: str
) -> None:
    """Birth date and sex are enough to ask; a chart that carebus made, or a patient who left, is no answer."""
    registered(read, number, born="1958-04-23")
    gone = registered(read, f"{number}-b", born="1958-04-23")
    other = f"{source}x"
    await put(asking, plan := a_plan(source, 1, problems={1: "Asthma"}))
    await put(asking, a_plan(other, 5, person=True), v=1)
    await command("decide", other, "5", "--new")
    await put(asking, a_plan(other, 5), v=2)
    (ours,) = read("SELECT pid FROM patient_data WHERE pubpid = %s", f"{other}:5")[0]

    taken = await command("decide", source, "1", "--pid", str(ours))
    await command("decide", source, "1", "--pid", str(gone))
    read("DELETE FROM patient_data WHERE pid = %s", gone)
    refused = await put(asking, plan, v=2)

    assert taken[0] == 2
    assert "a chart that carebus made" in taken[1]
    assert (refused.result, refused.reason) == (Result.REFUSED, UNDECIDED)
    assert read("SELECT decided FROM carebus_match WHERE source = %s", source) == [(None,)]
