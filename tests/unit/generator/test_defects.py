"""Defects of the generator that people used before: each is numbered as in our notes, and would be caught here."""

from __future__ import annotations

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE, Domain
from carebus_generator.domain.cohort import Kind, Outcome
from carebus_generator.domain.reference import WARFARE, names
from carebus_generator.domain.scenario import preset_names
from unit.generator.courses import assert_sound, make, scenario
from unit.generator.wards import ward


def test_01_the_triage_tables_of_the_warfare_types_reach_the_patients() -> None:
    """Triage was the number of the patient modulo ten: 20, 30, 50 % whatever the war."""
    shares = {}
    for warfare in ("artillery", "peacekeeping"):
        given = scenario("training", 20_000).model_copy(
            update={"warfare": {warfare: 1.0}, "special_events": ()}
        )
        made = make(given, seed=1)
        counts = np.bincount(made.injuries.triage[made.battle], minlength=5)
        shares[warfare] = (counts[1] + counts[4]) / counts.sum()

    tables = {row.name: row.triage[Kind.BATTLE] for row in WARFARE}
    assert set(shares) <= set(names(WARFARE))
    assert shares["artillery"] == pytest.approx(tables["artillery"][0], abs=0.02)
    assert shares["peacekeeping"] == pytest.approx(tables["peacekeeping"][0], abs=0.02)


@pytest.mark.parametrize("name", preset_names())
def test_02_one_in_two_does_not_die(name: str) -> None:
    """Half of the patients died, whatever they had, and one in a hundred returned to duty."""
    made = make(scenario(name, 20_000), seed=1)
    ill = made.patients.kind == Kind.DISEASE

    assert 0.005 < made.dead.mean() < 0.20
    assert made.dead[ill].mean() < 0.005
    assert not (made.courses.outcome[~made.battle] <= Outcome.DOW).any()
    by_triage = [made.dead[made.injuries.triage == triage].mean() for triage in (3, 2, 1)]
    assert by_triage == sorted(by_triage)
    assert by_triage[2] > 2 * by_triage[1] > 4 * by_triage[0]
    assert (made.courses.outcome == Outcome.RTD).mean() > 0.25


@pytest.mark.parametrize("environment", [("mountainous_terrain",), ("storm", "night_operations"), ()])
def test_06_no_timeline_runs_backwards_or_has_no_end(environment: tuple[str, ...]) -> None:
    """One in twenty ran backwards, more than half had no end, and status and final status disagreed."""
    assert_sound(make(scenario("default", 10_000).model_copy(update={"environment": environment}), seed=6))


def test_07_treatments_have_their_own_times_and_do_not_repeat() -> None:
    """All carried the time of injury, 30 a patient, all with duplicates, and diarrhoea was bandaged."""
    made = ward(5_000)
    given = made.treatments
    rows = list(
        zip(
            *(column.tolist() for column in (given.patient, given.wound, given.code, given.start_s)),
            strict=True,
        )
    )
    diarrhea = np.isin(given.patient, made.wounds.patient[made.wounds.condition == CATALOGUE.row("diarrhea")])
    got = {CATALOGUE[row].key for row in given.code[diarrhea].tolist()}

    assert (given.start_s > made.patients.injured_s[given.patient]).all()
    assert len(np.unique(given.start_s - made.patients.injured_s[given.patient])) > 1_000
    assert len(set(rows)) == len(rows)
    assert len(rows) / len(made.patients.index) < 10
    assert got <= {"physical_exam", "acetaminophen", "ondansetron", "saline"}
    assert "saline" in got


def test_09_codes_mean_what_they_are_used_for() -> None:
    """Nine of 14 codes meant something else: "traumatic amputation" was a lacerated foot, and so on."""
    meaning = {code.code: code.name for code in CATALOGUE.of(Domain.CONDITION)}

    assert meaning["284551006"] == "Laceration of foot"
    assert meaning["62106007"] == "Concussion with no loss of consciousness"
    assert meaning["195662009"] == "Acute viral pharyngitis"
    assert meaning["125605004"] == "Fracture of bone"
    for wrong in ("7200002", "275272006", "300916003", "125596004", "37782003"):
        assert wrong not in {code.code for code in CATALOGUE.codes}
