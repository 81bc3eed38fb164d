"""Procedures, devices and histories: where each stands, and what is said of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson

from carebus_converter.domain.openemr import plan
from unit.converter.openemr.factories import SETTINGS, a_bundle, a_row, rows_of, without_uuid

DAY = date(2020, 3, 14)
COLONOSCOPY, IN_CPT4 = 4295880, 2106281


def a_procedure(n: int = 1, **cells: Any) -> list[Any]:
    return a_row(
        "procedure_occurrence",
        **{
            "procedure_occurrence_id": n,
            "procedure_concept_id": COLONOSCOPY,
            "procedure_source_concept_id": IN_CPT4,
            "procedure_date": DAY,
            **cells,
        },
    )


def test_procedures_of_a_visit_are_orders_with_a_report() -> None:
    """One order each, at the encounter."""
    parts = plan(
        a_bundle(
            visit_occurrence=[a_row("visit_occurrence", visit_occurrence_id=5, visit_start_date=DAY)],
            procedure_occurrence=[
                a_procedure(
                    1, visit_occurrence_id=5, procedure_datetime=datetime.fromisoformat("2020-03-14 09:45:00")
                ),
                a_procedure(2, visit_occurrence_id=5),
            ],
        ),
        settings=SETTINGS,
    )

    (visit,) = rows_of(parts, "form_encounter")
    orders = rows_of(parts, "procedure_order.procedure_occurrence")
    assert sorted(map(without_uuid, orders), key=str) == [
        {
            "procedure_order_type": "procedure",
            "date_ordered": f"2020-03-14 {time}",
            "encounter_id": visit["uuid"],
            "external_id": record_id,
            "provider": None,
        }
        for time, record_id in (("00:00:00", "2"), ("09:45:00", "1"))
    ]
    reports = rows_of(parts, "procedure_report.procedure_occurrence")
    assert {r["procedure_order_id"] for r in reports} == {order["uuid"] for order in orders}
    assert {(r["procedure_code"], r["procedure_name"], r["procedure_type"]) for r in reports} == {
        ("SNOMED-CT:73761001", "Colonoscopy", "procedure")
    }
    assert rows_of(parts, "lists.procedure_occurrence") == []


def test_procedures_without_a_visit_are_surgeries_of_the_past() -> None:
    """Also where the visit that they name is not in the source; with both codes."""
    parts = plan(
        a_bundle(visit_occurrence=[], procedure_occurrence=[a_procedure(1, visit_occurrence_id=99)]),
        settings=SETTINGS,
    )

    (row,) = rows_of(parts, "lists.procedure_occurrence")
    assert (row["type"], row["title"], row["diagnosis"], row["begdate"]) == (
        "surgery", "Colonoscopy", "SNOMED-CT:73761001;CPT4:45378", "2020-03-14 00:00:00",
    )  # fmt: skip
    assert rows_of(parts, "procedure_order.procedure_occurrence") == []


def test_devices_with_what_their_udi_says() -> None:
    """The parts of a UDI as OpenEMR's FHIR looks for them; another agency's UDI is kept whole."""
    udi = "(01)00844588003288(11)141231(17)150700(10)A213B1(21)1234"
    parts = plan(
        a_bundle(
            device_exposure=[
                a_row(
                    "device_exposure", device_exposure_id=n, device_concept_id=4138762,
                    device_exposure_start_date=DAY, unique_device_id=text,
                )
                for n, text in ((1, udi), (2, "+H123PARTNO1234567890120"), (3, None))
            ]
        ),
        settings=SETTINGS,
    )  # fmt: skip

    rows = {row["external_id"]: row for row in rows_of(parts, "lists.device_exposure")}
    assert {(row["type"], row["diagnosis"]) for row in rows.values()} == {
        ("medical_device", "SNOMED-CT:72506001")
    }
    assert [rows[n]["udi"] for n in "123"] == [udi, "+H123PARTNO1234567890120", None]
    assert orjson.loads(rows["1"]["udi_data"])["standard_elements"] == {
        "di": "00844588003288",
        "manufacturingDate": "2014-12-31",
        "expirationDate": "2015-07-01",
        "lotNumber": "A213B1",
        "serialNumber": "1234",
    }
    assert [rows[n]["udi_data"] for n in "23"] == [None, None]


def test_device_of_which_only_the_udi_is_known() -> None:
    """It names the device better than words would."""
    parts = plan(
        a_bundle(
            device_exposure=[
                a_row(
                    "device_exposure", device_exposure_id=1, device_concept_id=0, unique_device_id="(01)123"
                ),
                a_row("device_exposure", device_exposure_id=2, device_concept_id=0),
            ]
        ),
        settings=SETTINGS,
    )

    (row,) = rows_of(parts, "lists.device_exposure")
    assert (row["title"], row["diagnosis"], row["udi"]) == ("Unnamed device", "", "(01)123")
    assert parts.not_mapped == {"device_exposure": {"nothing_recorded": 1}}


def test_histories_are_problems() -> None:
    """ "History of ..." is itself the statement; with an answer it is something else."""
    parts = plan(
        a_bundle(
            observation=[
                a_row("observation", observation_id=1, observation_concept_id=4203722, observation_date=DAY),
                a_row("observation", observation_id=2, observation_concept_id=4203722, value_as_string="no"),
            ]
        ),
        settings=SETTINGS,
    )

    (row,) = rows_of(parts, "lists.observation")
    assert (row["type"], row["title"]) == ("medical_problem", "History of appendectomy")
    assert parts.not_mapped == {"observation": {"no_safe_place": 1}}
