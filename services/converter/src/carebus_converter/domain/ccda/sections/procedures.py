"""Procedures."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import coder, template
from carebus_converter.domain.ccda.not_mapped import NotMapped
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import bound_high, stamp

_FRAME = frame(
    "2.7.1",
    "2.7",
    version="2014-06-09",
    code="47519-4",
    name="History of Procedures Document",
    title="Procedures",
    columns=("Procedure", "Date", "End"),
    required=False,
)
_START = '<entry typeCode="DRIV"><procedure classCode="PROC" moodCode="EVN">' + template("4.14", "2014-06-09")

_procedure = coder("code", "SNOMED", also=True)


def procedures(rows: Sequence[tuple[str, ProcedureOccurrence]], chart: Chart) -> str:
    """Build the Procedures section, newest first; "" without rows.

    Every row is a ``procedure``, because OpenEMR reads no other kind.

    Source:
        C-CDA R2.1 Procedures Section (entries required), template 2.16.840.1.113883.10.20.22.2.7.1.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("procedure_occurrence")
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in rows:
        concept = concepts[row.procedure_concept_id]
        source = concepts[row.procedure_source_concept_id]
        if concept is None and source is None and not clean(row.procedure_source_value):
            chart.skip("procedure_occurrence", NotMapped.NOTHING_RECORDED)
            continue
        code, label = _procedure(concept, source, row.procedure_source_value)
        when, shown = stamp(row.procedure_date, row.procedure_datetime, offset)
        high, end = stamp(row.procedure_end_date, row.procedure_end_datetime, offset)
        narrative.append(f'<tr ID="procedure-{ext}"><td>{label}</td><td>{shown}</td><td>{end}</td></tr>')
        entries.append(
            f'{_START}{identity}{ext}"/>{code}<text><reference value="#procedure-{ext}"/></text>'
            f'<statusCode code="completed"/>{_time(when, high)}'
            f"{chart.directory.performer(row.provider_id)}</procedure></entry>"
        )
    return _FRAME.filled(narrative, entries)


def _time(when: str, high: str) -> str:
    if not when:
        return '<effectiveTime nullFlavor="UNK"/>'
    if not high or high == when:
        return f'<effectiveTime value="{when}"/>'
    return f'<effectiveTime><low value="{when}"/>{bound_high(when, high)}</effectiveTime>'
