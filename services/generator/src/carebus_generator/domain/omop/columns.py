"""Columns of OMOP tables as numbers and shared labels, from which text, Arrow or plain values are made.

A column never holds an object a row: it holds numpy numbers, or places in a short list of labels. So
a chunk of patients becomes text without a step in Python for each cell (``domain/text.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import isnan
from typing import TypeAlias

import numpy as np

from carebus_generator.domain.draws import Floats, Ints

STRIDE = 1_000
"""Record ids are ``person_id × STRIDE + place in the person's rows``: unique in a table without any
sequence, ascending in the order of rows, and within 32 bits up to 2 million persons."""

Value: TypeAlias = int | float | str | date | datetime | None


class Labels:
    """A list of values that many rows share; place -1 stands for null."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = tuple(values)
        self._texts: dict[Callable[[Value], bytes], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.values)

    def texts(self, write: Callable[[Value], bytes]) -> np.ndarray:
        """Return the labels as text, and that of null behind the last; made once for each ``write``."""
        if write not in self._texts:
            self._texts[write] = np.array([*map(write, self.values), write(None)], dtype=np.bytes_)
        return self._texts[write]


@dataclass(frozen=True, slots=True)
class Same:
    """One value in all rows."""

    value: int | str | None


@dataclass(frozen=True, slots=True)
class Coded:
    """A label a row; -1 is null."""

    labels: Labels
    places: Ints


@dataclass(frozen=True, slots=True)
class PersonIds:
    """The persons of a chunk."""

    first: int
    count: int

    @property
    def ids(self) -> Ints:
        """One a patient."""
        return np.arange(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True)
class PersonId:
    """The id of the person that a row belongs to."""

    persons: PersonIds
    patient: Ints


@dataclass(frozen=True, slots=True)
class RecordId:
    """The id of a record, of this row or of one that it refers to: ``person × STRIDE + slot``; -1 is null."""

    persons: PersonIds
    patient: Ints
    slot: Ints

    @property
    def ids(self) -> Ints:
        """One a row; -1 is null."""
        ids: Ints = np.where(self.slot < 0, -1, (self.persons.first + self.patient) * STRIDE + self.slot)
        return ids


@dataclass(frozen=True, slots=True)
class Decimals:
    """Numbers with at most six decimals; NaN is null."""

    values: Floats


@dataclass(frozen=True, slots=True)
class Days:
    """The days of some seconds since the base date; below 0 is null."""

    base: date
    seconds: Ints


@dataclass(frozen=True, slots=True)
class Moments:
    """Seconds since the base date at midnight; below 0 is null."""

    base: date
    seconds: Ints


Column: TypeAlias = Same | Coded | PersonId | RecordId | Decimals | Days | Moments


@dataclass(frozen=True)
class Table:
    """Rows of one table of a chunk, sorted by patient; columns are all of CDM 5.4, in its order."""

    name: str
    patient: Ints
    """The patient of each row, from 0 in this chunk, ascending."""
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.patient)


def slots(patient: Ints, count: int) -> Ints:
    """Return the place of each row among those of its patient, from 0.

    Raises:
        ValueError: A patient has more rows than ids are kept for.
    """
    each = np.bincount(patient, minlength=count)
    if len(each) and each.max() > STRIDE:
        raise ValueError(f"a patient has {each.max():,} rows in one table, and ids for {STRIDE:,}")
    starts = np.cumsum(each) - each
    found: Ints = np.arange(len(patient)) - starts[patient]
    return found


def values(column: Column, rows: int) -> list[Value]:
    """Return a column as plain values: what readable cards and tests need, too slow for whole data sets."""
    match column:
        case Same(value):
            return [value] * rows
        case Coded(labels, places):
            listed = (*labels.values, None)
            return [listed[place] for place in places.tolist()]
        case PersonId(persons, patient):
            return (persons.first + patient).tolist()  # type: ignore[no-any-return]
        case RecordId():
            return [None if i < 0 else i for i in column.ids.tolist()]
        case Decimals(numbers):
            return [None if isnan(v) else v for v in numbers.tolist()]
        case Days(base, seconds):
            return [None if s < 0 else base + timedelta(days=s // 86_400) for s in seconds.tolist()]
        case Moments(base, seconds):
            midnight = datetime(base.year, base.month, base.day)  # noqa: DTZ001 - OMOP times have no zone
            return [None if s < 0 else midnight + timedelta(seconds=s) for s in seconds.tolist()]
