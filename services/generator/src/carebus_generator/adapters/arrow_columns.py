"""Columns of OMOP tables as Arrow arrays, and back."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from types import UnionType
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from carebus_contracts.omop.catalog import TableSpec
from carebus_generator.domain.omop.columns import (
    Coded,
    Column,
    Days,
    Decimals,
    Labels,
    Moments,
    PersonId,
    RecordId,
    Same,
)

_TYPES = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
}
_EPOCH = date(1970, 1, 1)
_DAY = 86_400


@lru_cache
def arrow_schema(spec: TableSpec) -> Any:
    """Return the schema of a table: integers of 64 bits, doubles, text, days, times in microseconds."""
    fields = []
    for column, annotation in spec.types.items():
        kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        fields.append(pa.field(column, _TYPES[kinds[0]]))
    return pa.schema(fields)


def arrow_column(column: Column, rows: int, kind: Any) -> Any:
    """Return a column as an array of that type."""
    match column:
        case Same(value):
            return pa.nulls(rows, kind) if value is None else pa.repeat(pa.scalar(value, kind), rows)
        case Coded(labels, places):
            codes = pa.array(places.astype(np.int32), mask=places < 0)
            return pa.array(labels.values, kind).take(codes)
        case PersonId(persons, patient):
            return pa.array(persons.first + patient)
        case RecordId():
            ids = column.ids
            return pa.array(ids, mask=ids < 0)
        case Decimals(numbers):
            return pa.array(numbers, mask=np.isnan(numbers))
        case Days(base, seconds):
            days = (base - _EPOCH).days + seconds // _DAY
            return pa.array(days.astype(np.int32), mask=seconds < 0).cast(kind)
        case Moments(base, seconds):
            micros = ((base - _EPOCH).days * _DAY + seconds) * 1_000_000
            return pa.array(micros, mask=seconds < 0).cast(kind)


def column_of(array: Any) -> Column:
    """Return an array, whole or in chunks, as a column of labels: each different value once."""
    coded = array.combine_chunks().dictionary_encode()
    places = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Coded(Labels(coded.dictionary.to_pylist()), places)
