"""Vital signs in OpenEMR's units, results in orders: values by hand, arithmetic by another library."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_converter.domain.openemr import plan
from unit.converter.openemr.factories import SETTINGS, a_bundle, a_row, rows_of

DAY = date(2020, 3, 14)
WEIGHT, HEIGHT, ORAL, SYSTOLIC, DIASTOLIC, PULSE = 3025315, 3036277, 3006322, 3004249, 3012888, 3027018
KG, CM, CELSIUS, MMHG, NG_ML = 9529, 8582, 586323, 8876, 8842
FERRITIN, CULTURE, PRESENT, LESS_THAN = 3001122, 4121121, 4181412, 4171756


def a_measurement(
    n: int = 1, concept_id: int = FERRITIN, value: float | None = None, **cells: Any
) -> list[Any]:
    return a_row(
        "measurement",
        **{
            "measurement_id": n,
            "measurement_concept_id": concept_id,
            "measurement_date": DAY,
            "visit_occurrence_id": 1,
            "value_as_number": value,
            **cells,
        },
    )


def made(*rows: list[Any], visits: bool = True) -> Any:
    visit = [a_row("visit_occurrence", visit_occurrence_id=1, visit_start_date=DAY)] if visits else []
    return plan(a_bundle(visit_occurrence=visit, measurement=list(rows)), settings=SETTINGS)


def vitals(parts: Any) -> list[dict[str, Any]]:
    left_out = {"uuid", "encounter", "external_id"}
    return [
        {c: cell for c, cell in row.items() if cell is not None and c not in left_out}
        for row in rows_of(parts, "form_vitals.measurement")
    ]


@pytest.mark.parametrize(
    ("row", "column", "cell"),
    [
        pytest.param(a_measurement(1, WEIGHT, 78, unit_concept_id=KG), "weight", "171.960565", id="kg"),
        pytest.param(a_measurement(1, WEIGHT, 2750, unit_source_value="g"), "weight", "6.062712", id="g"),
        pytest.param(a_measurement(1, WEIGHT, 150, unit_source_value="[lb_av]"), "weight", "150", id="lb"),
        pytest.param(a_measurement(1, HEIGHT, 163, unit_concept_id=CM), "height", "64.173228", id="cm"),
        pytest.param(a_measurement(1, HEIGHT, 1.27, unit_source_value="m"), "height", "50", id="m"),
        pytest.param(a_measurement(1, ORAL, 37, unit_concept_id=CELSIUS), "temperature", "98.6", id="Cel"),
        pytest.param(a_measurement(1, ORAL, 310.15, unit_source_value="K"), "temperature", "98.6", id="K"),
        pytest.param(a_measurement(1, SYSTOLIC, 138, unit_concept_id=MMHG), "bps", "138", id="mm[Hg]"),
        pytest.param(a_measurement(1, SYSTOLIC, 16, unit_source_value="kPa"), "bps", "120.01", id="kPa"),
        pytest.param(a_measurement(1, PULSE, 76), "pulse", "76", id="the one unit there is"),
        pytest.param(a_measurement(1, PULSE, 76, unit_source_value="{beats}/min"), "pulse", "76", id="beats"),
    ],
)
def test_vitals_in_units_of_openemr(row: list[Any], column: str, cell: str) -> None:
    """Pounds, inches, Fahrenheit, millimetres of mercury, worked out by hand."""
    (found,) = vitals(made(row))

    assert found[column] == cell


@given(
    st.floats(min_value=0.5, max_value=400), st.sampled_from([(WEIGHT, KG), (HEIGHT, CM), (ORAL, CELSIUS)])
)
def test_vitals_agree_with_another_library(value: float, kind: tuple[int, int]) -> None:
    """To the sixth decimal, with units as pint itself defines them."""
    units: Any = _PINT
    unit, column, into = {
        KG: (units.kilogram, "weight", units.pound),
        CM: (units.centimeter, "height", units.inch),
        CELSIUS: (units.degC, "temperature", units.degF),
    }[kind[1]]

    (found,) = vitals(made(a_measurement(1, kind[0], value, unit_concept_id=kind[1])))

    assert float(found[column]) == pytest.approx(units.Quantity(value, unit).to(into).magnitude, abs=1e-6)


_PINT = pint.UnitRegistry()


def test_vitals_of_a_moment_are_one_row() -> None:
    """Values of one visit and time stand together; a second value of a kind begins another row."""
    noon = datetime.fromisoformat("2020-03-14 12:30:00")
    parts = made(
        a_measurement(1, SYSTOLIC, 138, unit_concept_id=MMHG, measurement_datetime=noon),
        a_measurement(2, DIASTOLIC, 84, unit_concept_id=MMHG, measurement_datetime=noon),
        a_measurement(3, SYSTOLIC, 131, unit_concept_id=MMHG, measurement_datetime=noon),
        a_measurement(4, PULSE, 76),
    )

    assert sorted(vitals(parts), key=str) == [
        {"date": "2020-03-14 00:00:00", "pulse": "76"},
        {"date": "2020-03-14 12:30:00", "bps": "131"},
        {"date": "2020-03-14 12:30:00", "bps": "138", "bpd": "84"},
    ]
    (visit,) = rows_of(parts, "form_encounter")
    assert {row["encounter"] for row in rows_of(parts, "form_vitals.measurement")} == {visit["uuid"]}


def test_vitals_without_a_visit_get_an_encounter_of_their_day() -> None:
    """OpenEMR shows vitals by encounter; results need none."""
    parts = made(
        a_measurement(1, PULSE, 76), a_measurement(2, WEIGHT, 78, unit_concept_id=KG),
        a_measurement(3, PULSE, 70, measurement_date=date(2020, 3, 15)), a_measurement(4, FERRITIN, 9),
        visits=False,
    )  # fmt: skip

    days = rows_of(parts, "form_encounter.measurement")
    assert sorted((day["date"], day["reason"]) for day in days) == [
        ("2020-03-14 00:00:00", "Vital signs recorded without a visit"),
        ("2020-03-15 00:00:00", "Vital signs recorded without a visit"),
    ]
    of_vitals = {row["encounter"] for row in rows_of(parts, "form_vitals.measurement")}
    assert of_vitals == {day["uuid"] for day in days}
    (order,) = rows_of(parts, "procedure_order.measurement")
    assert order["encounter_id"] is None


@pytest.mark.parametrize(
    ("row", "result", "units"),
    [
        pytest.param(a_measurement(1, WEIGHT, 78), "78", "", id="no unit where several are in use"),
        pytest.param(a_measurement(1, WEIGHT, 78, unit_concept_id=NG_ML), "78", "ng/mL", id="not a weight"),
        pytest.param(a_measurement(1, WEIGHT, 12, unit_source_value="stones"), "12", "stones", id="no UCUM"),
        pytest.param(
            a_measurement(1, WEIGHT, 2, unit_concept_id=KG, operator_concept_id=LESS_THAN),
            "<2",
            "kg",
            id="bound",
        ),
        pytest.param(a_measurement(1, WEIGHT, 0, unit_concept_id=KG), "0", "kg", id="nothing weighs nothing"),
        pytest.param(a_measurement(1, WEIGHT, -4, unit_concept_id=KG), "-4", "kg", id="negative"),
        pytest.param(
            a_measurement(1, WEIGHT, 1e6, unit_concept_id=KG), "1000000", "kg", id="beyond the column"
        ),
        pytest.param(a_measurement(1, WEIGHT, value_source_value="refused"), "refused", "", id="words"),
    ],
)
def test_vitals_that_their_column_cannot_hold_are_results(row: list[Any], result: str, units: str) -> None:
    """They are shown as they were recorded."""
    parts = made(row)

    assert vitals(parts) == []
    (found,) = rows_of(parts, "procedure_result.measurement")
    assert (found["result"], found["units"], found["result_code"]) == (result, units, "29463-7")
    assert parts.not_mapped == {}


def test_vitals_without_a_value_are_counted() -> None:
    """There is nothing to show."""
    parts = made(a_measurement(1, ORAL), a_measurement(2, SYSTOLIC, value_source_value=" "))

    assert parts.not_mapped == {"measurement": {"no_value": 2}}
    assert rows_of(parts, "procedure_report.measurement") == []


def test_results_of_a_visit_and_day_are_one_order() -> None:
    """An order at its earliest finding, a report for each, in it the result with unit, range and judgement."""
    eight, nine = (datetime.fromisoformat(f"2020-03-14 0{hour}:00:00") for hour in (8, 9))
    parts = made(
        a_measurement(
            1, value=7.4, unit_concept_id=NG_ML, range_low=12, range_high=300.5, measurement_datetime=nine
        ),
        a_measurement(2, CULTURE, measurement_datetime=eight),
        a_measurement(3, value=40, measurement_date=date(2020, 3, 15)),
    )

    orders = {row["uuid"]: row for row in rows_of(parts, "procedure_order.measurement")}
    reports = rows_of(parts, "procedure_report.measurement")
    assert sorted(
        (
            orders[r["procedure_order_id"]]["date_ordered"],
            r["procedure_code"],
            r["procedure_name"],
            r["date_report"],
        )
        for r in reports
    ) == [
        ("2020-03-14 08:00:00", "2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "2020-03-14 09:00:00"),
        ("2020-03-14 08:00:00", "SNOMED-CT:117015009", "Throat culture", "2020-03-14 08:00:00"),
        ("2020-03-15 00:00:00", "2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "2020-03-15 00:00:00"),
    ]
    assert {row["procedure_order_type"] for row in orders.values()} == {"laboratory_test"}
    low, _ = sorted(rows_of(parts, "procedure_result.measurement"), key=lambda r: str(r["date"]))
    assert {c: low[c] for c in ("result_data_type", "result", "units", "range", "abnormal", "result_code")} == {
        "result_data_type": "N", "result": "7.4", "units": "ng/mL", "range": "12-300.5", "abnormal": "low",
        "result_code": "2276-4",
    }  # fmt: skip
    assert low["procedure_report_id"] in {report["uuid"] for report in reports}


@pytest.mark.parametrize(
    ("cells", "result"),
    [
        pytest.param({"value_as_concept_id": PRESENT}, "Present", id="concept"),
        pytest.param({"value_as_concept_id": 999}, "OMOP concept 999", id="concept unknown to the bundle"),
        pytest.param({"value_source_value": "trace"}, "trace", id="words"),
        pytest.param({"value": 5, "operator_concept_id": LESS_THAN}, "<5", id="bound"),
        pytest.param({"value": 0}, "0", id="zero is a result"),
        pytest.param({"value_source_value": "DNR"}, "Do not report (DNR)", id="word that OpenEMR hides"),
        pytest.param({"value_source_value": "tnp"}, "Test not performed (TNP)", id="in small letters too"),
    ],
)
def test_values_of_results(cells: dict[str, Any], result: str) -> None:
    """A number, an answer or the source's words."""
    (found,) = rows_of(made(a_measurement(**cells)), "procedure_result.measurement")

    assert found["result"] == result


