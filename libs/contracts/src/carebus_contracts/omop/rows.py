"""Rows of a table on the wire: columns once, then arrays, checked against a row type in one pass.

Pydantic checks plain tuples (twice as fast as named ones), and the rows get their names after.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_SCALARS: dict[type, Any] = {
    int: core_schema.int_schema(strict=True),
    str: core_schema.str_schema(strict=True),
    float: core_schema.float_schema(strict=True, allow_inf_nan=False),
    date: core_schema.date_schema(strict=True),
    datetime: core_schema.datetime_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
}


def _cell(annotation: Any) -> CoreSchema:
    if isinstance(annotation, UnionType):
        (inner,) = (a for a in get_args(annotation) if a is not NoneType)
        return core_schema.nullable_schema(_SCALARS[inner])
    return _SCALARS[annotation]  # type: ignore[no-any-return]


@lru_cache
def rows_schema(row: type[NamedTuple]) -> CoreSchema:
    """Return the core schema of a list of ``row``: strict cells, named on the way out."""
    cells = [_cell(annotation) for annotation in get_type_hints(row).values()]
    make = row._make
    return core_schema.no_info_after_validator_function(
        lambda rows: list(map(make, rows)),
        core_schema.list_schema(core_schema.tuple_schema(cells)),
    )


class RowsOf:
    """Annotation: this list holds rows of one NamedTuple type, arrays on the wire."""

    def __init__(self, row: type[NamedTuple]) -> None:
        self.row = row

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return rows_schema(self.row)
