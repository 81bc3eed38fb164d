"""OBSERVATION: allergies, smoking, and for now a count of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.openemr.allergies import allergy_row, is_allergy
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered
from carebus_converter.domain.openemr.smoking import Smoking, newest, smoking_of, smoking_row


class ObservationRows(NamedTuple):
    """Rows of the two tables that observations go to."""

    allergies: list[str]
    history: list[str]


def observation_rows(chart: Chart, observations: Sequence[Observation]) -> ObservationRows:
    """Return the rows of observations that have a place."""
    allergies: list[str] = []
    smoking: list[tuple[Observation, int, Smoking]] = []
    unplaced = 0
    for row, copy in numbered(observations):
        if is_allergy(chart.concepts.get(row.observation_concept_id)):
            allergies.append(allergy_row(chart, row, copy))
        elif stated := smoking_of(chart, row):
            smoking.append((row, copy, stated))
        else:
            unplaced += 1
    chart.skip("observation", NotMapped.NO_MAPPER, unplaced)
    if not smoking:
        return ObservationRows(allergies, [])
    chart.skip("observation", NotMapped.SUPERSEDED, len(smoking) - 1)
    return ObservationRows(allergies, [smoking_row(chart, *newest(smoking))])
