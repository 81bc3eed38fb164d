"""A job whose records are refused in number fails, says why, and stops."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_console.domain.ledger import JobLedger
from carebus_console.domain.record_errors import limit_of
from carebus_contracts.jobs import Issued, JobEvent, JobState, JobStatus, RetireJob
from carebus_contracts.receipts import Receipt, Result
from unit.console.test_ledger import JOB, accepted, comparable, done, enter, folded, planned, receipt


def dead(*ordinals: int, reason: str = "constraint", number: int = 0, **more: str) -> Receipt:
    return receipt(Result.DEAD_LETTERED, *ordinals, reason=reason, number=number, **more)


def half_a_job() -> list[JobEvent | Receipt]:
    """The first of two slices is issued; three of its five messages were given up, where two may be."""
    return [
        accepted(max_record_errors=2),
        planned(2),
        Issued(job_id=JOB, up_to=0),
        done(5),
        receipt(Result.APPLIED, 3, 4),
        dead(0, 1),
        dead(2, reason="unmappable"),
    ]


def test_a_job_past_its_limit_fails_and_says_what_to_do() -> None:
    """The sentence names target, count, commonest reason, limit and remedy."""
    state = folded(*half_a_job()).state

    assert state.status is JobStatus.FAILED
    assert state.reasons == (
        "3 messages became dead letters for postgres, mostly for 'constraint'; the limit is 2 "
        "(max_record_errors): no more slices are issued. Look at some with `carebus deadletters list`, mend the "
        "cause, and submit the job again",
    )


def test_up_to_the_limit_the_job_goes_on() -> None:
    """Two errors where two are allowed; one target's errors are not added to another's."""
    ledger = folded(*half_a_job()[:-1], dead(0, 1, target="clickhouse"))

    assert ledger.state.status is JobStatus.RUNNING


def test_refusals_that_wait_for_a_decision_are_no_errors() -> None:
    """Persons of whom somebody must say whether they are patients that the target has."""
    undecided = receipt(Result.REFUSED, *range(500), reason="match_undecided")
    state = folded(accepted(max_record_errors=2), planned(2), done(500), undecided).state

    assert state.status is JobStatus.RUNNING


def test_a_redrive_does_not_wake_a_job_that_was_stopped_in_the_middle() -> None:
    """Its planner has let it go; what was mended shows in the counts."""
    ledger = folded(*half_a_job(), receipt(Result.APPLIED, 0, 1, 2))

    assert ledger.state.status is JobStatus.FAILED
    assert ledger.state.targets["postgres"].outcomes == {"applied": 5}


def test_a_redrive_completes_a_job_that_was_issued_whole() -> None:
    """All slices are accounted for, and what is still given up is within the limit."""
    whole = [*half_a_job(), Issued(job_id=JOB, up_to=1), done(1, 1), receipt(Result.APPLIED, 0, number=1)]
    failed = folded(*whole)
    status = failed.state.status
    enter(failed, receipt(Result.APPLIED, 0), 99)

    assert status is JobStatus.FAILED
    assert (failed.state.status, failed.state.reasons) == (JobStatus.COMPLETED, ())


def test_several_attempts_at_a_slice_are_not_added_up() -> None:
    """The same two records fail twice."""
    first = [accepted(max_record_errors=2), planned(2), Issued(job_id=JOB, up_to=0)]
    state = folded(*first, dead(0, 1, attempt="a"), dead(0, 1, attempt="b")).state

    assert state.status is JobStatus.RUNNING


@pytest.mark.parametrize(
    ("persons", "limit"), [(None, None), (10, 1_000), (20_000, 1_000), (2_000_000, 100_000)]
)
def test_without_a_word_the_limit_is_a_thousand_or_a_twentieth(
    persons: int | None, limit: int | None
) -> None:
    """Whichever is more; none before the persons are counted."""
    found = limit_of(accepted().request, persons)

    assert (found.errors if found else None) == limit


def test_the_consoles_own_jobs_have_no_limit() -> None:
    """Retiring goes on."""
    retire = RetireJob.model_validate({"kind": "retire", "source": "lab", "targets": ["postgres"]})

    assert limit_of(retire, 10) is None


def test_zero_fails_with_the_first_error() -> None:
    """For those who want all or an answer."""
    state = folded(accepted(max_record_errors=0), planned(2), Issued(job_id=JOB, up_to=0), dead(0)).state

    assert state.status is JobStatus.FAILED


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_messages_is_of_no_account(data: st.DataObject) -> None:
    """Any order, with duplicates and a snapshot in the middle, ends in the same state."""
    messages = [*half_a_job(), receipt(Result.APPLIED, 0, 1), dead(0, attempt="b"), done(1, 0, "b")]
    shuffled = data.draw(st.permutations(messages))
    cut = data.draw(st.integers(0, len(shuffled)))

    def end(first: list[JobEvent | Receipt], rest: list[JobEvent | Receipt]) -> JobState:
        ledger = folded(*first)
        ledger = JobLedger.restore(JOB, {name: ledger.part(name) for name in ledger.parts()})
        for message in rest:
            enter(ledger, message, 1)
        return ledger.state

    assert comparable(end(shuffled[:cut], [*shuffled[cut:], *shuffled[:3]])) == comparable(end(messages, []))
