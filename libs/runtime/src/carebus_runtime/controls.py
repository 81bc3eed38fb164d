"""What people said to each job: followed by every replica, without a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.jobs import ControlAction, JobControl
from carebus_contracts.topics import JOB_CONTROL
from carebus_runtime.following import Follower
from carebus_runtime.logs import Log
from carebus_runtime.settings import KafkaSettings

log = Log(__name__)


class JobControls:
    """The word that stands for each job; complete once ``caught_up`` is set.

    The last one, but that a cancel is for good: a pause or resume after it, which the console refuses and
    anyone may yet write to the topic, changes nothing. As compaction keeps only the last word, the
    console says such a cancel again (``KafkaBook``).
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._last: dict[str, JobControl] = {}
        self._follower = Follower(kafka, [JOB_CONTROL], self._on_records)
        self.caught_up = self._follower.caught_up

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._follower.run()

    def cancelled(self, job_id: str) -> bool:
        """Whether no more of this job is to begin."""
        return self._says(job_id, ControlAction.CANCEL)

    def paused(self, job_id: str) -> bool:
        """Whether no more of this job is to begin for now."""
        return self._says(job_id, ControlAction.PAUSE)

    def discarded(self, job_id: str) -> bool:
        """Whether queued messages of this job are to be skipped and counted."""
        return self.cancelled(job_id) and self._last[job_id].discard

    def _says(self, job_id: str, action: ControlAction) -> bool:
        control = self._last.get(job_id)
        return control is not None and control.action is action

    async def _on_records(self, records: Sequence[Any]) -> None:
        for record in records:
            if record.value is None:
                self._last.pop((record.key or b"").decode("utf-8", "replace"), None)
                continue
            try:
                control = JobControl.from_json(record.value)
            except InvalidMessage:
                log.warning("control_unreadable", partition=record.partition, offset=record.offset)
            else:
                self._last[control.job_id] = _standing(self._last.get(control.job_id), control)


def _standing(before: JobControl | None, said: JobControl) -> JobControl:
    if before is None or before.action is not ControlAction.CANCEL:
        return said
    discard = said.action is ControlAction.CANCEL and said.discard
    return before.model_copy(update={"discard": True}) if discard else before
