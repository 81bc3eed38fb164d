"""Providers and sites that a chart refers to travel with its plan, each as a subject of its own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import REFERRED_TABLES, PersonRecords
from carebus_contracts.omop.catalog import REFERENCE_TABLES
from carebus_contracts.plans import PlannedShare, encode_plan, read_plan
from carebus_converter.domain.openemr import plan

from .factories import SETTINGS, a_bundle, a_row, rows_of

A_SITE = a_row(
    "care_site", care_site_id=3, care_site_name="Clinic 3", location_id=5, place_of_service_concept_id=8977
)
A_PLACE = a_row(
    "location", location_id=5, address_1="1 Main St", address_2="Floor 2", city="Springfield", state="MA", zip="01101",
    country_concept_id=42046186,
)  # fmt: skip
A_PROVIDER = a_row(
    "provider", provider_id=9, provider_name="Provider Nine", npi="1234567893", dea="AB1", care_site_id=3,
    specialty_concept_id=38003660,
)  # fmt: skip
KNOWN = {"location": [A_PLACE], "care_site": [A_SITE], "provider": [A_PROVIDER]}
VISIT = a_row("visit_occurrence", visit_start_date="2020-03-14", provider_id=9, care_site_id=3)


def brought(bundle: PersonRecords) -> list[PlannedShare]:
    """What a plan brings along."""
    parts = plan(bundle, settings=SETTINGS)
    text = encode_plan(
        target="openemr", source=bundle.source, subject="person/7", writes=parts.writes, refers=parts.refers
    )
    return list(read_plan(text).refers)


def rows(shared: list[PlannedShare]) -> dict[str, dict[str, Any]]:
    """The one row of each subject."""
    return {one.subject: dict(zip(one.write.columns, one.write.records()[0], strict=True)) for one in shared}


def provider(**cells: Any) -> dict[str, Any]:
    """The row that PROVIDER 9 becomes."""
    refers = {**KNOWN, "provider": [a_row("provider", provider_id=9, **cells)]}
    return rows(brought(a_bundle(refers=refers, visit_occurrence=[VISIT])))["provider/9"]


def test_visit_refers_to_provider_and_site() -> None:
    """The encounter holds the uuids of rows of users and facility, and the site comes first."""
    bundle = a_bundle(refers=KNOWN, visit_occurrence=[VISIT])
    shared = brought(bundle)
    (encounter,) = rows_of(plan(bundle, settings=SETTINGS), "form_encounter")

    assert [(one.subject, one.write.table, one.write.kind) for one in shared] == [
        ("care_site/3", "facility", "replace_scope"),
        ("provider/9", "users", "replace_scope"),
    ]
    site, who = rows(shared).values()
    assert (encounter["provider"], encounter["site"]) == (who.pop("uuid"), site.pop("uuid"))
    assert site == {
        "name": "Clinic 3",
        "street": "1 Main St, Floor 2",
        "city": "Springfield",
        "state": "MA",
        "postal_code": "01101",
        "country_code": "USA",
        "pos_code": 22,
    }
    assert who == {
        "username": "carebus:lab:9",
        "lname": "Provider Nine",
        "npi": "1234567893",
        "federaldrugid": "AB1",
        "specialty": "Internal Medicine",
        "taxonomy": "207R00000X",
        "organization": "Clinic 3",
        "site": encounter["site"],
    }


@pytest.mark.parametrize(
    ("table", "write"),
    [
        ("procedure_occurrence", "procedure_order.procedure_occurrence"),
        ("drug_exposure", "prescriptions"),
        ("measurement", "procedure_order.measurement"),
    ],
)
def test_what_a_provider_did_refers_to_them(table: str, write: str) -> None:
    """Orders and prescriptions name the provider of their record, not that of the visit."""
    day = {"procedure_occurrence": "procedure_date", "measurement": "measurement_date"}.get(
        table, "drug_exposure_start_date"
    )
    concept = {
        "procedure_occurrence": ("procedure_concept_id", 4295880),
        "measurement": ("measurement_concept_id", 3001122),
    }.get(table, ("drug_concept_id", 1127078))
    record = a_row(table, visit_occurrence_id=1, provider_id=8, **{day: "2020-03-14", concept[0]: concept[1]})
    refers = {**KNOWN, "provider": [A_PROVIDER, a_row("provider", provider_id=8)]}
    bundle = a_bundle(refers=refers, visit_occurrence=[VISIT], **{table: [record]})

    (row,) = rows_of(plan(bundle, settings=SETTINGS), write)

    assert row["provider"] == rows(brought(bundle))["provider/8"]["uuid"]


def test_vaccine_and_patient_refer_to_their_providers() -> None:
    """Who gave it; and PERSON.provider_id is the patient's own provider."""
    person = a_row("person", year_of_birth=1958, provider_id=9)
    vaccine = a_row(
        "drug_exposure", drug_concept_id=40213160, drug_exposure_start_date="2020-03-14", provider_id=9
    )
    bundle = a_bundle(refers=KNOWN, person=[person], drug_exposure=[vaccine])
    parts = plan(bundle, settings=SETTINGS)

    uuid = rows(brought(bundle))["provider/9"]["uuid"]
    assert [rows_of(parts, w)[0]["provider"] for w in ("patient_data", "immunizations")] == [uuid, uuid]


