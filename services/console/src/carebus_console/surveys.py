"""Asking who vanished: a job of the console's own after the newest job over the whole of each source."""

from __future__ import annotations

import time
from collections.abc import Iterator

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.vanishing import newest_whole, survey_after, survey_id
from carebus_console.judging import PROOF, Judge
from carebus_contracts.errors import TransientError
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import ExtractJob, JobState, JobStatus, RetireJob
from carebus_contracts.topics import JOB_REQUESTED
from carebus_runtime.logs import Log
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing

log = Log(__name__)

TRIES = 3
AGAIN_AFTER_S = 30.0
"""The replica that admits may not know yet that the job has completed, or a loader may be starting."""


class Surveys:
    """Submits surveys as anybody would, and again where one was rejected."""

    def __init__(self, records: KafkaBook, *, producer: Producer, judge: Judge) -> None:
        self._records = records
        self._producer = producer
        self._judge = judge
        self._tried: dict[str, tuple[int, float]] = {}

    async def submit_due(self) -> None:
        """Submit those that nobody submitted yet."""
        for state in newest_whole(self._ended()):
            request = survey_after(state)
            if request is None or not self._is_due(survey_id(state.job_id)):
                continue
            try:
                await self._submit(survey_id(state.job_id), request)
            except TransientError as error:
                log.warning("survey_not_submitted", job_id=state.job_id, error=str(error))

    def _ended(self) -> Iterator[JobState]:
        for ledger in self._records.book:
            if ledger.finished_ms and ledger.accepted and isinstance(ledger.accepted.request, ExtractJob):
                yield ledger.state

    def _is_due(self, job_id: str) -> bool:
        known = self._records.book.state(job_id)
        if known is not None and known.status is not JobStatus.REJECTED:
            return False
        tries, at_s = self._tried.get(job_id, (0, 0.0))
        return tries == 0 or (tries < TRIES and time.monotonic() - at_s > AGAIN_AFTER_S)

    async def _submit(self, job_id: str, request: RetireJob) -> None:
        value = request.model_dump_json(by_alias=True, exclude_defaults=True).encode()
        proof = (PROOF, self._judge.proof(value))
        envelope = Envelope(contract="JobRequest/1")
        await self._producer.send(
            [Outgoing(JOB_REQUESTED.name, job_id.encode(), value, envelope, headers=(proof,))]
        )
        tries, _ = self._tried.get(job_id, (0, 0.0))
        self._tried[job_id] = tries + 1, time.monotonic()
