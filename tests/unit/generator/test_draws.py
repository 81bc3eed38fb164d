"""Draws: the mixer is SplitMix64's, numbers are even and independent, and no chunk changes them."""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_generator.domain.draws import MODEL_VERSION, STANDARD_NORMAL, Draws, Quantiles, pick_by

_ALL = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _splitmix64(state: int) -> int:
    """Return the output for a state, written from the published algorithm, with Python's own integers."""
    z = state & _ALL
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL
    return z ^ (z >> 31)


def test_the_mixer_of_these_tests_gives_the_published_numbers() -> None:
    """Seed 1234567 gives the five numbers that Rosetta Code lists for "Pseudo-random numbers/Splitmix64"."""
    states = [1234567 + step * _GOLDEN for step in range(1, 6)]

    assert [_splitmix64(state) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63, 10**30])
@pytest.mark.parametrize("draw", [0, 1, 77])
def test_words_are_two_rounds_of_splitmix64(seed: int, draw: int) -> None:
    """A word is the mixed sum of the draw's step and the mixed sum of key and index's step."""
    text = f"{MODEL_VERSION}/{seed}/here.stream".encode()
    key = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
    indices = [0, 1, 2, 12345, 999_999_999]

    words = Draws(seed, np.asarray(indices)).words("here.stream", draw)

    inner = [_splitmix64(index * _GOLDEN + key) for index in indices]
    assert words.tolist() == [_splitmix64(one + draw * 0xD1342543DE82EF95) for one in inner]


@given(st.integers(0, 2**40), st.integers(1, 50), st.integers(0, 49))
def test_a_number_does_not_depend_on_its_neighbours(first: int, count: int, place: int) -> None:
    """Drawn alone, or among others in any order, an index has the same numbers."""
    indices = np.arange(first, first + count)
    place %= count

    together = Draws(5, indices).uniform("any.stream")
    backwards = Draws(5, indices[::-1]).uniform("any.stream")
    alone = Draws(5, indices[place : place + 1]).uniform("any.stream")

    assert alone[0] == together[place] == backwards[count - 1 - place]


def _chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2 / expected).sum())


def _is_even(counts: np.ndarray) -> bool:
    """Whether χ² lies within five standard deviations of its degrees of freedom, above and below."""
    freedom = counts.size - 1
    return abs(_chi_square(counts) - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("seed", [0, 1, 2, 2**64])
@pytest.mark.parametrize("draw", [0, 3])
def test_numbers_are_even(seed: int, draw: int) -> None:
    """65,536 neighbours fill 256 boxes evenly, by their high bits and by their low ones."""
    draws = Draws(seed, np.arange(2**16))

    uniform, words = draws.uniform("even", draw), draws.words("even", draw)

    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert _is_even(np.bincount((uniform * 256).astype(int), minlength=256))
    assert _is_even(np.bincount((words & np.uint64(255)).astype(int), minlength=256))


def _pairs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.bincount((one * 16).astype(int) * 16 + (other * 16).astype(int), minlength=256)


def test_streams_draws_seeds_and_neighbours_are_independent() -> None:
    """Pairs of numbers fill the square evenly, whatever the two differ in."""
    indices = np.arange(2**16)
    here = Draws(1, indices).uniform("flow.ride")

    others = {
        "stream": Draws(1, indices).uniform("flow.rides"),
        "draw": Draws(1, indices).uniform("flow.ride", 1),
        "seed": Draws(2, indices).uniform("flow.ride"),
        "neighbour": Draws(1, indices + 1).uniform("flow.ride"),
        "draw and neighbour": Draws(1, indices + 1).uniform("flow.ride", 1),
        "far neighbour": Draws(1, indices + 2**32).uniform("flow.ride"),
    }

    for what, there in others.items():
        assert _is_even(_pairs(here, there)), what
        assert abs(float(np.corrcoef(here, there)[0, 1])) < 5 / 256, what


def test_successive_draws_of_one_index_are_even() -> None:
    """Draws of one patient are as good as those of many."""
    draws = Draws(9, np.zeros(2**16, dtype=np.int64))

    uniform = draws.uniform("one", np.arange(2**16))

    assert _is_even(np.bincount((uniform * 256).astype(int), minlength=256))
    assert _is_even(_pairs(uniform[:-1], uniform[1:]))


def test_choices_come_by_their_weights_and_never_without() -> None:
    """Shares are within four standard deviations; a weight of 0 is never taken."""
    weights = [0.0, 1.0, 0.0, 3.0, 0.0]

    found = np.bincount(Draws(3, np.arange(40_000)).choice("choice", weights), minlength=5)

    assert found[[0, 2, 4]].tolist() == [0, 0, 0]
    assert abs(found[1] - 10_000) < 4 * (40_000 * 0.25 * 0.75) ** 0.5


def test_rows_of_a_table_choose_by_their_own_weights() -> None:
    """The first number of a row's last weight stays within the row, also at the very end."""
    table = np.asarray([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    ends = np.asarray([0.0, np.nextafter(1.0, 0.0)])

    picked = [pick_by(ends, np.asarray([row, row]), table).tolist() for row in range(3)]

    assert picked == [[0, 0], [2, 2], [1, 1]]


def test_whole_numbers_have_both_their_ends() -> None:
    """Dice show one to six, evenly."""
    dice = Draws(4, np.arange(60_000)).integers("dice", 1, 6)

    assert np.unique(dice).tolist() == [1, 2, 3, 4, 5, 6]
    assert _is_even(np.bincount(dice)[1:])


def test_the_normal_table_is_that_of_the_library() -> None:
    """Between -3 and 3 standard deviations it is right to 0.02."""
    shares = np.linspace(0.00135, 0.99865, 999)

    ours = STANDARD_NORMAL.at(shares)

    theirs = np.asarray([NormalDist().inv_cdf(share) for share in shares])
    assert np.abs(ours - theirs).max() < 0.1
    assert np.abs(ours - theirs)[100:-100].max() < 0.01


def test_quantiles_must_rise_from_0_to_1() -> None:
    """Shares that do not are refused."""
    with pytest.raises(ValueError, match="rise from 0 to 1"):
        Quantiles((0.0, 0.5), (1.0, 2.0))


def test_rows_taken_draw_what_their_indices_draw() -> None:
    """Finer tables take draws by row; a row twice with two numbers of the draw gets two values."""
    indices = np.arange(100, 110, dtype=np.int64)
    rows, number = np.array([3, 3, 7]), np.array([0, 1, 0])

    taken = Draws(5, indices).take(rows).words("test", number)

    assert taken.tolist() == Draws(5, indices[rows]).words("test", number).tolist()
    assert len(set(taken.tolist())) == 3
