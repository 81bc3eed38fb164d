"""The book of all jobs, and how messages for it are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from carebus_console.adapters.kafka_book import _DECODE
from carebus_console.domain.book import Book
from carebus_contracts.errors import InvalidMessage, UnsupportedContract
from carebus_contracts.jobs import Accepted, Controlled, Failed, JobControl, Rejected, Waiting
from carebus_contracts.topics import JOB_CONTROL, JOB_EVENTS


def record(value: bytes) -> SimpleNamespace:
    return SimpleNamespace(value=value, headers=(), topic="t")


def accepted(job_id: str, source: str = "lab") -> Accepted:
    request = {
        "kind": "extract",
        "source": source,
        "omop": {"format": "csv", "path": "/d"},
        "targets": ["postgres"],
    }
    return Accepted.model_validate({"job_id": job_id, "request": request})


def test_each_job_has_a_ledger_and_the_newest_comes_first() -> None:
    """Changed ones are known, running ones by source."""
    book = Book()
    for at_ms, event in enumerate(
        (accepted("a"), accepted("b", "other"), Rejected(job_id="c", reasons=("x",)))
    ):
        book.enter(event, at_ms + 1)

    assert [state.job_id for state in book.states(2)] == ["c", "b"]
    assert book.changed == {"a", "b", "c"}
    assert book.running() == {"lab": ["a"], "other": ["b"]}


def test_what_says_nothing_new_changes_nothing() -> None:
    """Nobody stores a ledger for it, and no ledger begins with it."""
    book = Book()
    book.enter(accepted("a"), 1)
    book.changed.clear()
    book.enter(accepted("a"), 2)
    book.enter(Waiting(job_id="b", stage="s"), 3)

    assert book.changed == set()
    assert book.get("b") is None


def test_a_forgotten_job_is_gone() -> None:
    """Its id is free again."""
    book = Book()
    book.enter(Failed(job_id="a", reason="x"), 1)
    book.forget("a")

    assert (book.state("a"), len(book), book.changed) == (None, 0, set())


def test_a_word_to_a_job_is_an_event_of_it() -> None:
    """The control topic and the events topic meet in the ledger."""
    word = JobControl.model_validate({"job_id": "a", "action": "pause"})
    read = _DECODE[JOB_CONTROL.name](record(word.to_json()))

    assert read == Controlled.model_validate({"job_id": "a", "action": "pause"})


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"source":1}', b'{"type":"failed"}', b"\xff"])
def test_junk_is_skipped(value: bytes) -> None:
    """It is invalid, which the follower notes and steps over."""
    for decode in _DECODE.values():
        with pytest.raises(InvalidMessage):
            decode(record(value))


def test_an_event_of_a_newer_carebus_halts() -> None:
    """Stepping over it would lose it for good; after an upgrade it is read."""
    with pytest.raises(UnsupportedContract, match="upgrade"):
        _DECODE[JOB_EVENTS.name](record(b'{"type":"job_split","job_id":"a"}'))


def test_a_stage_that_waits_keeps_all_jobs_waiting_that_need_it() -> None:
    """It has one job's messages in hand; those of others, and of jobs that come later, are behind them."""
    stage, book = "carebus-loader-postgres", Book()
    elsewhere = accepted("c").model_dump() | {
        "request": accepted("c").request.model_dump() | {"targets": ["documents"]}
    }
    for event in (accepted("a"), accepted("b"), Accepted.model_validate(elsewhere)):
        book.enter(event, 1)
    book.changed.clear()
    book.enter(Waiting(job_id="a", stage=stage, system="postgres at db"), 2)
    book.enter(accepted("d"), 3)
    waiting = {state.job_id: state.waiting for state in book.states(9)}

    assert waiting == {"a": (held := {stage: "postgres at db"}), "b": held, "c": {}, "d": held}
    assert book.changed == {"a", "b", "d"}

    book.enter(Waiting(job_id="a", stage=stage), 4)
    assert all(not state.waiting for state in book.states(9))
