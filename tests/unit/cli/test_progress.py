"""How far a job is, in bars, rates and words."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from carebus_cli.progress import Bar, Rates, bars_of, duration, plain_line
from carebus_cli.watching import picture


def a_state(**more: Any) -> dict[str, Any]:
    state = {
        "job_id": "job-1",
        "status": "running",
        "persons": 100,
        "extracted": 40,
        "slices": 4,
        "slices_extracted": 1,
        "targets": {"postgres": {"outcomes": {"applied": 20, "stale": 5}}},
        "waiting": {},
    }
    return state | more


def test_before_all_is_read_persons_are_the_estimate() -> None:
    """Afterwards it is what was read, reference rows included."""
    assert bars_of(a_state()) == [Bar("extract", 40, 100), Bar("postgres", 25, 100)]
    assert bars_of(a_state(extracted=130, slices_extracted=4))[1] == Bar("postgres", 25, 130)


def test_rates_are_means_over_the_last_seconds() -> None:
    """A fast start long ago does not promise a fast end."""
    rates = Rates()
    for at_s, done in ((0, 0), (1, 5_000), (60, 5_100), (70, 5_200)):
        rates.note(at_s, [Bar("postgres", done, 10_000)])
    bar = Bar("postgres", 5_200, 10_000)

    assert rates.per_s(bar) == pytest.approx(10)
    assert rates.left_s(bar) == pytest.approx(480)
    assert Rates().left_s(bar) is None


def test_a_line_says_it_all() -> None:
    """Status, bars, the slowest's rate and time left, and who waits."""
    rates = Rates()
    rates.note(0, [Bar("extract", 0, 100), Bar("postgres", 0, 100)])
    rates.note(5, bars_of(a_state()))

    line = plain_line(a_state(waiting={"carebus-loader-postgres": "postgres at db"}), 65, rates)

    assert line == (
        "1 m 05 s  running   extract 40/100, postgres 25/100; 5/s, 15 s left; "
        "carebus-loader-postgres waits for postgres at db"
    )


@pytest.mark.parametrize(("seconds", "words"), [(7.4, "7 s"), (185, "3 m 05 s"), (3720, "1 h 02 m")])
def test_durations_in_words(seconds: float, words: str) -> None:
    """Two units at most."""
    assert duration(seconds) == words


def test_a_terminal_shows_bars() -> None:
    """A line a stage and target, and who waits."""
    screen = Console(width=120, record=True, force_terminal=True)
    state = a_state(waiting={"carebus-loader-postgres": "postgres at db"})
    with screen.capture() as captured:
        screen.print(picture(state, 3, Rates()))

    text = captured.get()
    assert "25/100" in text
    assert "waits for postgres at db" in text
    assert "━" in text
