"""Dead letters of the retired are deleted sooner or later, whatever goes wrong at first."""

from __future__ import annotations

from typing import Any

import pytest

from carebus_console import letter_sweep
from carebus_console.letter_sweep import AGAIN_AFTER_S, EVERY_S, LetterSweep
from carebus_contracts.errors import TransientError


class FakeLetters:
    """Kafka that is away, or not."""

    def __init__(self, *, away: int = 0) -> None:
        self.away, self.looks = away, 0

    async def delete_retired(self) -> int:
        self.looks += 1
        if self.looks <= self.away:
            raise TransientError("Kafka does not answer", system="Kafka")
        return 1


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at_s = [1000.0]
    monkeypatch.setattr(letter_sweep.time, "monotonic", lambda: at_s[0])
    return at_s


def a_sweep(letters: FakeLetters) -> LetterSweep:
    store: Any = letters
    return LetterSweep(store)


async def test_a_failure_is_tried_again_and_less_and_less_often(now: list[float]) -> None:
    """At once, after half a minute, then after a minute; once it went well, every hour."""
    letters = FakeLetters(away=2)
    sweep = a_sweep(letters)
    looks = []
    for passed_s in (0, AGAIN_AFTER_S - 1, 1, AGAIN_AFTER_S, AGAIN_AFTER_S, EVERY_S - 1, 1):
        now[0] += passed_s
        await sweep.sweep_if_due()
        looks.append(letters.looks)

    assert looks == [1, 1, 2, 2, 3, 3, 4]


async def test_a_retirement_is_not_kept_waiting(now: list[float]) -> None:
    """Neither by a look just now nor by one that failed."""
    letters = FakeLetters(away=1)
    sweep = a_sweep(letters)
    for _ in range(3):
        sweep.soon()
        await sweep.sweep_if_due()
        await sweep.sweep_if_due()

    assert letters.looks == 3
