"""What people changed in OpenEMR is left alone and recorded; what they did not change follows the source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson
import pytest
from click.testing import CliRunner

from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.conflicts_command import conflicts
from carebus_loader.ports import Delivery
from support.target_suite import put

from .hand_made import a_plan, a_retirement

Read = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def source() -> str:
    return f"s{uuid4().hex[:12]}"


@pytest.fixture
def pid(read: Read, source: str) -> Callable[[], int]:
    """``pid()`` of person 1 of the source, once it is there."""
    return lambda: int(read("SELECT pid FROM patient_data WHERE pubpid = %s", f"{source}:1")[0][0])


def titles(read: Read, pid: int) -> dict[str, int]:
    return dict(read("SELECT title, activity FROM lists WHERE pid = %s AND type = 'medical_problem'", pid))


def recorded(read: Read, source: str) -> list[tuple[str, str, Any, Any]]:
    """Subject, write, our title and theirs of each conflict of a source."""
    return [
        (subject, write, orjson.loads(ours or "null"), orjson.loads(theirs or "null"))
        for subject, write, ours, theirs in read(
            "SELECT subject, write_name, ours, theirs FROM carebus_conflict WHERE source = %s "
            "ORDER BY write_name, uuid",
            source,
        )
    ]


async def test_an_edited_row_is_left_alone_and_the_rest_follows(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """Both versions are recorded; the receipt counts the conflict; the other row changes."""
    await put(target, a_plan(source, 1, problems={1: "Asthma", 2: "Gout"}))
    read("UPDATE lists SET title = 'Gout of the toe' WHERE pid = %s AND title = 'Gout'", pid())

    written = await put(target, a_plan(source, 1, problems={1: "Severe asthma", 2: "Severe gout"}), v=2)

    assert titles(read, pid()) == {"Severe asthma": 1, "Gout of the toe": 1}
    assert (written.result, written.updated) == (Result.APPLIED, 1)
    assert written.conflicts == {"lists.condition_occurrence": 1}
    ((subject, write, ours, theirs),) = recorded(read, source)
    assert (subject, write) == ("person/1", "lists.condition_occurrence")
    assert (ours["title"], theirs["title"]) == ("Severe gout", "Gout of the toe")


async def test_a_conflict_stays_one_however_often_the_source_changes(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """It is recorded once, with what the source said last."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read("UPDATE lists SET title = 'Cough' WHERE pid = %s", pid())

    for v, title in ((2, "Severe asthma"), (3, "Mild asthma")):
        await put(target, a_plan(source, 1, problems={1: title}), v=v)

    assert titles(read, pid()) == {"Cough": 1}
    assert [ours["title"] for _, _, ours, _ in recorded(read, source)] == ["Mild asthma"]


async def test_an_edit_that_the_source_comes_to_say_is_no_conflict(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """The record goes, the row is not written, and from then on it follows the source again."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read("UPDATE lists SET title = 'Cough' WHERE pid = %s", pid())
    await put(target, a_plan(source, 1, problems={1: "Severe asthma"}), v=2)

    agreed = await put(target, a_plan(source, 1, problems={1: "Cough"}), v=3)
    records = recorded(read, source)
    followed = await put(target, a_plan(source, 1, problems={1: "Bronchitis"}), v=4)

    assert (agreed.updated, agreed.conflicts, records) == (0, {}, [])
    assert (followed.updated, titles(read, pid())) == (1, {"Bronchitis": 1})


async def test_an_edited_row_outlives_its_removal_at_the_source(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """The source says "no such row": what a person wrote there stays, and is recorded."""
    await put(target, a_plan(source, 1, problems={1: "Asthma", 2: "Gout"}))
    read("UPDATE lists SET enddate = '2022-01-01' WHERE pid = %s AND title = 'Gout'", pid())

    written = await put(target, a_plan(source, 1, problems={}), v=2)

    assert titles(read, pid()) == {"Asthma": 0, "Gout": 1}
    assert (written.deleted, written.conflicts) == (1, {"lists.condition_occurrence": 1})
    ((_, _, ours, theirs),) = recorded(read, source)
    assert ours is None
    assert theirs["enddate"] == "2022-01-01 00:00:00"


@pytest.mark.parametrize("how", ["UPDATE lists SET activity = 0", "DELETE FROM lists"])
async def test_a_row_that_a_person_took_away_does_not_come_back(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int], how: str
) -> None:
    """Not by a change at the source; and when the source removes it, too, all agree."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read(f"{how} WHERE pid = %s", pid())

    changed = await put(target, a_plan(source, 1, problems={1: "Severe asthma"}), v=2)
    after_change = titles(read, pid())
    removed = await put(target, a_plan(source, 1, problems={}), v=3)

    assert changed.conflicts == {"lists.condition_occurrence": 1}
    assert after_change in ({"Asthma": 0}, {})
    assert (removed.deleted, removed.conflicts, recorded(read, source)) == (0, {}, [])


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE prescriptions SET drug_dosage_instructions = 'twice' WHERE patient_id = %s",
        "UPDATE prescriptions SET active = 0 WHERE patient_id = %s",
        "UPDATE lists SET title = 'another name' WHERE pid = %s AND type = 'medication'",
        "UPDATE form_encounter SET reason = 'another reason' WHERE pid = %s",
        "UPDATE forms SET deleted = 1 WHERE pid = %s AND formdir = 'newpatient'",
        "UPDATE patient_data SET fname = 'Another' WHERE pid = %s",
    ],
)
async def test_every_table_is_guarded(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int], edit: str
) -> None:
    """Prescription, the list row that belongs to it, encounter, its form, and the patient."""
    before = a_plan(source, 1, visits={1: "V"}, prescriptions=["once"])
    await put(target, before)
    # A new drug name in the same row, another reason and another given name: each table changes.
    after = _renamed(a_plan(source, 1, name="Maria", visits={1: "W"}, prescriptions=["once"]))
    read(edit, pid())

    written = await put(target, after, v=2)

    assert sum(written.conflicts.values()) == len(recorded(read, source)) == 1


