"""Where requests are judged: for the API before they are on the bus, and for good when they arrive there."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import SecretStr

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.admission import Admission, Admitted, Circumstances, Request, admit
from carebus_console.ports import LiveLoaders
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import Accepted, AcceptedJob, JobControl, JobState, JobStatus, Rejected
from carebus_contracts.topics import (
    JOB_ACCEPTED,
    JOB_CONTROL,
    JOB_EVENTS,
    JOB_REQUESTED,
    dead_letter_topics,
)
from carebus_runtime.logs import Log
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received

log = Log(__name__)

PROOF = "carebus-proof"
"""Header of requests that came with the console's token: a keyed hash of the request."""
ADMISSION_S = 20.0
"""How long a caller of the API waits for the word of the replica that admits: twice the session of
one that was killed, after which another reads its partition."""
NOT_YET = "it is on the request topic, but no console has admitted it yet; ask for its state in a while"
DEAD_LETTER_TOPICS = tuple(topic.name for topic in dead_letter_topics())


class Desk:
    """Takes requests in from the API and from the request topic; the ``Jobs`` of the API."""

    def __init__(
        self, records: KafkaBook, *, producer: Producer, loaders: LiveLoaders, token: SecretStr
    ) -> None:
        self._records = records
        self._producer = producer
        self._loaders = loaders
        self._token = token.get_secret_value().encode()

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
        admission = admit(body, await self._circumstances(place, claimed=not proved, fresh={}))
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
                    headers=((PROOF, self._proof(value)),) if proved else (),
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

    def handler(self) -> Handler[bytes]:
        """Return the handler of the request topic: each request becomes a job or a rejection."""

        async def admit_jobs(batch: Sequence[Received[bytes]]) -> Outcomes:
            # A partition may have come from another replica: what that one admitted must be known.
            await self._records.up_to_date()
            fresh: dict[str, Request] = {}
            for message in batch:
                await self._admit(message, fresh)
            return Outcomes()

        return admit_jobs

    async def _word_on(self, job_id: str, before: JobState | None) -> JobState | None:
        """Wait until this replica knows what became of a request; None when that takes too long."""
        deadline = time.monotonic() + ADMISSION_S
        while (state := self.state(job_id)) is before:
            if not await self.news(deadline - time.monotonic()):
                return None
        return state

    async def _admit(self, message: Received[bytes], fresh: dict[str, Request]) -> None:
        place = f"{message.topic}-{message.partition}-{message.offset}"
        claimed = not self._proved(message)
        admission = admit(message.payload, await self._circumstances(place, claimed=claimed, fresh=fresh))
        match admission:
            case Admitted(job=job):
                # In this order: a job whose acceptance is known has certainly reached the planners.
                await self._producer.send([accepted_message(job)])
                accepted = Accepted(job_id=job.job_id, request=job.request, claimed=job.claimed)
                await self._producer.send([event_message(accepted)])
                fresh[job.job_id] = job.request
                log.info("job_accepted", job_id=job.job_id, kind=job.request.kind, claimed=job.claimed)
            case Rejected():
                await self._producer.send([event_message(admission)])
                log.info("job_rejected", job_id=admission.job_id, faults=len(admission.reasons))
            case _:
                log.info("job_known", job_id=admission.job_id)

    async def _circumstances(self, place: str, *, claimed: bool, fresh: dict[str, Request]) -> Circumstances:
        def request_of(job_id: str) -> Request | None:
            ledger = self._records.book.get(job_id)
            accepted = ledger.accepted if ledger else None
            return accepted.request if accepted else fresh.get(job_id)

        return Circumstances(
            place=place,
            request_of=request_of,
            running=self._records.book.running(),
            live_targets=await self._loaders.targets(),
            dead_letter_topics=DEAD_LETTER_TOPICS,
            claimed=claimed,
        )

    def _proof(self, value: bytes) -> bytes:
        return hmac.new(self._token, value, sha256).hexdigest().encode()

    def _proved(self, message: Received[bytes]) -> bool:
        given = dict(message.envelope.extra).get(PROOF, b"")
        return bool(self._token) and hmac.compare_digest(given or b"", self._proof(message.payload))


def accepted_message(job: AcceptedJob) -> Outgoing:
    """Return the message that planners read; its append time is the job's."""
    return Outgoing(
        JOB_ACCEPTED.name,
        job.job_id.encode(),
        job.to_json(),
        Envelope(contract="AcceptedJob/1", job_id=job.job_id),
    )


def event_message(event: Accepted | Rejected) -> Outgoing:
    """Return the message of an event."""
    return Outgoing(JOB_EVENTS.name, event.job_id.encode(), event.to_json(), Envelope(contract="JobEvent/1"))
