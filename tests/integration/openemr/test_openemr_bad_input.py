"""What no source should hold arrives all the same, or is counted: from bundle to chart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from carebus_contracts.omop.bundle import PersonRecords
from carebus_contracts.plans import encode_plan, read_plan
from carebus_contracts.receipts import Result
from carebus_converter.domain.openemr import plan
from carebus_loader.adapters.openemr import OpenEmrTarget
from support.target_suite import put
from unit.converter.openemr.factories import SETTINGS, a_bundle, a_row

Read = Callable[..., list[tuple[Any, ...]]]


async def load(target: OpenEmrTarget, bundle: PersonRecords, source: str) -> dict[str, dict[str, int]]:
    parts = plan(bundle.model_copy(update={"source": source}), settings=SETTINGS)
    text = encode_plan(
        target="openemr", source=source, subject="person/7", writes=parts.writes, not_mapped=parts.not_mapped
    )
    written = await put(target, read_plan(text))
    assert written.result is Result.APPLIED
    return parts.not_mapped


async def test_impossible_dates_and_unknown_concepts(target: OpenEmrTarget, read: Read) -> None:
    """They are shown as they were recorded; a person of unknown gender is UNK."""
    first, last = date(1, 1, 1), date(2099, 12, 31)
    bundle = a_bundle(
        person=[a_row("person", gender_concept_id=None, year_of_birth=2090)],
        death=[a_row("death", death_date=date(1950, 1, 1), cause_concept_id=99)],
        visit_occurrence=[
            a_row("visit_occurrence", visit_occurrence_id=1, visit_start_date=last, visit_end_date=first)
        ],
        condition_occurrence=[
            a_row(
                "condition_occurrence", condition_concept_id=123, condition_start_date=last,
                condition_end_date=date(1950, 1, 1),
            )
        ],
        measurement=[
            a_row(
                "measurement", measurement_id=n, measurement_concept_id=124, measurement_date=on,
                value_as_concept_id=125, unit_concept_id=126, visit_occurrence_id=visit,
            )
            for n, on, visit in ((1, first, 1), (2, last, 1), (3, last, 77))
        ],
        procedure_occurrence=[
            a_row(
                "procedure_occurrence", procedure_concept_id=127, procedure_date=first,
                procedure_end_date=date(1950, 1, 1),
            )
        ],
        device_exposure=[a_row("device_exposure", device_concept_id=128, device_exposure_start_date=last)],
    )  # fmt: skip

    not_mapped = await load(target, bundle, "impossible")

    assert not_mapped == {}
    ((pid, sex),) = read("SELECT pid, sex FROM patient_data WHERE pubpid = 'impossible:7'")
    assert sex == "UNK"
    titles = read("SELECT title FROM lists WHERE pid = %s ORDER BY title", pid)
    assert titles == [("OMOP concept 123",), ("OMOP concept 127",), ("OMOP concept 128",)]
    assert read(
        "SELECT CAST(s.date AS CHAR), s.result_text, s.result FROM procedure_result s "
        "JOIN procedure_report r USING (procedure_report_id) JOIN procedure_order o USING (procedure_order_id) "
        "WHERE o.patient_id = %s ORDER BY 1",
        pid,
    ) == [
        ("0001-01-01 00:00:00", "OMOP concept 124", "OMOP concept 125"),
        ("2099-12-31 00:00:00", "OMOP concept 124", "OMOP concept 125"),
        ("2099-12-31 00:00:00", "OMOP concept 124", "OMOP concept 125"),
    ]


async def test_texts_longer_than_their_columns(target: OpenEmrTarget, read: Read) -> None:
    """Words, units and names are cut to what a column holds, where that is told by an ellipsis."""
    bundle = a_bundle(
        measurement=[
            a_row(
                "measurement", measurement_concept_id=0, measurement_date=date(2020, 1, 1),
                measurement_source_value="name\t\\" * 90, value_source_value="\U0001f52c" * 300,
                unit_source_value="u" * 60,
            )
        ],
        device_exposure=[
            a_row(
                "device_exposure", device_source_value="d" * 999, unique_device_id="(01)" + "9" * 400,
                device_exposure_start_date=date(2020, 1, 1),
            )
        ],
    )  # fmt: skip

    await load(target, bundle, "long")

    (found,) = read(
        "SELECT CHAR_LENGTH(c.procedure_name), s.result = CONCAT(REPEAT('\U0001f52c', 254), '…'), s.units "
        "FROM patient_data p JOIN procedure_order o ON o.patient_id = p.pid "
        "JOIN procedure_order_code c USING (procedure_order_id) JOIN procedure_report r "
        "USING (procedure_order_id) JOIN procedure_result s USING (procedure_report_id) "
        "WHERE p.pubpid = 'long:7'"
    )
    assert found == (255, 1, "u" * 30 + "…")


async def test_a_person_with_twenty_thousand_measurements(target: OpenEmrTarget, read: Read) -> None:
    """Vitals and results in one chart, in one piece."""
    weight, ferritin, kilogram = 3025315, 3001122, 9529
    rows = [
        a_row(
            "measurement", measurement_id=n, measurement_concept_id=weight if n % 2 else ferritin,
            measurement_date=date(2000 + n % 20, 1, 1 + n % 28), value_as_number=1 + n % 99,
            unit_concept_id=kilogram,
        )
        for n in range(20_000)
    ]  # fmt: skip

    not_mapped = await load(target, a_bundle(measurement=rows), "twenty")

    assert not_mapped == {}
    ((pid,),) = read("SELECT pid FROM patient_data WHERE pubpid = 'twenty:7'")
    assert read("SELECT COUNT(*), COUNT(weight) FROM form_vitals WHERE pid = %s", pid) == [(10_000, 10_000)]
    assert read(
        "SELECT COUNT(*), COUNT(DISTINCT o.procedure_order_id) FROM procedure_result s "
        "JOIN procedure_report USING (procedure_report_id) JOIN procedure_order o USING (procedure_order_id) "
        "WHERE o.patient_id = %s",
        pid,
    ) == [(10_000, len({(n % 20, n % 28) for n in range(0, 20_000, 2)}))]
    assert read(
        "SELECT COUNT(*) FROM forms f JOIN form_encounter e USING (pid, encounter) WHERE f.pid = %s "
        "AND f.formdir = 'vitals'",
        pid,
    ) == [(10_000,)]
