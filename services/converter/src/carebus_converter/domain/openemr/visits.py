"""VISIT_OCCURRENCE as encounters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_converter.domain.openemr.cells import NULL, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered
from carebus_converter.domain.openemr.visit_kinds import KINDS, OTHER

ENCOUNTERS = (
    "uuid",
    "date",
    "date_end",
    "reason",
    "class_code",
    "pc_catid",
    "pos_code",
    "external_id",
    "provider",
    "site",
)


WITHOUT_VISIT = "Vital signs recorded without a visit"

OFFICE_VISIT = 5
"""A shipped calendar category; OpenEMR wants one, and an import must not invent more of them."""


def visit_rows(chart: Chart, visits: Sequence[VisitOccurrence]) -> list[str]:
    """Return one encounter a visit, and tell the chart their uuids."""
    rows: list[str] = []
    encounters: dict[int, str] = {}
    for visit, copy in numbered(visits):
        if visit.visit_start_date is None and visit.visit_start_datetime is None:
            chart.skip("visit_occurrence", NotMapped.NO_DATE)
            continue
        uuid = chart.ids.uuid("visit_occurrence", visit.visit_occurrence_id, copy)
        encounters.setdefault(visit.visit_occurrence_id, uuid)
        rows.append(
            f'["{uuid}",{moment(visit.visit_start_date, visit.visit_start_datetime)}'
            f",{moment(visit.visit_end_date, visit.visit_end_datetime)}"
            f",{_kind(visit.visit_concept_id, chart.concepts.get(visit.visit_concept_id))}"
            f',"{visit.visit_occurrence_id}",{chart.directory.provider(visit.provider_id)}'
            f",{chart.directory.site(visit.care_site_id)}]"
        )
    chart.encounters = encounters
    return rows


@dataclass(slots=True)
class DaysWithoutVisit:
    """Encounters for vitals that the source ties to no visit: one a day, as OpenEMR shows vitals by encounter.

    They say of themselves what they are, so that nobody takes them for a visit of the source.
    """

    chart: Chart
    _uuids: dict[date, str] = field(default_factory=dict)

    def encounter(self, on: date) -> str:
        """Return the cell that refers to the encounter of a day."""
        if on not in self._uuids:
            self._uuids[on] = self.chart.ids.uuid("vitals without a visit", on.toordinal())
        return f'"{self._uuids[on]}"'

    def rows(self) -> list[str]:
        """Return the encounters."""
        what = f'{text(WITHOUT_VISIT, 255)},"{OTHER.class_code}",{OFFICE_VISIT},{NULL}'
        return [
            f'["{uuid}",{moment(on, None)},{moment(on, None)},{what},{NULL},{NULL},{NULL}]'
            for on, uuid in self._uuids.items()
        ]


@lru_cache(maxsize=4_096)
def _kind(concept_id: int | None, concept: ConceptInUse | None) -> str:
    kind = KINDS.get(concept_id or 0, OTHER)
    reason = concept.concept_name if concept is not None and concept.concept_name else kind.name
    place = NULL if kind.place is None else kind.place
    return f'{text(reason, 255)},"{kind.class_code}",{OFFICE_VISIT},{place}'