def test_patient_without_provider_keeps_the_one_that_staff_chose() -> None:
    """The plan does not name the column."""
    (patient,) = rows_of(plan(a_bundle(refers=KNOWN), settings=SETTINGS), "patient_data")

    assert "provider" not in patient


def test_provider_whom_the_source_does_not_know_is_nobody() -> None:
    """An id without a row refers to nothing, and brings nothing."""
    bundle = a_bundle(visit_occurrence=[VISIT])
    (encounter,) = rows_of(plan(bundle, settings=SETTINGS), "form_encounter")

    assert (encounter["provider"], encounter["site"], brought(bundle)) == (None, None, [])


def test_what_no_row_of_the_chart_refers_to_stays_out() -> None:
    """A provider whom only a note names, and their site, are in the bundle and not in the plan."""
    note = a_row("note", note_date="2020-03-14", provider_id=9)

    assert brought(a_bundle(refers=KNOWN, note=[note])) == []


@pytest.mark.parametrize(
    ("providers", "expected"),
    [((9, 9), 9), ((9, None), 9), ((None, None), None), ((9, 8), None), ((8, 9, 9), None)],
)
def test_order_is_of_the_one_provider_of_its_findings(
    providers: tuple[int | None, ...], expected: int | None
) -> None:
    """With several there is none, in whatever order they come."""
    refers = {"provider": [a_row("provider", provider_id=9), a_row("provider", provider_id=8)]}
    findings = [
        a_row(
            "measurement", measurement_id=n, measurement_concept_id=3001122, measurement_date="2020-03-14",
            value_as_number=1.0, provider_id=provider_id,
        )
        for n, provider_id in enumerate(providers)
    ]  # fmt: skip
    for seed in range(3):
        random.Random(seed).shuffle(findings)
        bundle = a_bundle(refers=refers, measurement=findings)
        (order,) = rows_of(plan(bundle, settings=SETTINGS), "procedure_order.measurement")
        shared = rows(brought(bundle))
        assert order["provider"] == (shared[f"provider/{expected}"]["uuid"] if expected else None)


@pytest.mark.parametrize("name", [None, "", "  ", "\x01\x1f\x7f\x85\u2028"])
def test_nameless_are_called_by_their_ids(name: str | None) -> None:
    """Nobody is invented."""
    refers = {
        "care_site": [a_row("care_site", care_site_id=3, care_site_name=name)],
        "provider": [a_row("provider", provider_id=9, provider_name=name)],
    }

    found = rows(brought(a_bundle(refers=refers, visit_occurrence=[VISIT])))

    assert (found["provider/9"]["lname"], found["care_site/3"]["name"]) == ("Provider 9", "Site 3")
    assert found["care_site/3"]["pos_code"] is None


@pytest.mark.parametrize("npi", [None, "", "12345", "12345678931", "123456789x"])
def test_number_that_is_no_npi_is_left_out(npi: str | None) -> None:
    """OpenEMR tells everybody that it is one."""
    assert provider(npi=npi)["npi"] == ""


def test_specialty_of_another_vocabulary_is_no_taxonomy() -> None:
    """OpenEMR's own default would make everybody a family physician."""
    found = provider(specialty_concept_id=38004446)

    assert (found["specialty"], found["taxonomy"]) == ("General Practice", "")
    assert provider(specialty_source_value="GP")["specialty"] == "GP"


def test_place_of_service_follows_from_the_kind_of_visit_too() -> None:
    """Sources that give sites the concepts of visits: 9201 is a hospital, 21."""
    site = a_row("care_site", care_site_id=3, place_of_service_concept_id=9201)
    found = rows(brought(a_bundle(refers={"care_site": [site]}, visit_occurrence=[VISIT])))

    assert found["care_site/3"]["pos_code"] == 21


