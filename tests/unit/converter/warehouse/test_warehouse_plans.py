"""Bundles become plans: deterministic, complete, and nobody else's rows."""

from __future__ import annotations

import random
from datetime import date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.errors import UnmappableRecord
from carebus_contracts.omop.bundle import (
    PersonRecords,
    ReferenceRecords,
    decode_person,
    decode_reference,
    encode_person,
    encode_reference,
)
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.plans import DmlPlan, read_plan
from carebus_converter.domain.warehouse import (
    WarehousePlans,
    person_plan,
    person_writes,
    reference_plan,
    reference_writes,
)


def a_row(table: str, **cells: Any) -> list[Any]:
    """A row of a table, null but for the cells that are named."""
    columns = (PERSON_TABLES.get(table) or REFERENCE_TABLES[table]).columns
    assert not cells.keys() - set(columns)
    return [cells.get(column) for column in columns]


def an_exposure(drug_exposure_id: int, *, person_id: int = 7, **cells: Any) -> list[Any]:
    return a_row("drug_exposure", drug_exposure_id=drug_exposure_id, person_id=person_id, **cells)


def a_person(*, covers: list[str] | None = None, retired: bool = False, **tables: Any) -> PersonRecords:
    """Person 7 of source ``demo`` with rows by table; covers what has rows unless said otherwise."""
    return decode_person(
        encode_person(
            source="demo",
            person_id=7,
            cdm_version="5.4",
            covers=list(tables) if covers is None else covers,
            tables={table: orjson.dumps(rows) for table, rows in tables.items()},
            concepts=[orjson.dumps([8507, "M", "Gender", "MALE", "Gender", "S"])],
            retired=retired,
        )
    )


def writes_of(person: PersonRecords) -> list[dict[str, Any]]:
    return [orjson.loads(write) for write in person_writes(person)]


def test_rows_have_a_copy_number_and_all_columns_in_order() -> None:
    """The plan carries the columns of CDM 5.4 once, and dates as text."""
    person = a_person(
        drug_exposure=[
            an_exposure(
                1,
                drug_exposure_start_date=date(1850, 2, 3),
                drug_exposure_start_datetime=datetime(1850, 2, 3, 4, 5, 6),  # noqa: DTZ001 - OMOP has no zones
                quantity=1.5,
            )
        ]
    )

    (write,) = writes_of(person)

    assert write["columns"][:3] == ["record_copy", "drug_exposure_id", "person_id"]
    assert tuple(write["columns"][1:]) == PERSON_TABLES["drug_exposure"].columns
    assert write["rows"][0][:6] == [0, 1, 7, None, "1850-02-03", "1850-02-03T04:05:06"]
    assert write["count"] == 1


def test_repeated_record_ids_are_numbered_by_content() -> None:
    """Real exports repeat ids; each row survives, with the same number whatever the order."""
    rows = [an_exposure(5, sig=sig) for sig in ("b", "a", "b")] + [an_exposure(4)]

    (write,) = writes_of(a_person(drug_exposure=rows))
    (other,) = writes_of(a_person(drug_exposure=rows[::-1]))

    sig = write["columns"].index("sig")
    assert [(row[1], row[0], row[sig]) for row in write["rows"]] == [
        (4, 0, None),
        (5, 0, "a"),
        (5, 1, "b"),
        (5, 2, "b"),
    ]
    assert other == write


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.one_of(st.none(), st.text(max_size=5))), max_size=8),
    seed=st.integers(0, 99),
)
def test_any_order_of_rows_gives_the_same_bytes(rows: list[tuple[int, str | None]], seed: int) -> None:
    """So that content hashes tell change, not chance."""
    given_rows = [an_exposure(number, sig=text) for number, text in rows]
    shuffled = random.Random(seed).sample(given_rows, len(given_rows))

    one, two = (a_person(drug_exposure=each) for each in (given_rows, shuffled))

    assert person_plan("postgres", one, person_writes(one)) == person_plan(
        "postgres", two, person_writes(two)
    )


def test_covered_table_without_rows_gives_an_empty_write() -> None:
    """Named and empty means emptied; not named means left alone."""
    person = a_person(covers=["death", "person"], person=[a_row("person", person_id=7)])

    writes = writes_of(person)

    assert [(w["table"], w["count"]) for w in writes] == [("person", 1), ("death", 0)]
    assert writes[1]["rows"] == []


def test_rows_of_a_table_that_is_not_covered_stay_out() -> None:
    """A bundle says nothing about tables for which it is not complete."""
    person = a_person(
        covers=["person"], person=[a_row("person", person_id=7)], note=[a_row("note", note_id=1, person_id=7)]
    )

    assert [w["table"] for w in writes_of(person)] == ["person"]


def test_concepts_in_use_are_not_written_per_person() -> None:
    """The reference chunks carry them."""
    assert [w["table"] for w in writes_of(a_person(person=[a_row("person", person_id=7)]))] == ["person"]


def test_cost_needs_no_person_column() -> None:
    """CDM 5.4 has none there; loaders take the person from the subject."""
    (write,) = writes_of(a_person(cost=[a_row("cost", cost_id=1, total_paid=2.5)]))

    assert tuple(write["columns"]) == ("record_copy", *PERSON_TABLES["cost"].columns)