async def test_dry_run_counts_conflicts_and_records_none(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """It says what a real run would leave alone."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read("UPDATE lists SET title = 'Cough' WHERE pid = %s", pid())

    plan = a_plan(source, 1, problems={1: "Severe asthma"})
    (would,) = await target.write([Delivery(plan, Version(2), "job", dry_run=True)])

    assert would.conflicts == {"lists.condition_occurrence": 1}
    assert recorded(read, source) == []


async def test_retiring_takes_edited_rows_too(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """Who is retired is retired; what was recorded of them goes as well."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read("UPDATE lists SET title = 'Cough' WHERE pid = %s", pid())
    await put(target, a_plan(source, 1, problems={1: "Severe asthma"}), v=2)

    await put(target, a_retirement(source, 1), v=3)

    assert titles(read, pid()) == {"Cough": 0}
    assert recorded(read, source) == []


@pytest.fixture
def as_operator(openemr: OpenEmrSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a person who runs commands at the shared schema."""
    for name in ("host", "port", "user", "database"):
        monkeypatch.setenv(f"CAREBUS_OPENEMR_{name.upper()}", str(getattr(openemr, name)))
    monkeypatch.setenv("CAREBUS_OPENEMR_PASSWORD", openemr.password.get_secret_value())


@pytest.mark.usefixtures("as_operator")
async def test_conflicts_are_listed_without_values_unless_asked(
    target: OpenEmrTarget, read: Read, source: str, pid: Callable[[], int]
) -> None:
    """Table, row and columns for everybody; patient data only on request."""
    await put(target, a_plan(source, 1, problems={1: "Asthma"}))
    read("UPDATE lists SET title = 'Cough' WHERE pid = %s", pid())
    await put(target, a_plan(source, 1, problems={1: "Severe asthma"}), v=2)

    def told(*arguments: str) -> str:
        answer = CliRunner().invoke(conflicts, ["list", "--source", source, *arguments])
        assert answer.exit_code == 0, answer.output
        return answer.output

    # The command runs a loop of its own, as it does for people.
    text = await asyncio.to_thread(told)
    (one,) = orjson.loads(await asyncio.to_thread(told, "--json", "--show-values"))

    assert "person/1" in text
    assert "title" in text
    assert "asthma" not in text
    assert one["values"] == {"title": ["Severe asthma", "Cough"]}
    assert (one["table"], one["removed_at_source"], one["deleted"]) == ("lists", False, False)


def _renamed(plan: ReadPlan) -> ReadPlan:
    """The plan with another drug in its prescriptions."""
    writes = [
        encode_write(w.table, w.columns, [line.replace(b'"metformin"', b'"insulin"') for line in w.lines()])
        for w in plan.writes
    ]
    return read_plan(encode_plan(target="openemr", source=plan.source, subject=plan.subject, writes=writes))
