"""Problems: conditions, and histories that a source keeps as observations."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import template
from carebus_converter.domain.ccda.not_mapped import NotMapped
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.sections.problem_observation import (
    condition_value,
    problem_observation,
    problem_value,
)
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import interval, stamp

_FRAME = frame(
    "2.5.1",
    "2.5",
    version="2015-08-01",
    code="11450-4",
    name="Problem list - Reported",
    title="Problems",
    columns=("Problem", "Status", "Onset", "Resolved"),
    required=True,
)
_ACT = f'<entry typeCode="DRIV"><act classCode="ACT" moodCode="EVN">{template("4.3", "2015-08-01")}'
_CONCERN = '.act"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6" displayName="Concern"/>'
_END = "</act></entry>"


def problems(
    conditions: Sequence[tuple[str, ConditionOccurrence]],
    histories: Sequence[tuple[str, Observation]],
    chart: Chart,
) -> str:
    """Build the Problems section, newest first.

    Onset and end stand on the concern as well as on its observation, because OpenEMR reads them
    there. An end makes the concern completed. Each concern holds one observation.

    Args:
        conditions: Numbered rows that are no allergies.
        histories: Observations such as "History of appendectomy"; they stay active concerns.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Problem Section (entries required), template 2.16.840.1.113883.10.20.22.2.5.1.
    """
    concepts, offset = chart.concepts, chart.offset
    narrative: list[str] = []
    entries: list[str] = []
    identity = chart.id_start("condition_occurrence")
    for ext, row in conditions:
        coded = condition_value(row, chart)
        if coded is None:
            chart.skip("condition_occurrence", NotMapped.NOTHING_RECORDED)
            continue
        value, label = coded
        low, onset = stamp(row.condition_start_date, row.condition_start_datetime, offset)
        high, end = stamp(row.condition_end_date, row.condition_end_datetime, offset)
        if row.stop_reason:
            end = f"{end} ({clean(row.stop_reason)})"
        status = "completed" if high else "active"
        narrative.append(
            f'<tr ID="condition-{ext}"><td>{label}</td><td>{"Resolved" if high else "Active"}</td>'
            f"<td>{onset}</td><td>{end}</td></tr>"
        )
        entries.append(
            _entry(
                identity,
                ext,
                anchor=f"condition-{ext}",
                status=status,
                period=interval(low, high),
                value=value,
            )
        )
    if histories:
        identity = chart.id_start("observation")
        for ext, history in histories:
            source = concepts[history.observation_source_concept_id]
            value, label = problem_value(
                concepts[history.observation_concept_id], source, history.observation_source_value
            )
            low, onset = stamp(history.observation_date, history.observation_datetime, offset)
            narrative.append(
                f'<tr ID="history-{ext}"><td>{label}</td><td>Active</td><td>{onset}</td><td/></tr>'
            )
            entries.append(
                _entry(
                    identity,
                    ext,
                    anchor=f"history-{ext}",
                    status="active",
                    period=interval(low, ""),
                    value=value,
                )
            )
    return _FRAME.filled(narrative, entries)


def _entry(identity: str, ext: str, *, anchor: str, status: str, period: str, value: str) -> str:
    observation = problem_observation(identity, ext, anchor=anchor, period=period, value=value)
    return (
        f'{_ACT}{identity}{ext}{_CONCERN}<statusCode code="{status}"/>'
        f"<effectiveTime>{period}</effectiveTime>{observation}{_END}"
    )
