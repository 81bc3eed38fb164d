"""Rows as text, without a step in Python for each cell.

Each row is a line of a sheet of bytes with a fixed width a column, filled by numpy from short tables of
text (labels, days, digits); what a cell leaves unused is NUL, and all NULs are taken out at once.
Measured: about 0.5 µs a row as JSON, bundles and all; encoders that get objects take 6 µs and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import isnan
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from carebus_generator.domain.draws import Floats, Ints
from carebus_generator.domain.omop.columns import (
    STRIDE,
    Coded,
    Column,
    Days,
    Decimals,
    Moments,
    PersonId,
    PersonIds,
    RecordId,
    Same,
    Value,
)

SHEET_ROWS = 4_096
"""Rows of one sheet: about 1 MB, so that it stays in the processor's cache and memory stays flat."""

Texts: TypeAlias = np.ndarray
Places: TypeAlias = Ints | npt.NDArray[np.int32]
Piece: TypeAlias = bytes | tuple[Texts, Places]
"""The same text in all rows, or a table of texts and the place of each row in it."""


def json_value(value: Value) -> bytes:
    """Return a cell as JSON."""
    return orjson.dumps(value)


def csv_value(value: Value) -> bytes:
    """Return a cell of a CSV file: empty for null, in quotes where it must be (RFC 4180)."""
    match value:
        case None:
            return b""
        case str():
            text = value
        case date():
            text = value.isoformat()
        case _:
            text = repr(value)
    if any(sign in text for sign in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    elif value == "":
        text = '""'
    return text.encode()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are written."""

    write: Callable[[Value], bytes]
    quote: bytes
    """Around days and times."""
    between: bytes
    opening: bytes
    closing: bytes


JSON = Dialect(json_value, b'"', b",", b"[", b"]")
"""One array a row."""
CSV = Dialect(csv_value, b"", b",", b"", b"")
"""RFC 4180 without the ends of lines."""


def row_pieces(columns: Iterable[Column], dialect: Dialect) -> list[Piece]:
    """Return the pieces that a row of these columns is written in."""
    pieces: list[Piece] = [dialect.opening]
    for number, column in enumerate(columns):
        if number:
            pieces.append(dialect.between)
        pieces += _pieces(column, dialect)
    pieces.append(dialect.closing)
    return merged(pieces)


def merged(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the same with fewer pieces: neighbours that are alike in all rows become one."""
    fewer: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and fewer and isinstance(fewer[-1], bytes):
            fewer[-1] += piece
        else:
            fewer.append(piece)
    return [piece for piece in fewer if piece != b""]


def written(
    pieces: Sequence[Piece], start: int, stop: int, line: np.dtype[np.void] | None = None
) -> Iterator[bytes]:
    """Yield the text of some rows in a row, a sheet at a time."""
    line = line_of(pieces) if line is None else line
    for first in range(start, stop, SHEET_ROWS):
        yield _sheet(pieces, line, first, min(first + SHEET_ROWS, stop))


def line_of(pieces: Sequence[Piece]) -> np.dtype[np.void]:
    """Return how a line of a sheet is laid out; worth keeping by who writes a few rows at a time."""
    widths = [len(p) if isinstance(p, bytes) else p[0].dtype.itemsize for p in pieces]
    return np.dtype([(f"p{n}", f"S{width}") for n, width in enumerate(widths)])


def texts(values: Iterable[bytes]) -> Texts:
    """Return a table of texts."""
    return np.array(list(values), dtype=np.bytes_)


def _sheet(pieces: Sequence[Piece], line: np.dtype[np.void], start: int, stop: int) -> bytes:
    # numpy writes into the bytearray, which then gives up its NULs without another copy
    buffer = bytearray(line.itemsize * (stop - start))
    sheet = np.frombuffer(buffer, dtype=line)
    for name, piece in zip(line.names or (), pieces, strict=True):
        sheet[name] = piece if isinstance(piece, bytes) else piece[0][piece[1][start:stop]]
    del sheet
    return bytes(buffer.translate(None, b"\0"))


def _pieces(column: Column, dialect: Dialect) -> list[Piece]:
    match column:
        case Same(value):
            return [dialect.write(value)]
        case Coded(labels, places):
            return [(labels.texts(dialect.write), places)]
        case PersonId(persons, patient):
            return [(_person_texts(persons, dialect.write(None)), patient)]
        case RecordId(persons, patient, slot):
            owner = np.where(slot < 0, -1, patient).astype(np.int32) if _any_null(slot) else patient
            return [(_person_texts(persons, dialect.write(None)), owner), (_slot_texts(), slot)]
        case Decimals(numbers):
            return _decimals(numbers, dialect)
        case Days(base, seconds):
            days, texts = _days(base, seconds, dialect)
            return [(_quoted(texts, dialect.quote), days)]
        case Moments(base, seconds):
            days, texts = _days(base, seconds, dialect)
            times = _times(dialect.quote)
            second = (seconds % _DAY).astype(np.int32)
            if _any_null(seconds):
                second[seconds < 0] = -1
            return [(texts, days), (times, second)]


_DAY = 86_400


def _any_null(numbers: Ints) -> bool:
    return len(numbers) > 0 and bool(numbers.min() < 0)


@lru_cache(maxsize=8)
def _person_texts(persons: PersonIds, null: bytes) -> Texts:
    ids = persons.ids.astype(np.bytes_)
    return np.append(ids, np.array([null], dtype=np.bytes_))


@lru_cache(maxsize=1)
def _slot_texts() -> Texts:
    width = len(str(STRIDE - 1))
    return np.array([*(b"%0*d" % (width, n) for n in range(STRIDE)), b""], dtype=np.bytes_)


def _days(base: date, seconds: Ints, dialect: Dialect) -> tuple[Places, Texts]:
    days = (seconds // _DAY).astype(np.int32)
    last = int(days.max()) if len(days) else 0
    # rounded up, so that chunks share a few tables
    return days, _day_texts(base, (last // 64 + 1) * 64, dialect.quote, dialect.write(None))


@lru_cache(maxsize=32)
def _day_texts(base: date, count: int, quote: bytes, null: bytes) -> Texts:
    texts = [quote + (base + timedelta(days=n)).isoformat().encode() for n in range(count)]
    return np.array([*texts, null], dtype=np.bytes_)


@lru_cache(maxsize=2)
def _times(quote: bytes) -> Texts:
    two = [b"%02d" % n for n in range(60)]
    texts = [b"T" + h + b":" + m + b":" + s + quote for h in two[:24] for m in two for s in two]
    return np.array([*texts, b""], dtype=np.bytes_)


def _quoted(texts: Texts, after: bytes) -> Texts:
    if not after:
        return texts
    joined: Texts = np.char.add(texts, after)
    joined[-1] = texts[-1]
    return joined


_HUNDREDTHS = 100_000


@lru_cache(maxsize=2)
def _hundredths(null: bytes) -> Texts:
    """Text of 0.0, 0.01 ... 999.99, as ``repr`` has it, and null."""
    return np.array([*(repr(n / 100).encode() for n in range(_HUNDREDTHS)), null], dtype=np.bytes_)


def _decimals(numbers: Floats, dialect: Dialect) -> list[Piece]:
    null = dialect.write(None)
    known = ~np.isnan(numbers)
    scaled = np.where(known, np.rint(numbers * 100), -1)
    simple = ((scaled >= 0) & (scaled < _HUNDREDTHS) & (scaled / 100 == numbers)) | ~known
    if simple.all():
        return [(_hundredths(null), scaled.astype(np.int32))]
    # rare: more decimals, or large or negative numbers
    found, places = np.unique(numbers, return_inverse=True)
    texts = [null if isnan(v) else repr(v).encode() for v in found.tolist()]
    return [(np.array(texts, dtype=np.bytes_), places.astype(np.int32))]