def test_retired_person_gets_a_tombstone_in_every_table() -> None:
    """Also in tables that the source never had."""
    writes = writes_of(a_person(retired=True))

    assert [w["table"] for w in writes] == list(PERSON_TABLES)
    assert {w["kind"] for w in writes} == {"tombstone"}


def test_row_of_another_person_is_refused() -> None:
    """It would land where no plan ever replaces it; the text names no id."""
    person = a_person(drug_exposure=[an_exposure(1), an_exposure(2, person_id=991)])

    with pytest.raises(UnmappableRecord, match="drug_exposure: a row of another person") as refusal:
        person_writes(person)

    assert "991" not in str(refusal.value)


def test_nul_is_left_out_of_texts() -> None:
    """Postgres refuses U+0000 in any text; a backslash before ``u0000`` is no such character."""
    rows = [a_row("concept", concept_id=1, concept_name="a\0b", concept_code="a\\u0000b")]

    (write,) = map(orjson.loads, reference_writes(a_chunk(*rows)))

    assert [cell for cell in write["rows"][0] if isinstance(cell, str)] == ["ab", "a\\u0000b"]


def test_number_beyond_64_bits_is_refused() -> None:
    """No target could hold it."""
    with pytest.raises(UnmappableRecord, match="more than 64 bits"):
        person_writes(a_person(drug_exposure=[]).model_copy(update={"tables": _with_giant()}))


def _with_giant() -> Any:
    text = orjson.dumps([an_exposure(1, refills=0)]).replace(b",0,", b",%d," % 2**70, 1)
    bundle = encode_person(
        source="demo", person_id=7, cdm_version="5.4", covers=["drug_exposure"],
        tables={"drug_exposure": text}, concepts=[],
    )  # fmt: skip
    return decode_person(bundle).tables


def test_unknown_table_is_refused() -> None:
    """A newer extractor's table is not lost in silence."""
    with pytest.raises(UnmappableRecord):
        person_writes(a_person(covers=["person", "horoscope"]))


def test_plans_fit_the_contract() -> None:
    """The bytes are a ``DmlPlan``, and loaders read them without making rows."""
    person = a_person(
        person=[a_row("person", person_id=7)], drug_exposure=[an_exposure(1, sig='odd ],[ and ],\n[ "text"')]
    )

    plan = person_plan("clickhouse", person, person_writes(person))

    assert (DmlPlan.from_json(plan).subject, DmlPlan.from_json(plan).target) == ("person/7", "clickhouse")
    read = read_plan(plan)
    assert [len(write.lines()) for write in read.writes] == [1, 1]
    assert [write.hash for write in read.writes] == [w.hash for w in DmlPlan.from_json(plan).writes]


def test_both_warehouses_get_the_same_writes() -> None:
    """The second target costs a head only."""
    plans = WarehousePlans()
    person, records = a_person(person=[a_row("person", person_id=7)]), a_chunk()

    first = [plans.plan(each, "postgres") for each in (person, records)]
    second = [plans.plan(each, "clickhouse") for each in (person, records)]

    assert [p.replace(b"postgres", b"clickhouse") for p in first] == second


def a_chunk(
    *rows: list[Any], table: str = "concept", chunk: int = 3, complete: bool = True
) -> ReferenceRecords:
    return decode_reference(
        encode_reference(
            source="demo",
            table=table,
            chunk=chunk,
            cdm_version="5.4",
            rows=orjson.dumps(list(rows)),
            complete=complete,
        )
    )


def test_reference_chunk_is_a_subject_of_its_own() -> None:
    """Its rows are sorted by record key."""
    records = a_chunk(*(a_row("concept", concept_id=n, concept_name=f"n{n}") for n in (15_002, 15_001)))

    plan = DmlPlan.from_json(reference_plan("postgres", records, reference_writes(records)))

    assert plan.subject == "concept/3"
    assert [row[1] for row in plan.writes[0].rows] == [15_001, 15_002]


def test_part_of_a_chunk_is_put_and_replaces_nothing() -> None:
    """Concepts in use are some of their chunk; a message that does not say so is a whole one."""
    rows = [a_row("concept", concept_id=15_001)]

    ((in_part,), (whole,)) = (
        map(orjson.loads, reference_writes(a_chunk(*rows, complete=complete))) for complete in (False, True)
    )

    assert (in_part["kind"], whole["kind"]) == ("upsert", "replace_scope")
    assert in_part["rows"] == whole["rows"]


def test_composite_record_keys_are_kept_apart() -> None:
    """Two strengths of one drug are two records; two equal ones are two copies."""
    rows = [a_row("drug_strength", drug_concept_id=1, ingredient_concept_id=n) for n in (3, 2, 2)]

    (write,) = map(orjson.loads, reference_writes(a_chunk(*rows, table="drug_strength")))

    assert [row[:3] for row in write["rows"]] == [[0, 1, 2], [1, 1, 2], [0, 1, 3]]


def test_reference_rows_of_an_unknown_table_are_refused() -> None:
    """Rather than dropped."""
    records = a_chunk().model_copy(update={"table": "horoscope"})

    with pytest.raises(UnmappableRecord):
        reference_writes(records)
