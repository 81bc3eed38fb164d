"""Where a job's persons are cut into slices, and a slice into chunks that fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Weight(NamedTuple):
    """How much one person is."""

    person_id: int
    rows: int
    size: int = 0
    """Bytes of the bundle, about."""


@dataclass(frozen=True, slots=True)
class SliceRange:
    """Persons with ``after < person_id <= up_to``; None is open, so that rows of nobody are counted, too."""

    after: int | None
    up_to: int | None
    persons: int
    ids: tuple[int, ...] = ()
    """Exactly these persons, where the job names them."""
    size: int = field(default=0, compare=False)
    """Bytes of their bundles, about; 0 when that is not known."""


def cut(
    weights: Iterable[Weight],
    *,
    persons: int,
    rows: int,
    size: int | None = None,
    after: int | None = None,
    up_to: int | None = None,
) -> Iterator[SliceRange]:
    """Cut persons into neighbouring ranges that leave no gap between ``after`` and ``up_to``.

    Args:
        weights: The persons, ascending.
        persons: Persons a range at most.
        rows: Rows a range at most, unless a single person has more.
        size: Bytes a range at most, unless a single person has more.
        after: Where the first range begins; None is the lowest id there can be.
        up_to: Where the last range ends; None is the highest id there can be.

    Yields:
        At least one range, so that the rows of nobody are counted where there are no persons.
    """
    held = held_rows = held_size = 0
    last = after
    for weight in weights:
        too_large = held_rows + weight.rows > rows or (size is not None and held_size + weight.size > size)
        if held and (held >= persons or too_large):
            yield SliceRange(after, last, held, size=held_size)
            after = last
            held = held_rows = held_size = 0
        held += 1
        held_rows += weight.rows
        held_size += weight.size
        last = weight.person_id
    yield SliceRange(after, up_to, held, size=held_size)


def cut_ids(ids: Sequence[int], *, persons: int) -> Iterator[SliceRange]:
    """Cut named persons into slices; ranges are closed around them, for nobody else is asked for."""
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), persons):
        part = tuple(wanted[start : start + persons])
        yield SliceRange(part[0] - 1, part[-1], len(part), part)
