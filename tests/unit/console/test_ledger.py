"""The account of a job closes exactly, in whatever order and however often messages come."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_console.domain.ledger import HEAD, PLANNING, REPLANNED, GivenUp, JobLedger
from carebus_console.domain.pages import PAGE_SLICES
from carebus_contracts.errors import InvalidMessage
from carebus_contracts.jobs import (
    Accepted,
    ControlAction,
    Controlled,
    Failed,
    Issued,
    JobControl,
    JobEvent,
    JobState,
    JobStatus,
    Planned,
    Rejected,
    SliceDone,
    TableCounts,
    Waiting,
)
from carebus_contracts.model import ranges_of
from carebus_contracts.receipts import LoadMetrics, Receipt, Result

JOB = "job-1"


def accepted(*targets: str, **more: Any) -> Accepted:
    request = {
        "kind": "extract",
        "source": "lab",
        "omop": {"format": "csv", "path": "/data"},
        "targets": targets or ("postgres",),
    } | more
    return Accepted.model_validate({"job_id": JOB, "request": request})


def planned(slices: int = 1, **more: Any) -> Planned:
    return Planned(job_id=JOB, slices=slices, persons=10, fingerprint=more.pop("fingerprint", "f"), **more)


def done(messages: int, number: int = 0, attempt: str = "a", **more: Any) -> SliceDone:
    return SliceDone(job_id=JOB, slice=number, attempt=attempt, messages=messages, **more)


def receipt(result: Result, *ordinals: int, number: int = 0, attempt: str = "a", **more: Any) -> Receipt:
    rows = more.pop("rows", 0)
    return Receipt(
        stage="carebus-loader-postgres",
        target=more.pop("target", "postgres"),
        job_id=JOB,
        slice=number,
        attempt=attempt,
        ordinals=ranges_of(ordinals),
        result=result,
        metrics=LoadMetrics(inserted=rows),
        rows=more.pop("rows_of", {}),
        **more,
    )


def folded(*messages: JobEvent | Receipt) -> JobLedger:
    ledger = JobLedger(JOB)
    for number, message in enumerate(messages):
        enter(ledger, message, number + 1)
    return ledger


def enter(ledger: JobLedger, message: JobEvent | Receipt, at_ms: int) -> bool:
    if isinstance(message, Receipt):
        return ledger.apply_receipt(message, at_ms)
    return ledger.apply(message, at_ms)


def test_notes_of_admission_and_plan_are_in_the_state() -> None:
    """Both are for whoever reads the report."""
    note = "job other runs on source 'lab' as well"
    state = folded(accepted().model_copy(update={"notes": (note,)}), planned(notes=("times are UTC",))).state

    assert state.notes == (note, "times are UTC")


def test_a_resume_does_not_undo_a_cancel() -> None:
    """Whatever is said after it, the word that cancelled stands, with discard if any said so."""
    said = [Controlled(job_id=JOB, action=a, discard=d) for a, d in
            [(ControlAction.CANCEL, False), (ControlAction.RESUME, False), (ControlAction.CANCEL, True),
             (ControlAction.PAUSE, False)]]  # fmt: skip
    ledger = folded(accepted(), planned(2), *said)

    assert ledger.cancel == JobControl(job_id=JOB, action=ControlAction.CANCEL, discard=True)
    assert ledger.state.status is JobStatus.CANCELLED
    assert folded(accepted()).cancel is None


def test_a_job_completes_when_every_message_is_accounted_for() -> None:
    """extracted = applied + unchanged + dead-lettered, at the only target."""
    ledger = folded(
        accepted(), planned(), Issued(job_id=JOB, up_to=0), done(5), receipt(Result.APPLIED, 0, 1, 2)
    )
    before = ledger.state
    enter(ledger, receipt(Result.UNCHANGED, 3), 9)
    enter(ledger, receipt(Result.DEAD_LETTERED, 4, reason="constraint"), 10)
    state = ledger.state

    assert before.status is JobStatus.RUNNING
    assert state.status is JobStatus.COMPLETED
    assert state.extracted == 5
    assert state.targets["postgres"].outcomes == {"applied": 3, "unchanged": 1, "dead_lettered": 1}
    assert state.targets["postgres"].reasons == {"constraint": 1}
    assert state.finished_ms == 10


def test_every_target_has_an_account_of_its_own() -> None:
    """One target that is behind holds the job open."""
    ledger = folded(accepted("postgres", "clickhouse"), planned(), done(2), receipt(Result.APPLIED, 0, 1))
    waiting = ledger.state.status
    enter(ledger, receipt(Result.STALE, 0, 1, target="clickhouse"), 9)

    assert waiting is JobStatus.RUNNING
    assert ledger.state.status is JobStatus.COMPLETED
    assert ledger.state.targets["clickhouse"].outcomes == {"stale": 2}


def test_a_second_attempt_is_not_added_to_the_first() -> None:
    """A crashed attempt left four messages behind; the one that ended counts, the rows of both happened."""
    state = folded(
        accepted(),
        planned(),
        receipt(Result.APPLIED, 0, 1, 2, 3, rows=40, attempt="crashed"),
        receipt(Result.UNCHANGED, 0, 1, 2, 3, attempt="whole"),
        receipt(Result.APPLIED, 4, 5, rows=20, attempt="whole"),
        done(6, attempt="whole", tables={"person": TableCounts(read=6, emitted=6)}),
    ).state

    assert state.status is JobStatus.COMPLETED
    assert state.extracted == 6
    assert state.targets["postgres"].outcomes == {"applied": 2, "unchanged": 4}
    assert state.targets["postgres"].rows_inserted == 60
    assert state.tables["person"].read == 6


def test_of_two_whole_attempts_the_one_that_did_more_counts() -> None:
    """The repetition found all unchanged; the report says what the job did."""
    state = folded(
        accepted(),
        planned(),
        done(2, attempt="z"),
        receipt(Result.UNCHANGED, 0, 1, attempt="z"),
        done(2, attempt="a"),
        receipt(Result.APPLIED, 0, 1, attempt="a", rows=2),
    ).state

    assert state.extracted == 2
    assert state.targets["postgres"].outcomes == {"applied": 2}


def test_a_redelivery_adds_no_rows() -> None:
    """The same receipt twice, and a weaker one after it, change nothing."""
    first = receipt(Result.APPLIED, 0, 1, rows=7, tables={"person": 7}, not_mapped={"note": {"no code": 2}})
    ledger = folded(accepted(), planned(), done(2), first)

    assert not enter(ledger, first, 9)
    assert not enter(ledger, receipt(Result.UNCHANGED, 0, 1, not_mapped={"note": {"no code": 2}}), 10)
    progress = ledger.state.targets["postgres"]
    assert progress.rows_inserted == progress.tables["person"] == 7
    assert progress.not_mapped == {"note": {"no code": 2}}


def test_a_redrive_improves_a_job_that_ended() -> None:
    """Dead letters become applied; their reasons go; the job stays completed."""
    ledger = folded(accepted(), planned(), done(3), receipt(Result.APPLIED, 0, rows=1),
                    receipt(Result.DEAD_LETTERED, 1, 2, reason="constraint"))  # fmt: skip
    ended = ledger.state
    restored = JobLedger.restore(JOB, {name: ledger.part(name) for name in ledger.parts()})
    enter(restored, receipt(Result.APPLIED, 2, rows=5), 99)
    better = restored.state

    assert ended.targets["postgres"].reasons == {"constraint": 2}
    assert better.targets["postgres"].outcomes == {"applied": 2, "dead_lettered": 1}
    assert better.targets["postgres"].reasons == {"constraint": 1}
    assert better.targets["postgres"].rows_inserted == 6
    assert (better.status, better.finished_ms) == (JobStatus.COMPLETED, ended.finished_ms)


def test_a_dry_run_that_is_repeated_counts_once() -> None:
    """What a repeated slice would write is not added up."""
    state = folded(
        accepted(dry_run=True),
        planned(),
        receipt(Result.APPLIED, 0, 1, rows=8, attempt="crashed"),
        done(2, attempt="whole"),
        receipt(Result.APPLIED, 0, 1, rows=8, attempt="whole"),
    ).state

    assert state.dry_run
    assert state.targets["postgres"].rows_inserted == 8


def test_a_cancelled_job_ends_when_what_was_issued_is_complete() -> None:
    """Two of nine slices were issued; the job is not done before both are accounted for."""
    cancel = Controlled(job_id=JOB, action=ControlAction.CANCEL)
    issued = Issued(job_id=JOB, up_to=1)
    ledger = folded(accepted(), planned(9), issued, done(1, 0), receipt(Result.APPLIED, 0), cancel)
    under_way = ledger.state.status
    enter(ledger, done(0, 1), 50)

    assert under_way is JobStatus.RUNNING
    assert ledger.state.status is JobStatus.CANCELLED


def test_a_cancel_that_comes_too_late_leaves_a_completed_job() -> None:
    """All was delivered."""
    cancel = Controlled(job_id=JOB, action=ControlAction.CANCEL)
    messages = accepted(), planned(), done(1), receipt(Result.APPLIED, 0)

    assert folded(*messages, cancel).state.status is JobStatus.COMPLETED
    assert folded(cancel, *messages).state.status is JobStatus.COMPLETED


def test_a_cancel_with_discard_is_no_completion() -> None:
    """Messages were skipped, so the job is cancelled though its account closes."""
    cancel = Controlled(job_id=JOB, action=ControlAction.CANCEL, discard=True)
    state = folded(accepted(), planned(), done(2), cancel, receipt(Result.DISCARDED, 0, 1)).state

    assert state.status is JobStatus.CANCELLED
    assert state.targets["postgres"].outcomes == {"discarded": 2}


def test_pause_and_resume_follow_their_order() -> None:
    """The last word stands."""
    ledger = folded(accepted(), planned(2), Controlled(job_id=JOB, action=ControlAction.PAUSE))
    paused = ledger.state.status
    enter(ledger, Controlled(job_id=JOB, action=ControlAction.RESUME), 9)

    assert paused is JobStatus.PAUSED
    assert ledger.state.status is JobStatus.RUNNING


def test_waiting_is_said_and_taken_back() -> None:
    """The state names who waits for what; an ended job waits for nothing."""
    stage = "carebus-loader-postgres"
    ledger = folded(accepted(), planned(), done(1), Waiting(job_id=JOB, stage=stage, system="postgres at db"))
    waits = ledger.state.waiting
    enter(ledger, receipt(Result.APPLIED, 0), 9)
    ended = ledger.state.waiting
    again = folded(
        accepted(), planned(), Waiting(job_id=JOB, stage=stage, system="x"), Waiting(job_id=JOB, stage=stage)
    )

    assert waits == {stage: "postgres at db"}
    assert ended == {}
    assert again.state.waiting == {}


def test_a_failed_job_stays_failed_and_says_why() -> None:
    """Whatever else comes, in whatever order."""
    fail = Failed(job_id=JOB, reason="no table person in /data")
    rest = accepted(), planned(), done(1), receipt(Result.APPLIED, 0)

    for state in (folded(fail, *rest).state, folded(*rest, fail).state):
        assert (state.status, state.reasons) == (JobStatus.FAILED, ("no table person in /data",))


def test_a_slice_that_was_given_up_fails_the_job_until_it_is_redriven() -> None:
    """Nobody waits for ever for a dead letter; once it is done after all, so is the job."""
    ledger = folded(accepted(), planned(2), done(1, 0), receipt(Result.APPLIED, 0))
    ledger.give_up(GivenUp(JOB, 1, "slice 1 was given up (unexpected)"), 9)
    failed = ledger.state
    restored = JobLedger.restore(JOB, {name: ledger.part(name) for name in ledger.parts()})
    enter(restored, done(0, 1), 10)

    assert (failed.status, failed.reasons) == (JobStatus.FAILED, ("slice 1 was given up (unexpected)",))
    assert (restored.state.status, restored.state.reasons) == (JobStatus.COMPLETED, ())


def test_a_plan_that_was_given_up_fails_the_job_until_it_is_there() -> None:
    """The same for the plan."""
    ledger = folded(accepted())
    ledger.give_up(GivenUp(JOB, PLANNING, "could not be planned"), 9)
    failed = ledger.state.status
    enter(ledger, planned(), 10)

    assert failed is JobStatus.FAILED
    assert ledger.state.status is JobStatus.RUNNING


def test_a_source_that_changed_between_two_plans_fails_the_job() -> None:
    """Slices of different cuts do not add up to the source."""
    state = folded(accepted(), planned(), planned(fingerprint="other")).state

    assert (state.status, state.reasons) == (JobStatus.FAILED, (REPLANNED,))


def test_a_rejection_of_a_later_request_does_not_touch_an_accepted_job() -> None:
    """A rejected id can be used again once the request is mended."""
    reject = Rejected(job_id=JOB, reasons=("source: is required",))

    assert folded(reject).state.status is JobStatus.REJECTED
    assert folded(reject).state.reasons == ("source: is required",)
    assert folded(reject, accepted()).state.status is JobStatus.ACCEPTED
    assert folded(accepted(), reject).state.status is JobStatus.ACCEPTED


def test_a_receipt_of_no_slice_of_the_job_holds_nothing_up() -> None:
    """A stray number neither blocks nor completes the job; a range that is none is refused whole."""
    ledger = folded(
        accepted(), planned(), receipt(Result.APPLIED, 0, number=900), done(1), receipt(Result.APPLIED, 0)
    )
    with pytest.raises(InvalidMessage):
        ledger.apply_receipt(receipt(Result.APPLIED).model_copy(update={"ordinals": ((5, 1),)}), 9)

    assert ledger.state.status is JobStatus.COMPLETED


def test_only_the_page_that_changed_is_stored_again() -> None:
    """A large job costs a page at a time."""
    ledger = folded(accepted(), planned(PAGE_SLICES * 3), *(done(1, n) for n in range(PAGE_SLICES * 3)))
    ledger.take_changed()
    enter(ledger, receipt(Result.APPLIED, 0, number=PAGE_SLICES + 1), 999)

    assert ledger.take_changed() == {"1"}
    assert ledger.parts() == [HEAD, "0", "1", "2"]


# --- the law: any order, any duplicates, several attempts --------------------------------------------

TARGETS = ("postgres", "openemr")
RESULTS = list(Result)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[JobEvent | Receipt], dict[str, Counter[str]]]:
    """Messages of a whole job, and for jobs of one attempt a slice the outcomes by hand."""
    slices = draw(st.integers(1, 3))
    messages: list[JobEvent | Receipt] = [
        accepted(*TARGETS),
        planned(slices),
        Issued(job_id=JOB, up_to=slices - 1),
    ]
    expected = {target: Counter[str]() for target in TARGETS}
    repeated = False
    for number in range(slices):
        attempts = draw(st.integers(1, 2))
        repeated = repeated or attempts > 1
        for attempt in range(attempts):
            name, count = f"attempt-{attempt}", draw(st.integers(0, 6))
            if attempt == 0 or draw(st.booleans()):
                tables = {"person": TableCounts(read=count + 1, emitted=count, left_behind={"orphan": 1})}
                messages.append(done(count, number, name, tables=tables))
            for target in TARGETS:
                for ordinal in range(count):
                    said = draw(st.lists(st.sampled_from(RESULTS), min_size=1, max_size=3))
                    messages += [_said(result, ordinal, number, name, target) for result in said]
                    expected[target][min(said, key=RESULTS.index).value] += 1
    return messages, {} if repeated else expected


def _said(result: Result, ordinal: int, number: int, attempt: str, target: str) -> Receipt:
    looked_at = result in (Result.APPLIED, Result.UNCHANGED, Result.STALE, Result.REFUSED)
    return receipt(
        result,
        ordinal,
        number=number,
        attempt=attempt,
        target=target,
        rows=ordinal + 1 if result is Result.APPLIED else 0,
        not_mapped={"note": {"no code": ordinal + 1}} if looked_at else {},
        reason=f"{result.value} {ordinal % 2}" if result in (Result.REFUSED, Result.DEAD_LETTERED) else "",
    )


def comparable(state: JobState) -> dict[str, Any]:
    # When a job ended depends on which message came last; what it came to does not.
    return state.model_dump(exclude={"finished_ms", "updated_ms", "created_ms"})


@settings(max_examples=150, deadline=None)
@given(histories(), st.data())
def test_any_order_with_duplicates_ends_in_the_same_state(
    history: tuple[list[JobEvent | Receipt], dict[str, Counter[str]]], data: st.DataObject
) -> None:
    """The fold is a fold of a set, also across a snapshot taken in the middle."""
    messages, expected = history
    shuffled = data.draw(st.permutations(messages))
    again = data.draw(st.lists(st.sampled_from(messages), max_size=6))
    cut = data.draw(st.integers(0, len(shuffled)))

    straight = folded(*messages).state
    ledger = folded(*shuffled[:cut], *again)
    ledger = JobLedger.restore(JOB, {name: ledger.part(name) for name in ledger.parts()})
    for message in (*shuffled[cut:], *again):
        enter(ledger, message, 1)

    assert comparable(ledger.state) == comparable(straight)
    assert straight.status is JobStatus.COMPLETED
    for target, progress in straight.targets.items():
        assert sum(progress.outcomes.values()) == straight.extracted
        if expected:
            assert progress.outcomes == dict(expected[target])


@settings(max_examples=50, deadline=None)
@given(histories(), st.data())
def test_replaying_a_tail_changes_nothing(
    history: tuple[list[JobEvent | Receipt], dict[str, Counter[str]]], data: st.DataObject
) -> None:
    """After a restart a console may see again what its snapshot holds already."""
    messages, _ = history
    ledger = folded(*messages)
    before = ledger.state

    assert not any(enter(ledger, message, 5) for message in data.draw(st.permutations(messages)))
    assert ledger.state == before


@pytest.mark.parametrize("first", [Result.APPLIED, Result.UNCHANGED])
def test_source_rows_are_counted_once_whichever_receipt_comes_first(first: Result) -> None:
    """A redelivery finds the rows unchanged; what the first delivery did with them is what counts."""
    applied = receipt(
        Result.APPLIED,
        0,
        1,
        rows_of={"measurement": {"written": 5, "unchanged": 2}},
        lacking={"note": {"7": 1}},
    )
    again = receipt(
        Result.UNCHANGED, 0, 1, rows_of={"measurement": {"unchanged": 7}}, lacking={"note": {"7": 1}}
    )
    order = [applied, again] if first is Result.APPLIED else [again, applied]

    progress = folded(accepted(), planned(), done(2), *order).state.targets["postgres"]

    assert {k: n for k, n in progress.rows["measurement"].items() if n} == {"written": 5, "unchanged": 2}
    assert progress.lacking == {"note": {"7": 1}}


def test_bytes_are_finished_when_every_target_has_them() -> None:
    """The slowest target holds them: what one of two has loaded is not finished."""
    ledger = folded(
        accepted("postgres", "clickhouse"),
        planned(2),
        done(1, 0, bytes=70),
        done(1, 1, bytes=30),
        receipt(Result.APPLIED, 0),
        receipt(Result.APPLIED, 0, number=1),
        receipt(Result.APPLIED, 0, number=1, target="clickhouse"),
    )

    assert (ledger.state.bytes_extracted, ledger.state.bytes_complete) == (100, 30)
