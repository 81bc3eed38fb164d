"""Random draws without state: each is a hash of seed, model version, stream, index and number of the draw.

So any chunk of patients can be made alone, in any order, by any number of workers, and comes out the
same. Transforms to other distributions are ours, as numpy promises no stable ones (NEP 19).

Source:
    Finaliser of SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number
    Generators", OOPSLA 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

MODEL_VERSION = "2"
"""Raise it with every change of what a seed gives."""

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Words: TypeAlias = npt.NDArray[np.uint64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_INDEX_STEP = np.uint64(0x9E3779B97F4A7C15)
_DRAW_STEP = np.uint64(0xD1342543DE82EF95)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31, _11 = (np.uint64(n) for n in (27, 30, 31, 11))
_UNIT = 2.0**-53


class Draws:
    """The draws of one seed for some indices, by the name of what is drawn."""

    def __init__(self, seed: int, indices: Ints) -> None:
        self._seed = seed
        self.indices = indices
        self._base = indices.astype(np.uint64) * _INDEX_STEP

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, rows: Ints) -> Draws:
        """Return the same draws for rows of the indices, as often as asked for: for finer tables."""
        taken = Draws.__new__(Draws)
        taken._seed, taken.indices, taken._base = self._seed, self.indices[rows], self._base[rows]
        return taken

    def words(self, stream: str, draw: int | Ints = 0) -> Words:
        """Return 64 random bits an index.

        Args:
            stream: What is drawn; different names are independent.
            draw: Which of several draws of that name, a number an index or one for all.
        """
        number = np.asarray(draw, dtype=np.uint64) * _DRAW_STEP
        return _mixed(_mixed(self._base + _key(self._seed, stream)) + number)

    def uniform(self, stream: str, draw: int | Ints = 0) -> Floats:
        """Return numbers of [0, 1) with 53 bits."""
        return (self.words(stream, draw) >> _11).astype(np.float64) * _UNIT

    def chance(self, stream: str, probability: float | Floats, draw: int | Ints = 0) -> Bools:
        """Return whether something of that probability happens."""
        happens: Bools = self.uniform(stream, draw) < probability
        return happens

    def choice(self, stream: str, weights: Sequence[float], draw: int | Ints = 0) -> Ints:
        """Return the position of a weight, as often as its share of the sum."""
        return pick(self.uniform(stream, draw), cumulative(weights))

    def choice_by(self, stream: str, group: Ints, table: Floats, draw: int | Ints = 0) -> Ints:
        """Return a column of the group's row of a table of weights (groups × choices)."""
        return pick_by(self.uniform(stream, draw), group, table)

    def integers(self, stream: str, low: int | Ints, high: int | Ints, draw: int | Ints = 0) -> Ints:
        """Return whole numbers from ``low`` to ``high``, both included."""
        width = np.asarray(high) - low + 1
        return (self.uniform(stream, draw) * width).astype(np.int64) + low

    def quantile(self, stream: str, points: Quantiles, draw: int | Ints = 0) -> Floats:
        """Return numbers of a distribution that is given by its quantiles."""
        return points.at(self.uniform(stream, draw))


class Quantiles:
    """A distribution by some of its quantiles, straight lines in between."""

    def __init__(self, shares: Sequence[float], values: Sequence[float]) -> None:
        self._shares = np.asarray(shares, dtype=np.float64)
        self._values = np.asarray(values, dtype=np.float64)
        if self._shares[0] != 0 or self._shares[-1] != 1 or (np.diff(self._shares) <= 0).any():
            raise ValueError("shares must rise from 0 to 1")

    def at(self, share: Floats) -> Floats:
        """Return the value below which that share lies."""
        return np.interp(share, self._shares, self._values)


STANDARD_NORMAL = Quantiles(
    # Φ at steps of half a standard deviation, cut at four: good to 0.01 where people can tell.
    (0, .00135, .00621, .02275, .04006, .06681, .10565, .15866, .22663, .30854, .40129, .5,
     .59871, .69146, .77337, .84134, .89435, .93319, .95994, .97725, .99379, .99865, 1),
    (-4, -3, -2.5, -2, -1.75, -1.5, -1.25, -1, -.75, -.5, -.25, 0,
     .25, .5, .75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4),
)  # fmt: skip


def cumulative(weights: Sequence[float]) -> Floats:
    """Return the rising shares of some weights; the last is above every uniform number."""
    shares = np.cumsum(np.asarray(weights, dtype=np.float64))
    shares /= shares[-1]
    # Weights of 0 at the end must never be taken, also not by rounding.
    shares[np.flatnonzero(weights)[-1] :] = 1.0
    return shares


def pick(uniform: Floats, shares: Floats) -> Ints:
    """Return the position that each uniform number falls into."""
    return np.searchsorted(shares, uniform, side="right").astype(np.int64)


def pick_by(uniform: Floats, group: Ints, table: Floats) -> Ints:
    """Return a column of the row ``group`` of a table of weights for each uniform number."""
    shares = np.cumsum(table, axis=1)
    shares /= shares[:, -1:]
    last = table.shape[1] - 1 - np.argmax(table[:, ::-1] > 0, axis=1)
    found = np.zeros(len(uniform), dtype=np.int64)
    for column in range(table.shape[1] - 1):
        found += uniform >= shares[group, column]
    picked: Ints = np.minimum(found, last[group])
    return picked


def _key(seed: int, stream: str) -> np.uint64:
    text = f"{MODEL_VERSION}/{seed}/{stream}".encode()
    return np.uint64(int.from_bytes(blake2b(text, digest_size=8).digest(), "big"))


def _mixed(x: Words) -> Words:
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    mixed: Words = x ^ (x >> _31)
    return mixed
