"""What is said to a job after its cancel is of no account."""

from __future__ import annotations

from types import SimpleNamespace

from carebus_contracts.jobs import ControlAction, JobControl
from carebus_runtime.controls import JobControls
from carebus_runtime.settings import KafkaSettings


async def told(*words: JobControl | None) -> JobControls:
    controls = JobControls(KafkaSettings())
    for word in words:
        value = word.to_json() if word else None
        record = SimpleNamespace(key=b"job-1", value=value, partition=0, offset=0)
        await controls._on_records([record])
    return controls


def word(action: ControlAction, *, discard: bool = False) -> JobControl:
    return JobControl(job_id="job-1", action=action, discard=discard)


async def test_a_resume_does_not_undo_a_cancel() -> None:
    """It stays cancelled, and what was to be discarded is."""
    controls = await told(word(ControlAction.CANCEL, discard=True), word(ControlAction.RESUME))

    assert controls.cancelled("job-1")
    assert controls.discarded("job-1")


async def test_a_second_cancel_may_discard_and_takes_nothing_back() -> None:
    """The harder word stands."""
    harder = await told(word(ControlAction.CANCEL), word(ControlAction.CANCEL, discard=True))
    softer = await told(word(ControlAction.CANCEL, discard=True), word(ControlAction.CANCEL))

    assert harder.discarded("job-1")
    assert softer.discarded("job-1")


async def test_pause_and_resume_follow_their_order() -> None:
    """The last of them stands; a job that was forgotten has no word."""
    assert (await told(word(ControlAction.PAUSE))).paused("job-1")
    assert not (await told(word(ControlAction.PAUSE), word(ControlAction.RESUME))).paused("job-1")
    assert not (await told(word(ControlAction.CANCEL), None)).cancelled("job-1")
