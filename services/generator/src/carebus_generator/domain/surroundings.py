"""What the OMOP rows of a data set have in common, from its model."""

from __future__ import annotations

from carebus_generator.domain.draws import MODEL_VERSION
from carebus_generator.domain.model import Model
from carebus_generator.domain.omop import Site, Surroundings
from carebus_generator.domain.people import data_set_mark
from carebus_generator.domain.reference import BLOOD_GROUPS, NATION_CODES, WARFARE, names


def surroundings_of(model: Model, source: str, first_person_id: int = 1) -> Surroundings:
    """Return the surroundings of all patients of a model.

    Args:
        model: The scenario made ready.
        source: Slug of the data set as a source.
        first_person_id: Person id of the patient with index 0.
    """
    scenario, places = model.scenario, model.facilities
    sites = zip(places.name, places.role.tolist(), places.front.tolist(), places.places, strict=True)
    return Surroundings(
        source=source,
        base_date=scenario.base_date,
        first_person_id=first_person_id,
        nations=NATION_CODES,
        fronts=tuple(front.name for front in scenario.fronts),
        sites=tuple(Site(name, role, front, *(place or ())) for name, role, front, place in sites),
        warfare=names(WARFARE),
        specials=tuple(event.kind for event in scenario.special_events),
        blood_groups=names(BLOOD_GROUPS),
        environments=tuple(names(conditions) for conditions in model.environments),
        posture=scenario.posture,
        mark=data_set_mark(model),
        title=f"Synthetic casualties: {scenario.name}",
        description=f"Scenario {scenario.name}, seed {model.seed}, model {MODEL_VERSION}, {scenario.mode} mode. "
        "No real persons.",
        last_day=scenario.days,
    )
