"""The planner: cuts jobs into slices, and keeps a window of unfinished slices for each.

The window makes jobs share fairly, lets pause and cancel act within a slice, and keeps topics small
however large the job is. A planner's memory is no more than a cache: the job's state says how far
it was issued, and the cut is the same every time, so whoever owns the job next goes on from there.
Issuing a slice twice is harmless; it is an attempt more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from carebus_contracts.errors import InvalidMessage, JobError, TransientError
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import AcceptedJob, ExtractJob, Failed, Issued, JobState, JobStatus, Planned
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import EXTRACT_SLICES, JOB_ACCEPTED, JOB_EVENTS, JOB_STATES
from carebus_extractor.domain.window import Progress, Window, issue_up_to
from carebus_extractor.handlers import OpenSource
from carebus_extractor.ports import SourcePlan
from carebus_runtime.controls import JobControls
from carebus_runtime.following import Follower
from carebus_runtime.logs import Log
from carebus_runtime.offload import Offload
from carebus_runtime.partitioning import partition_of
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received
from carebus_runtime.settings import KafkaSettings

log = Log(__name__)

CONTROL_POLL_S = 0.5
"""How soon a resumed job goes on."""


@dataclass(slots=True)
class _Active:
    job_id: str
    job: ExtractJob
    plan: SourcePlan
    accepted_ms: int
    issued: int = 0
    """Slices in the topic."""
    progress: Progress = field(default_factory=Progress)

    @property
    def slices(self) -> int:
        return len(self.plan.ranges) + 1

    @property
    def planned_size(self) -> float:
        """Bytes of a slice of persons, on average."""
        return sum(part.size for part in self.plan.ranges) / len(self.plan.ranges)


class Planner:
    """Plans the jobs whose partition of the accepted topic is ours."""

    def __init__(
        self,
        open_source: OpenSource,
        *,
        kafka: KafkaSettings,
        producer: Producer,
        offload: Offload,
        controls: JobControls,
        window: Window,
    ) -> None:
        self._open_source = open_source
        self._producer = producer
        self._offload = offload
        self._controls = controls
        self._window = window
        self._active: dict[str, _Active] = {}
        self._orphaned: dict[str, JobState] = {}
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
                if isinstance(accepted.request, ExtractJob):
                    await self._begin(accepted.job_id, accepted.request, message.timestamp_ms)
            return Outcomes()

        return plan

    async def run(self) -> None:
        """Follow the states of jobs, and issue slices as earlier ones finish."""
        follow = asyncio.create_task(self._follower.run())
        try:
            await self._follower.caught_up.wait()
            while True:
                await asyncio.sleep(CONTROL_POLL_S)
                await self._take_over()
                for active in list(self._active.values()):
                    if self._owns(active.job_id):
                        await self._issue_patiently(active)
                    else:
                        del self._active[active.job_id]
        finally:
            follow.cancel()

    async def _begin(self, job_id: str, job: ExtractJob, accepted_ms: int, issued: int = 0) -> None:
        async with self._lock:
            if job_id in self._active:
                return
            try:
                plan = await self._offload.run(lambda: self._open_source(job).plan(job))
            except JobError as error:
                log.warning("job_not_planned", job_id=job_id, error=str(error))
                await self._say(Failed(job_id=job_id, reason=str(error)))
                return
            active = _Active(job_id, job, plan, accepted_ms, issued)
            await self._say(
                Planned(
                    job_id=job_id,
                    slices=active.slices,
                    persons=plan.persons,
                    fingerprint=plan.fingerprint,
                    notes=plan.notes,
                    accepted_ms=accepted_ms,
                )
            )
            self._active[job_id] = active
            log.info("job_planned", job_id=job_id, slices=active.slices, persons=plan.persons)
        await self._issue(active)

    async def _issue(self, active: _Active) -> None:
        if self._controls.cancelled(active.job_id) or self._controls.paused(active.job_id):
            return
        async with self._lock:
            up_to = issue_up_to(
                self._window,
                active.progress,
                slices=active.slices,
                issued=active.issued,
                planned_size=active.planned_size,
            )
            if up_to <= active.issued:
                return
            await self._producer.send(
                [_slice_message(active, number) for number in range(active.issued, up_to)]
            )
            active.issued = up_to
            await self._say(Issued(job_id=active.job_id, up_to=up_to - 1))

    async def _issue_patiently(self, active: _Active) -> None:
        try:
            await self._issue(active)
        except TransientError as error:
            log.warning("slices_not_issued", job_id=active.job_id, error=str(error))

    async def _take_over(self) -> None:
        """Go on with jobs that another planner began and whose partition is ours now."""
        for job_id, state in list(self._orphaned.items()):
            del self._orphaned[job_id]
            if job_id in self._active or not isinstance(state.request, ExtractJob):
                continue
            log.info("job_taken_over", job_id=job_id, issued=state.slices_issued)
            try:
                await self._begin(job_id, state.request, state.accepted_ms, state.slices_issued)
            except TransientError as error:
                log.warning("job_not_taken_over", job_id=job_id, error=str(error))
                self._orphaned[job_id] = state
            else:
                if active := self._active.get(job_id):
                    _see(active, state)

    async def _on_states(self, records: Sequence[Any]) -> None:
        for record in records:
            state = _state(record)
            if state is None or state.kind != "extract":
                continue
            if state.status.final:
                self._active.pop(state.job_id, None)
                self._orphaned.pop(state.job_id, None)
            elif active := self._active.get(state.job_id):
                _see(active, state)
                await self._issue_patiently(active)
            elif state.status is not JobStatus.ACCEPTED and self._owns(state.job_id):
                self._orphaned[state.job_id] = state

    def _owns(self, job_id: str) -> bool:
        return partition_of(job_id.encode(), JOB_ACCEPTED.partitions) in self.owned()

    async def _say(self, event: Planned | Issued | Failed) -> None:
        await self._producer.send([Outgoing(JOB_EVENTS.name, event.job_id.encode(), event.to_json())])


def _see(active: _Active, state: JobState) -> None:
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


def _slice_message(active: _Active, number: int) -> Outgoing:
    common = {
        "job_id": active.job_id,
        "slice": number,
        "fingerprint": active.plan.fingerprint,
        "accepted_ms": active.accepted_ms,
        "job": active.job,
    }
    if number == 0:
        work = WorkSlice(kind="reference", **common)
    else:
        part = active.plan.ranges[number - 1]
        work = WorkSlice(kind="persons", after=part.after, up_to=part.up_to, ids=part.ids, **common)
    envelope = Envelope(contract="WorkSlice/1", job_id=active.job_id)
    return Outgoing(EXTRACT_SLICES.name, active.job_id.encode(), work.to_json(), envelope, spread=number)
