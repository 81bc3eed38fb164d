"""How a delimited file is laid out: its delimiter, its header, and which field is which column."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from carebus_extractor.domain.casts import kind_of
from carebus_extractor.domain.columns import ALL_TABLES, clean_name, match_columns

DELIMITERS = (",", "\t", ";", "|")
SAMPLE_ROWS = 200
"""Rows that are looked at to see how the fields lie."""

_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*")
_DATE = re.compile(r"\s*\d{4}-?\d{1,2}-?\d{1,2}([T ].*)?\s*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the fields of a file lie."""

    delimiter: str
    fields: tuple[str | None, ...]
    """Name of each field of a row; None for one that the header does not name."""
    note: str = ""


def layout_of(table: str, sample: str, delimiter: str = "auto", *, cut: bool = False) -> Layout:
    """Look at the beginning of a file.

    The delimiter is the one under which the header names the most columns of the table, whatever
    the file's suffix says. Where rows have more fields than the header has names, the names belong
    to the first fields or to the last (R leaves the name of the row numbers out), whichever makes
    numbers and dates of the columns that hold them.

    Args:
        table: The CDM table.
        sample: The first lines, or all of the file.
        delimiter: One character, ``tab`` or ``auto``.
        cut: The file goes on after the sample, so that its last line is likely not whole.
    """
    chosen = _chosen(lambda header: len(match_columns(table, header).places), sample, delimiter)
    header, rows = _records(sample, chosen, cut=cut)
    names = list(header)
    widths = Counter(map(len, rows)) or {len(names): 1}
    width = max(
        widths, key=lambda w: (widths[w], w == len(names))
    )  # where rows disagree, the header is believed
    if width < len(names):
        if not any(name.strip() for name in names[width:]):
            return Layout(chosen, tuple(names[:width]))
        lost = ", ".join(name.strip() for name in names[width:])
        return Layout(
            chosen, tuple(names[:width]), f"its rows are shorter than its header: {lost} read as empty"
        )
    extra = width - len(names)
    if not extra:
        return Layout(chosen, tuple(names))
    left: tuple[str | None, ...] = (*names, *[None] * extra)
    right: tuple[str | None, ...] = (*[None] * extra, *names)
    shifted = _fit(table, right, rows) > _fit(table, left, rows)
    if not shifted and not any(cell for row in rows for cell in row[len(names) :]):
        return Layout(chosen, left)
    side = "first" if shifted else "last"
    return Layout(
        chosen,
        right if shifted else left,
        f"its rows have {extra} more field{'s' * (extra > 1)} than its header has names: "
        f"the {side} {extra} left behind",
    )


def layout_with(columns: Sequence[str], sample: str, delimiter: str = "auto") -> Layout:
    """Look at the beginning of a file that is no table of the CDM: its header names all fields."""
    wanted = {clean_name(column) for column in columns}

    def known(header: Sequence[str]) -> int:
        return len(wanted.intersection(map(clean_name, header)))

    chosen = _chosen(known, sample, delimiter)
    return Layout(chosen, tuple(_records(sample, chosen, rows=0)[0]))


def _chosen(known: Callable[[Sequence[str]], int], sample: str, delimiter: str) -> str:
    """Return the delimiter under which the header names the most known columns."""
    if delimiter != "auto":
        return "\t" if delimiter == "tab" else delimiter
    return max(DELIMITERS, key=lambda candidate: known(_records(sample, candidate, rows=0)[0]))


def _records(
    sample: str, delimiter: str, rows: int = SAMPLE_ROWS, *, cut: bool = False
) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(io.StringIO(sample.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    header: list[str] = []
    found: list[list[str]] = []
    try:
        header = next(reader, [])
        while len(found) < rows and (row := next(reader, None)) is not None:
            if row:
                found.append(row)
    except csv.Error:
        pass  # what was read up to here will do
    return header, found[:-1] if cut and len(found) < rows else found


def _fit(table: str, fields: Sequence[str | None], rows: Sequence[Sequence[str]]) -> int:
    """Count the cells that are what their column wants."""
    types = ALL_TABLES[table].types
    score = 0
    for column, place in match_columns(table, fields).places.items():
        kind = kind_of(types[column])
        wanted = _NUMBER if kind in (int, float) else _DATE if kind in (date, datetime) else None
        if wanted:
            score += sum(1 for row in rows if place < len(row) and wanted.fullmatch(row[place]))
    return score