@pytest.mark.parametrize(
    ("value", "low", "high", "judged", "shown"),
    [
        (5, 4, 6, "no", "4-6"),
        (4, 4, 6, "no", "4-6"),
        (6.1, 4, 6, "high", "4-6"),
        (3.9, 4, None, "low", "4-"),
        (5, None, 6, "", "-6"),
        (5, None, None, "", ""),
    ],
)
def test_judgement_of_a_number(
    value: float, low: float | None, high: float | None, judged: str, shown: str
) -> None:
    """By its own range; OpenEMR's words for it."""
    row = a_measurement(value=value, range_low=low, range_high=high)

    (found,) = rows_of(made(row), "procedure_result.measurement")

    assert (found["abnormal"], found["range"]) == (judged, shown)


def test_measurements_without_a_day_or_a_name_are_counted() -> None:
    """An impossible row has its reason."""
    parts = made(
        a_measurement(1, value=1, measurement_date=None),
        a_measurement(2, 0, value=1),
        a_measurement(3, 0),
    )

    assert parts.not_mapped == {"measurement": {"no_date": 1, "unnamed": 1, "nothing_recorded": 1}}


def test_a_person_with_twenty_thousand_measurements() -> None:
    """Each value is in a row; ids that repeat are told apart."""
    rows = [
        a_measurement(n // 2, WEIGHT if n % 2 else FERRITIN, n + 1, unit_concept_id=KG) for n in range(20_000)
    ]

    parts = made(*rows)

    assert len(rows_of(parts, "form_vitals.measurement")) == 10_000
    results = rows_of(parts, "procedure_result.measurement")
    assert len(results) == len({row["uuid"] for row in results}) == 10_000
    assert len(rows_of(parts, "procedure_order.measurement")) == 1


def test_observations_that_are_measurements_are_results() -> None:
    """By the domain of their concept; the source's words are the value."""
    bundle = a_bundle(
        observation=[
            a_row(
                "observation", observation_concept_id=CULTURE, observation_date=DAY, value_as_string="growth"
            )
        ]
    )
    known = bundle.concept[CULTURE]._replace(domain_id="Measurement")
    parts = plan(bundle.model_copy(update={"concept": {**bundle.concept, CULTURE: known}}), settings=SETTINGS)

    (result,) = rows_of(parts, "procedure_result.observation")
    assert (result["result_text"], result["result"]) == ("Throat culture", "growth")
