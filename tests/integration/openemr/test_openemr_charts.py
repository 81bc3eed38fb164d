"""What stands in OpenEMR after a plan: the rules of its own rows, changes, removals and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from carebus_contracts.errors import ConstraintViolated, UnsupportedContract
from carebus_contracts.plans import encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrTarget
from support.target_suite import put

from .hand_made import a_plan, a_retirement, uuid_of

Read = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def source() -> str:
    return f"s{uuid4().hex[:12]}"


def problems(read: Read, source: str) -> dict[str, int]:
    """Activity by title of one source's problems."""
    return dict(
        read(
            "SELECT l.title, l.activity FROM lists l JOIN patient_data p ON p.pid = l.pid "
            "WHERE p.pubpid LIKE %s AND l.type = 'medical_problem'",
            f"{source}:%",
        )
    )


async def test_chart_is_whole(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Encounter with its form, diagnosis tied to it, prescription with its medication list row."""
    await put(
        target,
        a_plan(source, 1, visits={7: "Follow-up"}, problems={7: "Diabetes"}, prescriptions=["twice a day"]),
    )

    (pid,) = read("SELECT pid FROM patient_data WHERE pubpid = %s", f"{source}:1")[0]
    (encounter,) = read("SELECT encounter FROM form_encounter WHERE pid = %s", pid)[0]
    assert read(
        "SELECT f.encounter, f.formdir, f.deleted, f.form_id = e.id, f.date = e.date FROM forms f "
        "JOIN form_encounter e ON e.pid = f.pid WHERE f.pid = %s",
        pid,
    ) == [(encounter, "newpatient", 0, 1, 1)]
    assert read(
        "SELECT i.encounter, i.resolved, l.title FROM issue_encounter i JOIN lists l ON l.id = i.list_id "
        "WHERE i.pid = %s",
        pid,
    ) == [(encounter, 0, "Diabetes")]
    assert read(
        "SELECT l.title, l.diagnosis, m.drug_dosage_instructions, m.prescription_id = r.id FROM lists l "
        "JOIN lists_medication m ON m.list_id = l.id JOIN prescriptions r ON r.patient_id = l.pid "
        "WHERE l.pid = %s AND l.type = 'medication'",
        pid,
    ) == [("metformin", "RXCUI:861007", "twice a day", 1)]


async def test_changed_rows_are_followed_and_others_left_alone(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """A title changes in place; a row of which nothing was said keeps what a person at OpenEMR put there."""
    await put(target, a_plan(source, 1, problems={1: "Asthma", 2: "Gout"}))
    pid, first_id = read(
        "SELECT p.pid, l.id FROM patient_data p JOIN lists l ON l.pid = p.pid AND l.title = 'Asthma' "
        "WHERE p.pubpid = %s",
        f"{source}:1",
    )[0]
    read(
        "UPDATE lists SET comments = 'by hand', title = 'Gout of the toe' WHERE pid = %s AND title = 'Gout'",
        pid,
    )

    written = await put(target, a_plan(source, 1, problems={1: "Severe asthma", 2: "Gout"}), v=2)

    assert (written.inserted, written.updated, written.deleted) == (0, 1, 0)
    assert written.tables == {"lists": 1}
    rows = dict(read("SELECT title, id FROM lists WHERE pid = %s", pid))
    assert rows.keys() == {"Severe asthma", "Gout of the toe"}
    assert rows["Severe asthma"] == first_id


async def test_removed_rows_are_marked_and_come_back(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Nothing is deleted; the same row stands again when the source names it again."""
    whole = a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma", 2: "Gout"}, prescriptions=["a"])
    await put(target, whole)
    ids = read(
        "SELECT id FROM lists WHERE pid = (SELECT pid FROM patient_data WHERE pubpid = %s)", f"{source}:1"
    )

    gone = await put(target, a_plan(source, 1, visits={}, problems={2: "Gout"}, prescriptions=[]), v=2)
    marks = read(
        "SELECT l.type, l.title, l.activity, l.verification FROM lists l "
        "JOIN patient_data p ON p.pid = l.pid WHERE p.pubpid = %s ORDER BY l.type, l.title",
        f"{source}:1",
    )
    forms = read(
        "SELECT f.deleted FROM forms f JOIN patient_data p ON p.pid = f.pid WHERE p.pubpid = %s",
        f"{source}:1",
    )
    back = await put(target, whole, v=3)

    assert (gone.deleted, back.inserted) == (3, 3)
    assert marks == [
        ("medical_problem", "Asthma", 0, "entered-in-error"),
        ("medical_problem", "Gout", 1, "confirmed"),
        ("medication", "metformin", 0, "entered-in-error"),
    ]
    assert forms == [(1,)]
    assert read(
        "SELECT l.type, l.activity, l.verification FROM lists l JOIN patient_data p ON p.pid = l.pid "
        "WHERE p.pubpid = %s ORDER BY l.type, l.title",
        f"{source}:1",
    ) == [("medical_problem", 1, "confirmed"), ("medical_problem", 1, "confirmed"), ("medication", 1, "")]
    assert ids == read(
        "SELECT id FROM lists WHERE pid = (SELECT pid FROM patient_data WHERE pubpid = %s)", f"{source}:1"
    )
    assert read(
        "SELECT f.deleted FROM forms f JOIN patient_data p ON p.pid = f.pid WHERE p.pubpid = %s",
        f"{source}:1",
    ) == [(0,)]


async def test_diagnosis_that_leaves_its_visit_is_untied(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """A problem that names no encounter any more is a problem of the list again."""
    await put(target, a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma"}))
    uuid = bytes.fromhex(uuid_of(source, 1, "problem", 1)[:31] + "2")
    tied = read("SELECT 1 FROM issue_encounter WHERE uuid = %s", uuid)

    await put(target, a_plan(source, 1, problems={1: "Asthma"}), v=2)

    assert tied == [(1,)]
    assert read("SELECT 1 FROM issue_encounter WHERE uuid = %s", uuid) == []


async def test_tables_that_are_not_covered_stay(target: OpenEmrTarget, read: Read, source: str) -> None:
    """A plan of problems alone finds the chart by the ledger, and leaves all else."""
    await put(target, a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma"}, prescriptions=["a"]))

    written = await put(target, a_plan(source, 1, person=False, problems={2: "Gout"}), v=2)

    assert written.result is Result.APPLIED
    assert problems(read, source) == {"Asthma": 0, "Gout": 1}
    assert read(
        "SELECT r.active, f.deleted FROM patient_data p JOIN prescriptions r ON r.patient_id = p.pid "
        "JOIN forms f ON f.pid = p.pid WHERE p.pubpid = %s",
        f"{source}:1",
    ) == [(1, 0)]


async def test_rows_without_a_person_are_refused(target: OpenEmrTarget, read: Read, source: str) -> None:
    """There is no chart to put them into, and the text says what to load."""
    with pytest.raises(ConstraintViolated, match="load PERSON first"):
        await put(target, a_plan(source, 1, person=False, problems={2: "Gout"}))

    assert read("SELECT 1 FROM carebus_subject WHERE source = %s AND subject <> '*'", source) == []


async def test_name_and_death_are_followed(target: OpenEmrTarget, read: Read, source: str) -> None:
    """PERSON and DEATH change the patient's row; when and who registered it stays."""
    await put(target, a_plan(source, 1, name="Marta", died="2020-02-03"))
    read("UPDATE patient_data SET regdate = '2001-01-01' WHERE pubpid = %s", f"{source}:1")

    await put(target, a_plan(source, 1, name="Maria"), v=2)

    assert read(
        "SELECT fname, deceased_date, deceased_reason, DATE(regdate) = '2001-01-01' FROM patient_data "
        "WHERE pubpid = %s",
        f"{source}:1",
    ) == [("Maria", None, "", 1)]


async def test_lost_ledger_finds_the_rows_again(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Rows are known by their uuids, so that without a ledger nothing is doubled."""
    plan = a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma"}, prescriptions=["a", "a"])
    await put(target, plan)
    tables = ("patient_data", "lists", "prescriptions", "forms", "lists_medication", "uuid_mapping",
              "uuid_registry", "issue_encounter")  # fmt: skip
    counts = f"SELECT {', '.join(f'(SELECT COUNT(*) FROM {table})' for table in tables)}"
    before = read(counts)
    read("DELETE FROM carebus_subject WHERE source = %s AND subject <> '*'", source)

    written = await put(target, plan)

    assert written.result is Result.APPLIED
    assert read(counts) == before


async def test_a_newer_version_of_the_same_leaves_the_ledger_row_alone(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """It stands in a narrow table, holds against older plans, and is void once there is anything newer."""
    as_it_was, other, late = [a_plan(source, 1, problems={1: title}) for title in ("Asthma", "Gout", "Rash")]
    ledger = "SELECT state, last_job FROM carebus_subject WHERE source = %s AND subject <> '*'"
    raised = "SELECT version FROM carebus_raised WHERE source = %s"
    await put(target, as_it_was, v=1)
    before = read(ledger, source)

    again = await put(target, as_it_was, v=5)
    after, version = read(ledger, source), read(raised, source)
    older = await put(target, other, v=4)
    missing = [await target.vanished(source, Version(v)) for v in (5, 6)]
    newer = await put(target, other, v=7)
    between = await put(target, late, v=6)

    assert [w.result for w in (again, older, newer, between)] == [
        Result.UNCHANGED, Result.STALE, Result.APPLIED, Result.STALE,
    ]  # fmt: skip
    assert after == before
    assert version == [(str(Version(5)),)]
    assert missing == [[], [1]]
    assert problems(read, source) == {"Gout": 1}


async def test_retired_person_keeps_the_patient_row(target: OpenEmrTarget, read: Read, source: str) -> None:
    """OpenEMR never deletes a patient; all that we put into the chart is marked as gone."""
    await put(target, a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma"}, prescriptions=["a"]))

    written = await put(target, a_retirement(source, 1), v=2)

    assert written.deleted == 4
    assert problems(read, source) == {"Asthma": 0}
    assert read("SELECT COUNT(*) FROM patient_data WHERE pubpid = %s", f"{source}:1") == [(1,)]
    assert read("SELECT tombstone FROM carebus_subject WHERE source = %s AND subject <> '*'", source) == [
        (1,)
    ]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        pytest.param({"begdate": "2020-13-45 00:00:00"}, "malformed in column begdate", id="no such day"),
        pytest.param({"title": "secret " * 60}, "too long in column title", id="too long"),
        pytest.param({"outcome": "secret"}, "does not fit its type in column outcome", id="no number"),
        pytest.param({"outcome": 2**40}, "out of range in column outcome", id="too large"),
        pytest.param({"verification": None}, "missing", id="null"),
        pytest.param({"uuid": "zz"}, "does not begin with a uuid", id="no uuid"),
    ],
)
async def test_poisoned_record_leaves_nothing(
    target: OpenEmrTarget, read: Read, source: str, cells: dict[str, object], words: str
) -> None:
    """The server refuses it, the batch is rolled back whole, and no value is told."""
    with pytest.raises(ConstraintViolated) as refusal:
        await put(
            target,
            a_plan(source, 1, visits={1: "V"}, problems={1: "Asthma"}),
            a_plan(source, 2, problems={1: "secret"}, problem=cells),
        )

    assert words in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "2020-13" not in str(refusal.value)
    assert problems(read, source) == {}
    assert read("SELECT 1 FROM carebus_subject WHERE source = %s AND subject <> '*'", source) == []
    assert (
        read(
            "SELECT 1 FROM form_encounter e JOIN patient_data p ON p.pid = e.pid WHERE p.pubpid LIKE %s",
            f"{source}:%",
        )
        == []
    )


async def test_write_that_this_version_does_not_know_halts(target: OpenEmrTarget, source: str) -> None:
    """A newer converter's table is no fault of the record: the loader is to be upgraded."""
    write = encode_write("form_vitals", ("uuid", "bps"), [b'["%032d","120"]' % 0])
    patient = a_plan(source, 1)
    plan = read_plan(encode_plan(target="openemr", source=source, subject="person/1", writes=[write]))
    await put(target, patient)

    with pytest.raises(UnsupportedContract, match="form_vitals"):
        await put(target, plan, v=2)


async def test_no_value_reaches_standard_error(
    target: OpenEmrTarget, source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the quick way, which only warns, nor the strict one prints what it was sent."""
    with pytest.raises(ConstraintViolated):
        await put(target, a_plan(source, 1, problems={1: "secret"}, problem={"begdate": "secret"}))

    told = capfd.readouterr()
    assert "secret" not in told.err + told.out
