"""The cache of compiled scenarios."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from carebus_generator.cache import SingleFlightCache


def test_ten_who_ask_at_once_cause_one_computation() -> None:
    """And all get the very same value."""
    cache = SingleFlightCache[str, object](4)
    everybody = Barrier(10)
    made: list[object] = []

    def compute() -> object:
        made.append(object())
        return made[-1]

    def ask() -> object:
        everybody.wait()
        return cache.get_or_compute("scenario", compute)

    with ThreadPoolExecutor(10) as pool:
        values = [future.result() for future in [pool.submit(ask) for _ in range(10)]]

    assert len(made) == 1
    assert all(value is made[0] for value in values)
    assert (cache.counts.hits, cache.counts.misses) == (9, 1)
    assert cache.counts.hit_share == 0.9


def test_a_failure_reaches_all_who_waited_and_is_not_kept() -> None:
    """The next one who asks may succeed."""
    cache = SingleFlightCache[str, int](4)
    begun, go_on = Event(), Event()

    def fail() -> int:
        begun.set()
        go_on.wait(5)
        raise ValueError("no such nation")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_compute, "a", fail)
        begun.wait(5)
        second = pool.submit(cache.get_or_compute, "a", fail)
        while cache.counts.hits == 0:
            pass
        go_on.set()
        for future in (first, second):
            with pytest.raises(ValueError, match="no such nation"):
                future.result()

    assert cache.get_or_compute("a", lambda: 7) == 7


def test_the_ones_used_last_are_kept() -> None:
    """And what is invalidated is made again."""
    cache = SingleFlightCache[int, int](2)
    for key in (1, 2, 1, 3):
        cache.get_or_compute(key, lambda: 0)

    before = cache.counts.misses
    cache.get_or_compute(1, lambda: 0)
    cache.get_or_compute(2, lambda: 0)
    assert cache.counts.misses == before + 1

    cache.invalidate(2)
    assert cache.get_or_compute(2, lambda: 5) == 5
