"""Planning: cuts jobs into slices, and keeps a window of unfinished slices for each.

The window makes jobs share fairly, lets pause and cancel act within a slice, and keeps topics small
however large the job is. A planner's memory is no more than a cache: the job's state says how far
it was issued, and the cut is the same every time, so whoever owns the job next goes on from there.
Issuing a slice twice is harmless; it is an attempt more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from carebus_contracts.errors import InvalidMessage, JobError, TransientError
from carebus_contracts.jobs import (
    AcceptedJob,
    ExtractJob,
    Failed,
    GenerateJob,
    Issued,
    JobState,
    JobStatus,
    Planned,
)
from carebus_contracts.topics import JOB_ACCEPTED, JOB_STATES
from carebus_runtime.controls import JobControls
from carebus_runtime.following import Follower
from carebus_runtime.logs import Log
from carebus_runtime.offload import Offload
from carebus_runtime.partitioning import partition_of
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.telling import event_message
from carebus_runtime.window import Progress, Window, issue_up_to

log = Log(__name__)

CONTROL_POLL_S = 0.5
"""How soon a resumed job goes on."""


JobT = TypeVar("JobT", bound=ExtractJob | GenerateJob)


class Plan(Protocol):
    """How a job is cut into slices. The same job gives the same plan."""

    @property
    def fingerprint(self) -> str:
        """What the slices read, as it was when it was planned."""
        ...

    @property
    def persons(self) -> int:
        """Persons of the job."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report should know."""
        ...

    @property
    def slices(self) -> int:
        """Number of slices."""
        ...

    @property
    def planned_size(self) -> float:
        """Bytes of a slice, on average; 0 when that is not known."""
        ...

    @property
    def last_waits(self) -> bool:
        """Whether the last slice needs all others to be done before."""
        ...


PlanT = TypeVar("PlanT", bound=Plan)


@dataclass(slots=True)
class Active(Generic[JobT, PlanT]):
    """A job that is being issued."""

    job_id: str
    job: JobT
    plan: PlanT
    accepted_ms: int
    """Append time of the accepted job."""
    issued: int = 0
    """Slices in the topic."""
    progress: Progress = field(default_factory=Progress)
    state: JobState | None = None
    """As seen last."""

    @property
    def may_issue(self) -> int:
        """Slices that need no other, or whose others are done."""
        waits = self.plan.last_waits and self.progress.extracted < self.plan.slices - 1
        return self.plan.slices - 1 if waits else self.plan.slices


