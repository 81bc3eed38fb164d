"""The parts of the model put together: chunks of patients, whole."""

from __future__ import annotations

import numpy as np

from carebus_generator.domain.bodies import bodies
from carebus_generator.domain.cohort import Cohort
from carebus_generator.domain.diagnosing import diagnoses
from carebus_generator.domain.draws import Draws, Ints
from carebus_generator.domain.flow import flow
from carebus_generator.domain.injuries import injuries
from carebus_generator.domain.model import Model
from carebus_generator.domain.people import people
from carebus_generator.domain.signs import measurements
from carebus_generator.domain.treating import treatments


def make_cohort(model: Model, first: int, count: int) -> Cohort:
    """Make everything about a chunk of patients, from the index ``first`` on; fewer at the end."""
    return cohort_of(model, np.arange(first, min(first + count, model.timeline.total)))


def cohort_of(model: Model, indices: Ints) -> Cohort:
    """Make everything about some patients.

    Args:
        model: The scenario made ready.
        indices: Which patients, ascending.
    """
    patients = people(model, indices)
    draws = Draws(model.seed, indices)
    hurt, wounds = injuries(model, draws, patients)
    stays, courses = flow(model, draws, patients, hurt, wounds, waits=model.waits)
    body = bodies(draws, patients, wounds)
    return Cohort(
        patients=patients,
        injuries=hurt,
        wounds=wounds,
        stays=stays,
        courses=courses,
        diagnoses=diagnoses(draws, patients, hurt, wounds, stays=stays, courses=courses),
        treatments=treatments(draws, wounds, body, stays, courses),
        measurements=measurements(draws, patients, body, stays, courses),
    )
