"""No OMOP table, and no class of vital signs, results or allergies, is without a place or a stated reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import pytest

from carebus_contracts.omop.bundle import REFERRED_TABLES, ConceptInUse, PersonRecords
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import encode_plan, read_plan
from carebus_converter.domain.ccda.not_mapped import WHOLE_TABLES as NOT_IN_DOCUMENTS
from carebus_converter.domain.ccda.sections import vital_signs
from carebus_converter.domain.openemr import OpenEmrSettings, plan
from carebus_converter.domain.openemr import vitals as openemr_vitals
from carebus_converter.domain.openemr.not_mapped import WHOLE_TABLES as NOT_IN_CHARTS
from unit.converter.ccda import factories as made
from unit.converter.ccda.factories import a_bundle, a_document, a_measurement, a_person, an_observation

WORDS = "Something recorded"
HEADER = ("person", "death")
"""Tables that documents have in their header."""


def placed(bundle: PersonRecords) -> dict[str, Counter[str]]:
    """Count the rows of a bundle by OMOP table, and by OpenEMR's table or the reason why not."""
    parts = plan(bundle, settings=OpenEmrSettings())
    read = read_plan(encode_plan(target="openemr", source="lab", subject="person/1", writes=parts.writes))
    found: dict[str, Counter[str]] = {}
    for write in read.writes:
        for table, count in write.source_rows.items():
            found.setdefault(table, Counter())[write.table.partition(".")[0]] += count
    for table, reasons in parts.not_mapped.items():
        found.setdefault(table, Counter()).update(reasons)
    return {table: +counts for table, counts in found.items() if +counts}


def a_full_row(table: str) -> NamedTuple:
    """Return a row with every cell filled, of concepts that the source does not tell of."""
    spec = PERSON_TABLES[table]
    values = {column: _value(str(kind)) for column, kind in spec.types.items()}
    return spec.row(**(values | {"person_id": 1} if "person_id" in values else values))


def _value(kind: str) -> Any:
    for name, value in (
        ("datetime.datetime", datetime(2020, 3, 14, 9)),  # noqa: DTZ001 -- OMOP's have no zone
        ("datetime.date", date(2020, 3, 14)),
        ("float", 2.0),
        ("int", 9),
    ):
        if name in kind:
            return value
    return WORDS


@pytest.mark.parametrize("table", PERSON_TABLES)
def test_openemr_has_a_mapper_or_a_reason_for_every_table(table: str) -> None:
    """A row of the table is in one write, or is counted under the reason stated for its table."""
    rows = [a_full_row(table)] if table == "person" else [a_person(), a_full_row(table)]

    found = placed(a_bundle(*rows))

    assert set(found) == {"person", table}
    assert found[table].total() == 1
    if table in NOT_IN_CHARTS:
        assert found[table] == Counter({NOT_IN_CHARTS[table].value: 1})


@pytest.mark.parametrize("table", PERSON_TABLES)
def test_documents_have_a_mapper_or_a_reason_for_every_table(table: str) -> None:
    """A row of the table is an entry (or in the header), or is counted under the reason stated for its table."""
    row = a_full_row(table)
    without = a_document(*([] if table == "person" else [a_person()]))
    document = a_document(*([row] if table == "person" else [a_person(), row]))
    entries, more = (d.xml.count("<entry ") + d.xml.count("<entry>") for d in (without, document))

    if table in NOT_IN_DOCUMENTS:
        assert document.not_mapped == {table: {NOT_IN_DOCUMENTS[table].value: 1}}
    else:
        assert document.not_mapped == {}
        assert more > entries or (table in HEADER and document.document_id != without.document_id)


def test_openemr_has_a_place_for_what_rows_refer_to() -> None:
    """PROVIDER is a user, CARE_SITE a facility with the address that LOCATION says; no other table is referred to."""
    bundle = made.with_directory(a_person(), made.a_visit(provider_id=4, care_site_id=3))

    parts = plan(bundle, settings=OpenEmrSettings())
    text = encode_plan(target="openemr", source="lab", subject="person/1", writes=[], refers=parts.refers)
    found = {one.write.table: one.write.records()[0] for one in read_plan(text).refers}

    assert set(REFERRED_TABLES) == {"location", "care_site", "provider"}
    assert set(found) == {"facility", "users"}
    assert {"North & South", "9 Hill", "Ogdenville", "ME", "04001", 11} <= set(found["facility"])
    assert {"Lusab-Babad", "1234567893", "Family Medicine", "207Q00000X"} <= set(found["users"])


