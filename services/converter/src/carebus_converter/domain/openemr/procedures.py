"""PROCEDURE_OCCURRENCE: an order with its line and report at a visit, an entry of the surgeries without one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_converter.domain.openemr.cells import NULL, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import code_of, codes_of, title_of
from carebus_converter.domain.openemr.lists import list_row
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered

PROCEDURE = '"procedure"'
"""The order type by which FHIR finds procedures."""
REPORT_ROW = "1"
"""Last digit of the uuid of an order's report; the order's own is 0."""


class ProcedureRows(NamedTuple):
    """Rows of the tables that procedures go to."""

    orders: list[str]
    reports: list[str]
    surgeries: list[str]


class Named(NamedTuple):
    """A procedure's name as cells: of a list row, and of a report."""

    of_list: str
    of_report: str


def procedure_rows(chart: Chart, procedures: Sequence[ProcedureOccurrence]) -> ProcedureRows:
    """Return the rows of all procedures; FHIR shows either kind as a Procedure, so each is in one."""
    out = ProcedureRows([], [], [])
    concept_of = chart.concepts.get
    for row, copy in numbered(procedures):
        named = _named(
            row.procedure_concept_id,
            concept_of(row.procedure_concept_id),
            concept_of(row.procedure_source_concept_id),
            row.procedure_source_value,
        )
        if named is None:
            chart.skip("procedure_occurrence", NotMapped.NOTHING_RECORDED)
            continue
        record_id = row.procedure_occurrence_id
        uuid = chart.ids.uuid("procedure_occurrence", record_id, copy)
        when = moment(row.procedure_date, row.procedure_datetime)
        encounter = chart.encounter(row.visit_occurrence_id)
        if encounter == NULL:
            ended = moment(row.procedure_end_date, row.procedure_end_datetime)
            out.surgeries.append(
                list_row(uuid, named.of_list, begun=when, ended=ended, record_id=record_id, encounter=NULL)
            )
        else:
            provider = chart.directory.provider(row.provider_id)
            out.orders.append(f'["{uuid}",{PROCEDURE},{when},{encounter},"{record_id}",{provider}]')
            out.reports.append(f'["{uuid[:31]}{REPORT_ROW}","{uuid}",{named.of_report},{PROCEDURE},{when}]')
    return out


@lru_cache(maxsize=65_536)
def _named(
    concept_id: int | None, concept: ConceptInUse | None, source: ConceptInUse | None, value: str | None
) -> Named | None:
    title = title_of(concept, source, value, concept_id)
    if not title:
        return None
    name = text(title, 255)
    code = (concept and code_of(concept)) or (source and code_of(source)) or ""
    return Named(
        f'"surgery",{name},{text(codes_of(concept, source), 255)},"confirmed"', f"{text(code, 64)},{name}"
    )
