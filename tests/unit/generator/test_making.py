"""Whole cohorts: the parts fit together, and chunks change nothing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from carebus_generator.domain.cohort import NONE, Cohort
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.scenario import preset_names
from unit.generator.courses import scenario


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize(("count", "chunk"), [(60, 7), (400, 100)])
def test_chunks_change_no_table(name: str, count: int, chunk: int) -> None:
    """The same rows in the same order, whatever the chunks."""
    model = compile_model(scenario(name, 400), seed=5)

    whole = make_cohort(model, 0, count)
    parts = [make_cohort(model, first, min(chunk, count - first)) for first in range(0, count, chunk)]

    assert len(whole) == count
    assert len(make_cohort(model, 390, 1_000)) == 10
    for table in fields(Cohort):
        expected = getattr(whole, table.name)
        for field in fields(expected):
            joined = np.concatenate([_column(part, table.name, field.name) for part in parts])
            assert np.array_equal(joined, _column(whole, table.name, field.name)), (table.name, field.name)


def _column(cohort: Cohort, table: str, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return a column, with numbers of rows turned into what does not depend on the chunk."""
    column: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = getattr(getattr(cohort, table), name)
    if name == "patient":
        return cohort.patients.index[column]
    if name in {"wound", "fatal"}:
        keys = cohort.wounds.condition
    elif name == "stay":
        keys = cohort.stays.arrived_s
    else:
        return column
    return np.where(column == NONE, NONE, keys[column]) if len(keys) else column
