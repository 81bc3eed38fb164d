"""The Kafka edge of the console: each request becomes a job or a rejection."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.admission import Admitted, Request
from carebus_console.judging import Judge
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import Accepted, AcceptedJob, Rejected
from carebus_contracts.topics import JOB_ACCEPTED
from carebus_runtime.logs import Log
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received
from carebus_runtime.telling import event_message

log = Log(__name__)


def admit_jobs(records: KafkaBook, *, producer: Producer, judge: Judge) -> Handler[bytes]:
    """Return the handler of the request topic.

    It sends by itself and in order: a job whose acceptance is known has certainly reached the
    planners, so a request that is read again after a crash is either all done or done again.
    """

    async def handle(batch: Sequence[Received[bytes]]) -> Outcomes:
        # A partition may have come from another replica: what that one admitted must be known.
        await records.up_to_date()
        fresh: dict[str, Request] = {}
        for message in batch:
            await admit_one(message, fresh)
        return Outcomes()

    async def admit_one(message: Received[bytes], fresh: dict[str, Request]) -> None:
        place = f"{message.topic}-{message.partition}-{message.offset}"
        claimed = not judge.proved(message)
        admission = await judge.judge(message.payload, place=place, claimed=claimed, fresh=fresh)
        match admission:
            case Admitted(job=job, notes=notes):
                await producer.send([accepted_message(job)])
                accepted = Accepted(job_id=job.job_id, request=job.request, claimed=job.claimed, notes=notes)
                await producer.send([event_message(accepted)])
                fresh[job.job_id] = job.request
                log.info("job_accepted", job_id=job.job_id, kind=job.request.kind, claimed=job.claimed)
            case Rejected():
                await producer.send([event_message(admission)])
                log.info("job_rejected", job_id=admission.job_id, faults=len(admission.reasons))
            case _:
                log.info("job_known", job_id=admission.job_id)

    return handle


def accepted_message(job: AcceptedJob) -> Outgoing:
    """Return the message that planners read; its append time is the job's."""
    envelope = Envelope(contract="AcceptedJob/1", job_id=job.job_id)
    return Outgoing(JOB_ACCEPTED.name, job.job_id.encode(), job.to_json(), envelope)
