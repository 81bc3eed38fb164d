"""What the console does itself: sending dead letters back, retiring, and asking who vanished.

The replica that stores states runs these jobs, one at a time, beside the handlers. A job that was
interrupted is run again from what is known: letters that were sent back are not sent again (but for
at most one batch around a crash, which accounting and version guard do not mind), and retiring twice
is a second attempt. After the newest job over the whole of a source it submits a survey of the persons
that vanished, as a job of its own. Dead letters of the retired are deleted beside all that, when they can be.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from uuid import uuid4

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.ledger import JobLedger
from carebus_console.domain.retirement_rules import Rule, rules
from carebus_console.domain.retiring import Retirement, messages_to_account, retirements
from carebus_console.domain.vanishing import since
from carebus_console.letter_sweep import LetterSweep
from carebus_console.ports import DeadLetterStore, StoredLetter
from carebus_console.surveys import Surveys
from carebus_contracts.errors import TransientError
from carebus_contracts.headers import Envelope, read_headers
from carebus_contracts.jobs import Failed, Issued, Planned, RedriveJob, RetireJob, SliceDone
from carebus_contracts.topics import TOPICS
from carebus_contracts.versions import Version
from carebus_runtime.blob_marks import BlobMark
from carebus_runtime.blobs import BlobStore
from carebus_runtime.logs import Log
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing
from carebus_runtime.telling import event_message

log = Log(__name__)

LOOK_EVERY_S = 0.5
ORIGINS = {topic.dead_letters(group): topic.name for topic in TOPICS for group in topic.readers}


class Errands:
    """Runs accepted jobs of the console's own kinds."""

    def __init__(
        self,
        records: KafkaBook,
        *,
        producer: Producer,
        letters: DeadLetterStore,
        surveys: Surveys,
        blobs: BlobStore,
    ) -> None:
        self._records = records
        self._producer = producer
        self._letters = letters
        self._surveys = surveys
        self._blobs = blobs
        self._sweep = LetterSweep(letters)
        self._run: set[str] = set()

    async def run(self) -> None:
        """Look for jobs until cancelled."""
        await self._records.caught_up.wait()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._records.owner():
                self._run.clear()  # whoever owns next goes on; should it be us again, the states tell
                self._sweep.soon()
                continue
            for ledger in self._records.book:
                if self._is_due(ledger):
                    try:
                        await self._records.up_to_date()
                        if self._is_due(ledger):
                            await self._do(ledger)
                    except TransientError as error:
                        log.warning("errand_interrupted", job_id=ledger.job_id, error=str(error))
            await self._surveys.submit_due()
            await self._sweep.sweep_if_due()

    def _is_due(self, ledger: JobLedger) -> bool:
        if ledger.finished_ms or ledger.job_id in self._run or (accepted := ledger.accepted) is None:
            return False
        if not isinstance(accepted.request, RedriveJob | RetireJob):
            return False
        state = ledger.state
        # All slices were sent: what is missing is receipts.
        return not (state.slices and state.slices_extracted >= state.slices)

    async def _do(self, ledger: JobLedger) -> None:
        request = ledger.accepted.request if ledger.accepted else None
        if isinstance(request, RedriveJob):
            await self._redrive(ledger, request)
        elif isinstance(request, RetireJob):
            await self._retire(ledger, request)
        self._run.add(ledger.job_id)
        self._sweep.soon()  # a retirement makes letters void, a redrive takes those away that stand in front
        log.info("errand_done", job_id=ledger.job_id)

    async def _redrive(self, ledger: JobLedger, request: RedriveJob) -> None:
        await self._say(
            Planned(job_id=ledger.job_id, slices=1, persons=0, fingerprint="", accepted_ms=ledger.created_ms),
            Issued(job_id=ledger.job_id, up_to=0),
        )
        sent = 0
        async with aclosing(self._letters.all(request.topic)) as batches:
            first: int | None = None
            async for batch in batches:
                first = batch[0].offset if first is None else first
                if ledger.finished_ms:  # cancelled
                    break
                left = None if request.limit is None else request.limit - sent
                chosen = [letter for letter in batch if _is_chosen(letter, request)][:left]
                if chosen:
                    await self._producer.send([_sent_back(letter) for letter in chosen])
                    await self._records.note_redriven(request.topic, {c.offset for c in chosen}, first)
                    sent += len(chosen)
                if request.limit is not None and sent >= request.limit:
                    break
        await self._say(SliceDone(job_id=ledger.job_id, slice=0, attempt=uuid4().hex, messages=sent))

    async def _retire(self, ledger: JobLedger, request: RetireJob) -> None:
        # Newer than all jobs that were accepted before this one.
        version: Version | None = Version(ledger.created_ms)
        if request.not_in_job:
            told = self._records.book.state(request.not_in_job)
            version = since(told) if told else None
        if version is None:
            reason = f"job {request.not_in_job!r} is no longer known: name a newer one"
            await self._say(Failed(job_id=ledger.job_id, reason=reason))
            return
        if not request.dry_run:
            # First, as an errand whose messages are all sent is not begun again.
            await self._sweep_blobs(ledger, request)
        slices = retirements(request)
        persons = len(set(request.persons))
        await self._say(
            Planned(
                job_id=ledger.job_id,
                slices=len(slices),
                persons=persons,
                fingerprint="",
                accepted_ms=ledger.created_ms,
            ),
            Issued(job_id=ledger.job_id, up_to=len(slices) - 1),
        )
        for number, retired in enumerate(slices):
            attempt = uuid4().hex
            envelope = Envelope(
                job_id=ledger.job_id,
                slice=number,
                attempt=attempt,
                version=version,
                dry_run=request.dry_run,
            )
            await self._producer.send([_retiring(envelope, message) for message in retired])
            done = SliceDone(
                job_id=ledger.job_id,
                slice=number,
                attempt=attempt,
                messages=messages_to_account(retired),
                persons=len(retired) if persons else 0,
            )
            await self._say(done)

    async def _sweep_blobs(self, ledger: JobLedger, request: RetireJob) -> None:
        """Delete payloads of the retired that went by claim check; messages that point there are void."""
        for rule in rules([ledger.state], self._records.book.state):

            def void(mark: BlobMark, rule: Rule = rule) -> bool:
                return rule.covers_version(mark.version, mark.targets, mark.job_id, person=mark.person)

            swept = await self._blobs.sweep(request.source, void, persons=rule.persons)
            log.info("blobs_swept", job_id=ledger.job_id, blobs=swept)

    async def _say(self, *events: Planned | Issued | SliceDone | Failed) -> None:
        await self._producer.send(list(map(event_message, events)))


def _is_chosen(stored: StoredLetter, request: RedriveJob) -> bool:
    letter = stored.letter
    return (
        letter is not None
        # The header of a letter may say anything; letters go back to the topic whose letters these are.
        and letter.topic == ORIGINS.get(request.topic)
        and not stored.redriven
        and (request.of_job is None or stored.job_id == request.of_job)
        and (request.reason is None or letter.reason.value == request.reason)
    )


def _sent_back(stored: StoredLetter) -> Outgoing:
    """Return the message as it was: key, value, bookkeeping, and the headers of others."""
    if stored.letter is None:
        raise ValueError("only letters of ours are sent back")
    envelope = read_headers(stored.letter.original)
    return Outgoing(stored.letter.topic, stored.key, stored.value, envelope, headers=envelope.extra)


def _retiring(envelope: Envelope, message: Retirement) -> Outgoing:
    own = replace(envelope, contract=message.contract, ordinal=message.ordinal, targets=message.targets)
    return Outgoing(message.topic, message.key, message.value, own)
