"""Patients as readable cards."""

from __future__ import annotations

from carebus_contracts.omop.bundle import decode_person
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.cards import card
from carebus_generator.domain.omop import omop_tables
from unit.generator.cohorts import SURROUNDINGS, three_patients


def cards() -> list[str]:
    """Return the cards of the three patients that are made by hand."""
    chunk = omop_tables(SURROUNDINGS, three_patients())
    writer = BundleWriter(References.of(SURROUNDINGS))
    return [card(decode_person(b)) for block in writer.blocks(chunk.persons, chunk.tables) for b in block]


def test_a_card_tells_the_whole_way() -> None:
    """Who, what happened, and each step with time and place."""
    assert cards()[0].splitlines() == [
        "POL-SYNTHETIC-0000000011, man, born 1970-01-01, blood group A-",
        "battle casualty, gunshot, artillery, front North, event 0000000000000abc, mass casualty, ISS 25, "
        "rain and fog",
        "",
        "2025-06-01  06:00  POI    injured or ill; triage T1",
        "            06:01  POI    Application of tourniquet",
        "            06:30         → Role 1, ground, 30 min",
        "            07:00  Role 1 arrived at R1-North-1",
        "            07:00  Role 1 HR 118",
        "            07:00  Role 1 diagnosis: Concussion injury of brain (preliminary)",
        "            07:00  Role 1 Morphine 7.5 mg, intravenous",
        "            09:00         → Role 2, air, 60 min",
        "            10:00  Role 2 arrived at R2-North-1; triage T2",
        "            10:00  Role 2 T 36.6",
        "            10:00  Role 2 diagnosis: Bullet wound (confirmed)",
        "            10:00  Role 2 diagnosis: Concussion injury of brain (confirmed)",
        "            10:30  Role 2 Intravenous blood transfusion of packed cells × 2",
        "            13:00  Role 2 died of wounds: Bullet wound",
    ]


def test_who_was_killed_before_any_facility_has_a_short_one() -> None:
    """The end is at the point of injury."""
    head, what, _, *way = cards()[1].splitlines()

    assert head == "EST-SYNTHETIC-0000000012, woman, born 1970-03-01"
    assert what.startswith("battle casualty, blast, ambush, front North")
    assert way[-1] == "            23:59  POI    killed in action: Hemothorax"


def test_who_went_back_walked() -> None:
    """Journeys on foot are no ambulance."""
    assert "            09:00         → Role 1, walked, 60 min" in cards()[2].splitlines()
    assert cards()[2].splitlines()[-1].endswith("Role 1 returned to duty")
