"""The planner keeps a window of slices, and lets a job go that failed."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import AcceptedJob, ExtractJob, JobState, JobStatus
from carebus_contracts.topics import EXTRACT_SLICES
from carebus_extractor.domain.slicing import SliceRange
from carebus_extractor.domain.window import Window
from carebus_extractor.planner import Planner
from carebus_extractor.ports import SourcePlan
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.received import Outgoing, Received
from carebus_runtime.settings import KafkaSettings

JOB = ExtractJob.model_validate(
    {"kind": "extract", "source": "lab", "omop": {"format": "csv", "path": "/d"}, "targets": ["postgres"]}
)


class Sent:
    """Takes what the planner sends."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages

    @property
    def slices(self) -> int:
        return sum(1 for message in self.messages if message.topic == EXTRACT_SLICES.name)


async def a_planner(window: int) -> tuple[Planner, Sent]:
    """A planner of a job of 21 slices, which has issued the first window."""
    ranges = tuple(SliceRange(after=n, up_to=n + 1, persons=1) for n in range(20))
    plan = SourcePlan("f", "5.4", persons=20, ranges=ranges)
    sent, controls = Sent(), JobControls(KafkaSettings())
    controls.caught_up.set()
    planner = Planner(
        lambda job: cast(Any, SimpleNamespace(plan=lambda job: plan)),
        kafka=KafkaSettings(),
        producer=cast(Any, sent),
        offload=Offload("test"),
        controls=controls,
        window=Window(window, 1_000_000),
    )
    accepted = AcceptedJob(job_id="job-1", request=JOB)
    await planner.handler()([Received(accepted, Envelope(), "t", 0, 0, 5, b"job-1", 1)])
    return planner, sent


async def tell(planner: Planner, status: JobStatus, complete: int) -> None:
    """Let the planner see a state of the job."""
    state = JobState(job_id="job-1", status=status, kind="extract", request=JOB, slices_complete=complete)
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
