"""Rules about who the patients are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from carebus_generator.domain.checks.rules import Check
from carebus_generator.domain.cohort import Cohort, Patients
from carebus_generator.domain.draws import Bools, Ints

YOUNGEST, OLDEST = 18, 60
LIGHTEST_KG, HEAVIEST_KG = 45, 130
SERVICE_NUMBER = re.compile(r"([A-Z]{3})-[0-9A-Z]{6}-([0-9]{10})")
"""Nation, mark of the data set, running number: a shape that no national id has."""


def of_persons(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """Who the patients are."""
    p = cohort.patients
    everybody = np.arange(len(cohort))
    yield (
        "index",
        "patients stand in order of their index, without gaps",
        everybody,
        np.diff(p.index, prepend=p.index[:1] - 1) != 1,
    )
    yield (
        "weight",
        f"weight is {LIGHTEST_KG} to {HEAVIEST_KG} kg",
        everybody,
        (p.weight_kg < LIGHTEST_KG) | (p.weight_kg > HEAVIEST_KG),
    )


def of_ages(base_day: int) -> Check:
    """Return the check of ages at the day of injury; ``base_day`` is the scenario's, since 1970-01-01."""

    def check(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
        p = cohort.patients
        injured_year, injured_on = _calendar(base_day + p.injured_s // 86_400)
        born_year, born_on = _calendar(p.birth_day)
        age = injured_year - born_year - (injured_on < born_on)
        yield (
            "age",
            f"patients are {YOUNGEST} to {OLDEST} years old on the day of injury",
            np.arange(len(cohort)),
            (age < YOUNGEST) | (age > OLDEST),
        )

    return check


def of_numbers(service_numbers: Callable[[Patients], list[str]], nations: tuple[str, ...]) -> Check:
    """Return the check of service numbers.

    Args:
        service_numbers: Returns the numbers of some patients.
        nations: Codes of the nations, by row.
    """

    def check(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
        p = cohort.patients
        wrong = []
        for number, nation, index in zip(
            service_numbers(p), p.nation.tolist(), p.index.tolist(), strict=True
        ):
            shape = SERVICE_NUMBER.fullmatch(number)
            wrong.append(shape is None or shape[1] != nations[nation] or int(shape[2]) != index + 1)
        yield (
            "service number",
            "service numbers have one shape, which is no national id's, and name nation and patient",
            np.arange(len(cohort)),
            np.asarray(wrong, dtype=np.bool_),
        )

    return check


def _calendar(days: Ints) -> tuple[Ints, Ints]:
    """Return the year, and a number that rises through it by month and day, of days since 1970-01-01."""
    day = days.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    number = month.astype(np.int64)
    return number // 12, number % 12 * 32 + (day - month).astype(np.int64)