def test_all_persons_of_a_source_bring_the_same() -> None:
    """And another source's provider with the same id is somebody else."""
    one, two, other = (
        plan(
            a_bundle(source=source, person_id=p, refers=KNOWN, visit_occurrence=[VISIT]), settings=SETTINGS
        ).refers
        for source, p in (("lab", 7), ("lab", 8), ("ward", 7))
    )

    assert one == two
    assert len({*one, *other}) == 4


def test_order_of_rows_is_of_no_account() -> None:
    """The same bytes for the same rows."""
    refers = {"provider": [a_row("provider", provider_id=n) for n in range(20)]}
    visits = [
        a_row("visit_occurrence", visit_occurrence_id=n, visit_start_date="2020-03-14", provider_id=n)
        for n in range(20)
    ]
    made = set()
    for seed in range(3):
        random.Random(seed).shuffle(refers["provider"])
        made.add(plan(a_bundle(seed=seed, refers=refers, visit_occurrence=visits), settings=SETTINGS).refers)

    assert len(made) == 1


WITHOUT_PLACE = {
    "provider": {
        "year_of_birth", "gender_concept_id", "gender_source_value", "gender_source_concept_id",
        "provider_source_value", "specialty_source_concept_id",
    },
    "care_site": {"care_site_source_value", "place_of_service_source_value"},
    "location": {"county", "location_source_value", "latitude", "longitude"},
}  # fmt: skip
"""Columns for which OpenEMR's users and facilities have none, or that say again what another says."""
FIRST: dict[str, dict[str, Any]] = {
    "provider": {"specialty_concept_id": 0, "care_site_id": 3},
    "care_site": {"place_of_service_concept_id": 9201, "location_id": 5},
    "location": {"country_concept_id": 0},
}
OTHER = {
    "specialty_concept_id": 38003660,
    "country_concept_id": 42046186,
    "care_site_id": 4,
    "location_id": 6,
}
KEYS = {"provider": {"provider_id": 9}, "care_site": {"care_site_id": 3}, "location": {"location_id": 5}}


def a_full_row(table: str, **more: Any) -> list[Any]:
    """A row with every cell filled."""
    cells: dict[str, Any] = {}
    for column, kind in REFERENCE_TABLES[table].types.items():
        cells[column] = "1234567893" if column == "npi" else "a word" if "str" in str(kind) else 2
    return a_row(table, **{**cells, **FIRST[table], **KEYS[table], **more})


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, c) for t in REFERRED_TABLES for c in REFERRED_TABLES[t].columns if c not in KEYS[t]],
)
def test_every_column_has_its_place_or_is_named_here(table: str, column: str) -> None:
    """What the source says of a provider, a site or its address otherwise is in OpenEMR otherwise."""
    visit = a_row("visit_occurrence", visit_start_date="2020-03-14", provider_id=9)
    more = [a_row("care_site", care_site_id=4)]

    def made(**cells: Any) -> tuple[bytes, ...]:
        refers = {t: [a_full_row(t, **(cells if t == table else {}))] for t in REFERRED_TABLES}
        refers["care_site"] += more
        return plan(a_bundle(refers=refers, visit_occurrence=[visit]), settings=SETTINGS).refers

    value = a_full_row(table)[REFERENCE_TABLES[table].columns.index(column)]
    if column in OTHER:
        other: Any = OTHER[column]
    elif column == "npi":
        other = "1987654321"
    else:
        other = "b word" if isinstance(value, str) else value + 1

    assert (made() == made(**{column: other})) == (column in WITHOUT_PLACE[table])


TEXTS = [
    (table, column)
    for table in REFERRED_TABLES
    for column, kind in REFERENCE_TABLES[table].types.items()
    if "str" in str(kind)
]
WIDTHS = {
    "username": 255, "lname": 255, "npi": 15, "federaldrugid": 255, "specialty": 255, "taxonomy": 30,
    "organization": 255, "name": 255, "street": 255, "city": 255, "state": 50, "postal_code": 11, "country_code": 30,
}  # fmt: skip
"""Characters that OpenEMR's columns hold, from its schema."""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_text_binds_and_fits(place: tuple[str, str], text: str) -> None:
    """No control characters, no text longer than its column, and the name is never empty."""
    table, column = place
    refers = {t: [a_full_row(t, **({column: text} if t == table else {}))] for t in REFERRED_TABLES}

    found = rows(brought(a_bundle(refers=refers, visit_occurrence=[VISIT])))

    for row in found.values():
        for name, cell in row.items():
            if isinstance(cell, str) and name not in ("uuid", "site"):
                assert len(cell) <= WIDTHS[name]
                assert not any(ord(c) < 32 or ord(c) == 127 for c in cell)
    assert found["provider/9"]["lname"]
    assert found["care_site/3"]["name"]
