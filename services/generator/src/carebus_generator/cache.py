"""Values that are costly to make, kept by key: made once however many ask, the ones used last are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from prometheus_client import Counter

K = TypeVar("K")
V = TypeVar("V")

LOOKUPS = Counter("carebus_scenario_lookups", "Look-ups of compiled scenarios: hit, or miss.", ["result"])


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What became of the look-ups so far."""

    hits: int
    misses: int

    @property
    def hit_share(self) -> float:
        """Hits of all look-ups; 0 before the first."""
        total = self.hits + self.misses
        return self.hits / total if total else 0.0


class SingleFlightCache(Generic[K, V]):
    """A cache for threads. Who asks while a value is being made waits for it, and counts as a hit.

    Keys name content (a hash), so a changed scenario is another key and an old value is never wrong;
    ``invalidate`` only gives memory back. A failure is raised to all who waited, and not kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[K, Future[V]] = OrderedDict()
        self._hits = self._misses = 0

    def get_or_compute(self, key: K, compute: Callable[[], V]) -> V:
        """Return the value of a key, made by ``compute`` when nobody did yet."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self._hits += 1
                LOOKUPS.labels("hit").inc()
            else:
                self._misses += 1
                LOOKUPS.labels("miss").inc()
                made: Future[V] = Future()
                self._kept[key] = made
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        if found is not None:
            return found.result()
        try:
            made.set_result(compute())
        except BaseException as error:
            with self._lock:
                if self._kept.get(key) is made:
                    del self._kept[key]
            made.set_exception(error)
            raise
        return made.result()

    def put(self, key: K, value: V) -> None:
        """Keep a value that nobody asked for yet."""
        made: Future[V] = Future()
        made.set_result(value)
        with self._lock:
            self._kept[key] = made

    def invalidate(self, key: K) -> None:
        """Forget a value; who waits for it still gets it."""
        with self._lock:
            self._kept.pop(key, None)

    @property
    def counts(self) -> CacheCounts:
        """Hits and misses so far."""
        with self._lock:
            return CacheCounts(self._hits, self._misses)