def test_reasons_are_stated_for_tables_that_there_are() -> None:
    """A table that was renamed would leave its reason behind."""
    assert set(NOT_IN_CHARTS) <= set(PERSON_TABLES)
    assert set(NOT_IN_DOCUMENTS) <= set(PERSON_TABLES)


# --- classes of rows that share a table --------------------------------------------------------------

NO_UNIT = {"value_as_number": 5.0}
TEXT = {"value_source_value": "trace"}
CODED = {"value_as_concept_id": made.BURN.concept_id}


@dataclass(frozen=True)
class Case:
    """One row, and where it has to be in OpenEMR; documents have a place for all of them."""

    row: NamedTuple
    place: str


def kind(concept_id: int, code: str, vocabulary: str, name: str, domain: str = "Observation") -> ConceptInUse:
    return ConceptInUse(concept_id, code, vocabulary, name, domain, "S")


OTHER_ALLERGIES = {
    "drug": kind(2000000001, "416098002", "SNOMED", "Allergy to drug"),
    "food": kind(2000000002, "414285001", "SNOMED", "Allergy to food"),
    "environment": kind(2000000003, "419474003", "SNOMED", "Allergy to mold"),
    "intolerance": kind(2000000004, "782415009", "SNOMED", "Intolerance to lactose"),
}

CASES = {
    "result with number and unit": Case(
        a_measurement(value_as_number=5.0, unit_concept_id=made.MG_DL.concept_id), "procedure_report"
    ),
    "result without unit": Case(a_measurement(**NO_UNIT), "procedure_report"),
    "result in words": Case(a_measurement(**TEXT), "procedure_report"),
    "result as a concept": Case(a_measurement(**CODED), "procedure_report"),
    "result as a bound": Case(a_measurement(operator_concept_id=4171756, **NO_UNIT), "procedure_report"),
    "result without value": Case(a_measurement(), "procedure_report"),
    "vital sign": Case(
        a_measurement(made.SYSTOLIC, value_as_number=120.0, unit_concept_id=made.MM_HG.concept_id),
        "form_vitals",
    ),
    "vital sign without unit": Case(a_measurement(made.SYSTOLIC, **NO_UNIT), "procedure_report"),
    "vital sign in words": Case(a_measurement(made.SYSTOLIC, **TEXT), "procedure_report"),
    "vital sign in a unit that does not convert": Case(
        a_measurement(made.SYSTOLIC, value_as_number=5.0, unit_concept_id=made.MG_DL.concept_id),
        "procedure_report",
    ),
    "vital sign without value": Case(a_measurement(made.SYSTOLIC), "no_value"),
    "allergy as an observation": Case(an_observation(made.EGG_ALLERGY), "lists"),
    "allergy as a condition": Case(made.a_condition(made.EGG_ALLERGY), "lists"),
    "no known allergy": Case(an_observation(made.NO_ALLERGY), "no_safe_place"),
    **{
        f"allergy to {name}": Case(an_observation(concept), "lists")
        for name, concept in OTHER_ALLERGIES.items()
    },
    "smoking": Case(
        an_observation(made.SMOKING, value_as_concept_id=made.FORMER_SMOKER.concept_id), "history_data"
    ),
    "history": Case(an_observation(made.APPENDECTOMY), "lists"),
}


CONCEPTS = [*made.KNOWN, *OTHER_ALLERGIES.values()]


@pytest.mark.parametrize("name", CASES)
def test_every_class_of_rows_has_its_place(name: str) -> None:
    """OpenEMR has it where it must be, or says why not; documents have an entry."""
    case = CASES[name]
    (table,) = [t for t, spec in PERSON_TABLES.items() if spec.row is type(case.row)]

    found = placed(a_bundle(a_person(), case.row, concepts=CONCEPTS))[table]
    document = a_document(a_person(), case.row, concepts=CONCEPTS)

    assert found == Counter({case.place: 1})
    assert document.not_mapped == {}


@pytest.mark.parametrize(
    "code", sorted({*vital_signs._VITALS, *(c for v, c in openemr_vitals.VITALS if v == "LOINC")})
)
def test_every_vital_sign_of_one_target_is_known_to_the_other(code: str) -> None:
    """With its unit it is a vital sign at OpenEMR, or where that has no column a result; never nothing."""
    concept = kind(2_000_000_009, code, "LOINC", "A vital sign", "Measurement")
    row = a_measurement(concept, value_as_number=7.0, unit_source_value="mm[Hg]")
    concepts = [*made.KNOWN, concept]

    found = placed(a_bundle(a_person(), row, concepts=concepts))["measurement"]
    document = a_document(a_person(), row, concepts=concepts)

    assert found.total() == 1
    assert set(found) <= {"form_vitals", "procedure_report"}
    assert not document.not_mapped
