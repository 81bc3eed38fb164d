"""Floors of retired sources and jobs, and what they do to plans."""

from __future__ import annotations

import pytest

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held, Verdict
from carebus_loader.domain.warehouse.judging import Judgement, Standing, judge
from carebus_loader.domain.warehouse.scopes import scope_of


def a_plan(subject: str = "person/1", *tables: str) -> ReadPlan:
    writes = [encode_write(table, ("record_copy",), [b"[0]"]) for table in tables or ("person",)]
    return read_plan(encode_plan(target="t", source="s", subject=subject, writes=writes))


CONTENT = a_plan().writes[0].hash


def judged(v: int, job: str = "j", held: Standing | None = None, **floors: int) -> Judgement:
    """Judge a plan of version ``v``; floors by name: ``everyone`` or a job."""
    known = {
        ("s", "*" if name == "everyone" else f"job/{name}"): Version(floor) for name, floor in floors.items()
    }
    return judge(a_plan(), Version(v), job, {"person": held} if held else {}, known)


@pytest.mark.parametrize(("v", "verdict"), [(4, Verdict.STALE), (5, Verdict.WRITE), (6, Verdict.WRITE)])
def test_floor_of_a_source_makes_older_plans_stale(v: int, verdict: Verdict) -> None:
    """Also of persons never seen."""
    assert judged(v, everyone=5).verdicts == {"person": verdict}


def test_content_below_the_floor_is_written_anew() -> None:
    """Equal content that was retired is not "unchanged"."""
    held = Standing(Held(Version(1), CONTENT), "j")

    assert judged(6, held=held, everyone=5).verdicts == {"person": Verdict.WRITE}


def test_plan_of_a_retired_job_counts_as_no_rows() -> None:
    """It is stale for the report, and a tombstone at its own version for the guard."""
    judgement = judged(3, "one", one=5)

    assert judgement.result is Result.STALE
    assert judgement.statements == {"person": Held(Version(3), "")}


def test_what_a_retired_job_said_stands_as_no_rows() -> None:
    """An older plan of another job does not come up from under it; a newer one does."""
    held = Standing(Held(Version(3), "other content"), "one")

    assert judged(2, "two", held, one=5).verdicts == {"person": Verdict.STALE}
    assert judged(4, "two", held, one=5).verdicts == {"person": Verdict.WRITE}


def test_floor_of_a_job_does_not_touch_other_jobs() -> None:
    """Though their plans are older than the retirement."""
    held = Standing(Held(Version(3), CONTENT), "two")

    assert judged(4, "two", held, one=5).verdicts == {"person": Verdict.RAISE}


@pytest.mark.parametrize(
    ("subject", "tables"),
    [
        pytest.param("person/x", ("person",), id="no number"),
        pytest.param("person/", ("person",), id="nothing"),
        pytest.param("person/²", ("person",), id="a digit that is no number"),
        pytest.param(f"person/{2**63}", ("person",), id="too large"),
        pytest.param("person/1", ("concept",), id="reference table of a person"),
        pytest.param("concept/1", ("person",), id="person table of a chunk"),
        pytest.param("concept/1", ("concept", "concept"), id="a table twice"),
        pytest.param("nonsense/1", ("nonsense",), id="unknown kind"),
    ],
)
def test_odd_subjects_are_refused(subject: str, tables: tuple[str, ...]) -> None:
    """Before anything is sent, and without the id in the text."""
    with pytest.raises(ConstraintViolated) as refusal:
        scope_of(a_plan(subject, *tables))

    assert str(2**63) not in str(refusal.value)


def test_subjects_are_read() -> None:
    """Negative ids are ids, too."""
    assert scope_of(a_plan("person/-5"))[2] == -5
    assert scope_of(a_plan(f"person/{-(2**63)}"))[2] == -(2**63)
    assert scope_of(a_plan(f"person/{2**63 - 1}"))[2] == 2**63 - 1
    assert scope_of(a_plan("concept/12", "concept"))[2] == 12