class Planner(Generic[JobT, PlanT]):
    """Plans the jobs whose partition of the accepted topic is ours."""

    def __init__(
        self,
        request: type[JobT],
        plan: Callable[[JobT], PlanT],
        message: Callable[[Active[JobT, PlanT], int], Outgoing],
        *,
        kafka: KafkaSettings,
        producer: Producer,
        offload: Offload,
        controls: JobControls,
        window: Window,
    ) -> None:
        """Plan the jobs of one kind.

        Args:
            request: What the jobs of that kind ask for.
            plan: Cuts a job, in a thread; raises ``JobError`` with a sentence when the job cannot be.
            message: Makes the message of a slice by its number.
            kafka: Where.
            producer: Sends slices and events.
            offload: The thread.
            controls: What people said to jobs.
            window: How much of a job may be unfinished at a time.
        """
        self._request = request
        self._plan = plan
        self._message = message
        self._producer = producer
        self._offload = offload
        self._controls = controls
        self._window = window
        self._active: dict[str, Active[JobT, PlanT]] = {}
        self._others: dict[str, JobState] = {}
        """Last states of jobs that go on and are not ours to issue, or not yet."""
        self._lock = asyncio.Lock()
        self._follower = Follower(kafka, [JOB_STATES], self._on_states)
        self.owned: Callable[[], frozenset[int]] = frozenset
        """Our partitions of the accepted topic; wired by the app."""

    def handler(self) -> Handler[AcceptedJob]:
        """Return the handler of the accepted topic."""

        async def plan(batch: Sequence[Received[AcceptedJob]]) -> Outcomes:
            await self._controls.caught_up.wait()
            for message in batch:
                accepted = message.payload
                if isinstance(accepted.request, self._request):
                    await self._begin(accepted.job_id, accepted.request, message.timestamp_ms)
            return Outcomes()

        return plan

    async def run(self) -> None:
        """Follow the states of jobs, and issue slices as earlier ones finish."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            await self._follower.caught_up.wait()
            while True:
                await asyncio.sleep(CONTROL_POLL_S)
                await self._take_over()
                for active in list(self._active.values()):
                    if self._owns(active.job_id):
                        await self._issue_patiently(active)
                    else:
                        self._let_go(active)

    async def _begin(self, job_id: str, job: JobT, accepted_ms: int, issued: int = 0) -> None:
        async with self._lock:
            if job_id in self._active:
                return
            try:
                plan = await self._offload.run(lambda: self._plan(job))
            except JobError as error:
                log.warning("job_not_planned", job_id=job_id, error=str(error))
                await self._say(Failed(job_id=job_id, reason=str(error)))
                return
            active = Active(job_id, job, plan, accepted_ms, issued)
            await self._say(
                Planned(
                    job_id=job_id,
                    slices=plan.slices,
                    persons=plan.persons,
                    fingerprint=plan.fingerprint,
                    notes=plan.notes,
                    accepted_ms=accepted_ms,
                )
            )
            self._active[job_id] = active
            log.info("job_planned", job_id=job_id, slices=plan.slices, persons=plan.persons)
        await self._issue(active)

    async def _issue(self, active: Active[JobT, PlanT]) -> None:
        if self._controls.cancelled(active.job_id) or self._controls.paused(active.job_id):
            return
        async with self._lock:
            up_to = issue_up_to(
                self._window.of_one(len(self._active), active.progress.extracted),
                active.progress,
                slices=active.may_issue,
                issued=active.issued,
                planned_size=active.plan.planned_size,
            )
            if up_to <= active.issued:
                return
            await self._producer.send(
                [self._message(active, number) for number in range(active.issued, up_to)]
            )
            active.issued = up_to
            await self._say(Issued(job_id=active.job_id, up_to=up_to - 1))

    async def _issue_patiently(self, active: Active[JobT, PlanT]) -> None:
        try:
            await self._issue(active)
        except TransientError as error:
            log.warning("slices_not_issued", job_id=active.job_id, error=str(error))

    async def _take_over(self) -> None:
        """Go on with jobs that another planner began and whose partition is ours now."""
        for job_id, state in list(self._others.items()):
            if not self._owns(job_id):
                continue
            del self._others[job_id]
            if job_id in self._active or not isinstance(state.request, self._request):
                continue
            log.info("job_taken_over", job_id=job_id, issued=state.slices_issued)
            try:
                await self._begin(job_id, state.request, state.accepted_ms, state.slices_issued)
            except TransientError as error:
                log.warning("job_not_taken_over", job_id=job_id, error=str(error))
                self._others[job_id] = state
            else:
                if active := self._active.get(job_id):
                    _see(active, state)

    async def _on_states(self, records: Sequence[Any]) -> None:
        for record in records:
            state = _state(record)
            if state is None or not isinstance(state.request, self._request):
                continue
            if state.status.final:
                self._active.pop(state.job_id, None)
                self._others.pop(state.job_id, None)
            elif active := self._active.get(state.job_id):
                _see(active, state)
                await self._issue_patiently(active)
            elif state.status is not JobStatus.ACCEPTED:
                # Also when its partition is not ours now: it may become so, and a job whose planner died
                # says nothing more until somebody issues its next slices.
                self._others[state.job_id] = state

    def _let_go(self, active: Active[JobT, PlanT]) -> None:
        """Leave a job to the planner that has its partition now; remember it, as we may get it back."""
        del self._active[active.job_id]
        if active.state is not None:
            issued = max(active.issued, active.state.slices_issued)
            self._others[active.job_id] = active.state.model_copy(update={"slices_issued": issued})

    def _owns(self, job_id: str) -> bool:
        return partition_of(job_id.encode(), JOB_ACCEPTED.partitions) in self.owned()

    async def _say(self, event: Planned | Issued | Failed) -> None:
        await self._producer.send([event_message(event)])


def _see(active: Active[Any, Any], state: JobState) -> None:
    active.state = state
    active.progress.see(
        state.slices_extracted, state.slices_complete, state.bytes_extracted, state.bytes_complete
    )


def _state(record: Any) -> JobState | None:
    if not record.value or (record.key or b"").startswith(b"_"):
        return None
    try:
        return JobState.from_json(record.value)
    except InvalidMessage:
        log.warning("state_unreadable", partition=record.partition, offset=record.offset)
        return None
