"""MEASUREMENT: vital signs where OpenEMR has a column for the value, results for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carebus_contracts.omop.measurement import Measurement
from carebus_converter.domain.openemr.cells import NULL, moment
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.labs import Findings, Value, answer_of, test_of
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered
from carebus_converter.domain.openemr.visits import DaysWithoutVisit
from carebus_converter.domain.openemr.vitals import VitalForms, measured, vital_of


@dataclass(slots=True)
class Measured:
    """Rows of the tables that measurements go to."""

    days: DaysWithoutVisit
    vitals: VitalForms
    findings: Findings
    vital_count: int = 0


def measurement_rows(chart: Chart, measurements: Sequence[Measurement]) -> Measured:
    """Return the rows of all measurements.

    A vital sign whose value its column cannot hold (no unit, one that does not convert, a bound, a
    number that cannot be) is a result, which says it as it was recorded. One without any value has
    nothing to show. Any other test without a value is a report without a result: it was made.
    Vitals need an encounter; where the source has none, their day gets one. An order needs none.
    """
    out = Measured(DaysWithoutVisit(chart), VitalForms(chart.ids), Findings(chart, "measurement"))
    concept_of = chart.concepts.get
    for row, copy in sorted(numbered(measurements), key=lambda pair: (pair[0][0], pair[1])):
        on = row.measurement_date or (row.measurement_datetime and row.measurement_datetime.date())
        concept = concept_of(row.measurement_concept_id)
        if on is None:
            chart.skip("measurement", NotMapped.NO_DATE)
            continue
        unit = concept_of(row.unit_concept_id)
        value = Value(
            row.value_as_number,
            answer_of(concept_of(row.value_as_concept_id), row.value_as_concept_id),
            row.value_source_value,
            unit,
            row.unit_source_value,
            row.operator_concept_id,
            row.range_low,
            row.range_high,
        )
        vital = vital_of(concept)
        if vital is not None and value.empty:
            chart.skip("measurement", NotMapped.NO_VALUE)
            continue
        test = test_of(
            concept,
            concept_of(row.measurement_source_concept_id),
            row.measurement_source_value,
            row.measurement_concept_id,
        )
        if test is None:
            chart.skip("measurement", NotMapped.NOTHING_RECORDED if value.empty else NotMapped.UNNAMED)
            continue
        when = moment(on, row.measurement_datetime)
        encounter = chart.encounter(row.visit_occurrence_id)
        if vital is not None and (cell := measured(vital, row, unit)):
            if encounter == NULL:
                encounter = out.days.encounter(on)
            out.vitals.add(vital, cell, row.measurement_id, when=when, encounter=encounter)
            out.vital_count += 1
        else:
            out.findings.add(
                row.measurement_id,
                copy,
                test=test,
                on=on,
                when=when,
                encounter=encounter,
                provider=chart.directory.provider(row.provider_id),
                value=value,
            )
    return out
