"""A chunk of patients as rows of OMOP CDM 5.4.

Source:
    OHDSI CommonDataModel v5.4; conventions of generator_facts' sources for visits and types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carebus_generator.domain.cohort import Cohort
from carebus_generator.domain.omop.columns import PersonIds, Table
from carebus_generator.domain.omop.events import Events
from carebus_generator.domain.omop.observations import observation
from carebus_generator.domain.omop.persons import death, observation_period, person
from carebus_generator.domain.omop.surroundings import Surroundings
from carebus_generator.domain.omop.visits import StayOrder, visit_detail, visit_occurrence


@dataclass(frozen=True)
class OmopChunk:
    """Some patients in a row, as tables."""

    surroundings: Surroundings
    first: int
    """Index of the first patient in the data set."""
    persons: PersonIds
    tables: Mapping[str, Table]
    """By name, in the order of a bundle; also those without rows."""

    def __len__(self) -> int:
        return self.persons.count

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {name: len(table) for name, table in self.tables.items()}


def omop_tables(surroundings: Surroundings, cohort: Cohort) -> OmopChunk:
    """Return the OMOP rows of a chunk.

    Args:
        surroundings: Of the data set.
        cohort: Patients with consecutive indices.
    """
    first = int(cohort.patients.index[0]) if len(cohort) else 0
    persons = PersonIds(surroundings.first_person_id + first, len(cohort))
    order = StayOrder.of(cohort)
    events = Events(surroundings, cohort, persons, order)
    tables = (
        person(surroundings, cohort, persons),
        death(surroundings, cohort, persons),
        observation_period(surroundings, cohort, persons),
        visit_occurrence(surroundings, cohort, persons, order),
        visit_detail(surroundings, cohort, persons, order),
        events.condition_occurrence(),
        events.drug_exposure(),
        events.procedure_occurrence(),
        events.device_exposure(),
        events.measurement(),
        observation(surroundings, cohort, persons, order, events),
    )
    return OmopChunk(surroundings, first, persons, {table.name: table for table in tables})
