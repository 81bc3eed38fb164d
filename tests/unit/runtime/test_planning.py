"""The planner keeps a window of slices, and lets a job go that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import AcceptedJob, ExtractJob, JobState, JobStatus
from carebus_contracts.topics import EXTRACT_SLICES, JOB_ACCEPTED
from carebus_extractor.domain.slicing import SliceRange
from carebus_extractor.planner import slice_message
from carebus_extractor.ports import SourcePlan
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.planning import Planner
from carebus_runtime.received import Outgoing, Received
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.window import Window

JOB = ExtractJob.model_validate(
    {"kind": "extract", "source": "lab", "omop": {"format": "csv", "path": "/d"}, "targets": ["postgres"]}
)


@dataclass(frozen=True)
class WaitingPlan(SourcePlan):
    """A plan whose last slice may have to wait."""

    last_waits: bool = False


class Sent:
    """Takes what the planner sends."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages

    @property
    def slices(self) -> int:
        return sum(1 for message in self.messages if message.topic == EXTRACT_SLICES.name)


def a_bystander(window: int = 4, *, last_waits: bool = False) -> tuple[Planner[Any, Any], Sent]:
    """A planner that has no partition yet, and would cut a job into 21 slices."""
    ranges = tuple(SliceRange(after=n, up_to=n + 1, persons=1) for n in range(20))
    plan = WaitingPlan("f", "5.4", persons=20, ranges=ranges, last_waits=last_waits)
    sent, controls = Sent(), JobControls(KafkaSettings())
    controls.caught_up.set()
    planner = Planner(
        ExtractJob,
        lambda job: plan,
        slice_message,
        kafka=KafkaSettings(),
        producer=cast(Any, sent),
        offload=Offload("test"),
        controls=controls,
        window=Window(window, 1_000_000),
    )
    return planner, sent


async def a_planner(window: int, *, last_waits: bool = False) -> tuple[Planner[Any, Any], Sent]:
    """A planner of a job of 21 slices, which has issued the first window."""
    planner, sent = a_bystander(window, last_waits=last_waits)
    accepted = AcceptedJob(job_id="job-1", request=JOB)
    await planner.handler()([Received(accepted, Envelope(), "t", 0, 0, 5, b"job-1", 1)])
    return planner, sent


def everything() -> frozenset[int]:
    """All partitions of the accepted topic."""
    return frozenset(range(JOB_ACCEPTED.partitions))


async def tell(
    planner: Planner[Any, Any], status: JobStatus, complete: int, extracted: int = 0, issued: int = 0
) -> None:
    """Let the planner see a state of the job."""
    state = JobState(
        job_id="job-1",
        status=status,
        kind="extract",
        request=JOB,
        slices_complete=complete,
        slices_extracted=extracted,
    )
    record = SimpleNamespace(key=b"job-1", value=state.to_json(), partition=0, offset=0)
    await planner._on_states([record])


async def test_as_slices_finish_the_next_are_issued() -> None:
    """Never more than a window of them are unfinished."""
    planner, sent = await a_planner(window=4)
    before = sent.slices
    await tell(planner, JobStatus.RUNNING, complete=3)

    assert (before, sent.slices) == (4, 7)


async def test_a_job_that_failed_gets_no_more_slices() -> None:
    """As when too many of its records were refused; what finishes afterwards opens no window."""
    planner, sent = await a_planner(window=4)
    await tell(planner, JobStatus.FAILED, complete=2)
    await tell(planner, JobStatus.FAILED, complete=4)

    assert sent.slices == 4


async def test_a_last_slice_that_waits_is_issued_when_all_others_are_read() -> None:
    """As the one that puts files together; reading is enough, targets may still be behind."""
    planner, sent = await a_planner(window=40, last_waits=True)
    before = sent.slices
    await tell(planner, JobStatus.RUNNING, complete=0, extracted=19)
    almost = sent.slices
    await tell(planner, JobStatus.RUNNING, complete=3, extracted=20)

    assert (before, almost, sent.slices) == (20, 20, 21)


@pytest.mark.parametrize(
    "told_first", [True, False], ids=["state before partition", "partition before state"]
)
async def test_a_job_whose_planner_died_goes_on_with_the_next_owner(*, told_first: bool) -> None:
    """Also when nothing more is heard of it: all that was issued is done, and nobody issues the next."""
    planner, sent = a_bystander()
    if told_first:
        await tell(planner, JobStatus.RUNNING, complete=4, extracted=4, issued=4)
        await planner._take_over()
        assert sent.slices == 0
        planner.owned = everything
    else:
        planner.owned = everything
        await tell(planner, JobStatus.RUNNING, complete=4, extracted=4, issued=4)
    await planner._take_over()
    assert sent.slices == 4


async def test_a_job_that_was_lost_and_comes_back_goes_on() -> None:
    """A partition may be given away and back while nothing is heard of the job."""
    planner, sent = a_bystander()
    planner.owned = everything
    await tell(planner, JobStatus.RUNNING, complete=0, extracted=0, issued=4)
    await planner._take_over()
    planner._let_go(planner._active["job-1"])
    before = sent.slices

    await planner._take_over()
    assert "job-1" in planner._active
    assert sent.slices == before
