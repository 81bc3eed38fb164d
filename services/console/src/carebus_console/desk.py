"""The desk of the API: requests are judged before they are on the bus; for good, when they arrive there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.admission import Admission, Admitted
from carebus_console.judging import PROOF, Judge
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import JobControl, JobState, JobStatus, Rejected
from carebus_contracts.topics import JOB_CONTROL, JOB_REQUESTED
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing

ADMISSION_S = 20.0
"""How long a caller of the API waits for the word of the replica that admits: twice the session of
one that was killed, after which another reads its partition."""
NOT_YET = "it is on the request topic, but no console has admitted it yet; ask for its state in a while"


class Desk:
    """Takes requests in and passes words on; the ``Jobs`` of the API."""

    def __init__(self, records: KafkaBook, *, producer: Producer, judge: Judge) -> None:
        self._records = records
        self._producer = producer
        self._judge = judge

    def ready(self) -> bool:
        """Whether all that stood in Kafka at the start is known."""
        return self._records.caught_up.is_set()

    def state(self, job_id: str) -> JobState | None:
        """State of a job, from memory."""
        return self._records.book.state(job_id)

    def states(self, *, limit: int) -> Sequence[JobState]:
        """States of the newest jobs."""
        return self._records.book.states(limit)

    async def submit(self, body: bytes, *, proved: bool) -> Admission:
        """Judge a request, put it on the bus when it is fine, and wait for the word of the admitting replica.

        Raises:
            TransientError: Kafka does not answer.
        """
        place = f"job-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        admission = await self._judge.judge(body, place=place, claimed=not proved)
        if not isinstance(admission, Admitted):
            return admission
        job_id = admission.job.job_id
        before = self.state(job_id)
        value = admission.job.request.model_dump_json(by_alias=True, exclude_defaults=True).encode()
        await self._producer.send(
            [
                Outgoing(
                    JOB_REQUESTED.name,
                    job_id.encode(),
                    value,
                    Envelope(contract="JobRequest/1"),
                    headers=((PROOF, self._judge.proof(value)),) if proved else (),
                )
            ]
        )
        state = await self._word_on(job_id, before)
        if state is not None and state.status is JobStatus.REJECTED:
            return Rejected(job_id=job_id, reasons=state.reasons)
        return admission if state is not None else replace(admission, notes=(*admission.notes, NOT_YET))

    async def news(self, timeout_s: float) -> bool:
        """Wait for any job to change; False when none did in time."""
        return await self._records.news(timeout_s)

    async def control(self, word: JobControl) -> None:
        """Say something to a job.

        Raises:
            TransientError: Kafka does not answer.
        """
        await self._producer.send(
            [
                Outgoing(
                    JOB_CONTROL.name, word.job_id.encode(), word.to_json(), Envelope(contract="JobControl/1")
                )
            ]
        )

    async def _word_on(self, job_id: str, before: JobState | None) -> JobState | None:
        """Wait until this replica knows what became of a request; None when that takes too long."""
        deadline = time.monotonic() + ADMISSION_S
        while (state := self.state(job_id)) is before:
            if not await self.news(deadline - time.monotonic()):
                return None
        return state
