"""The book of jobs on Kafka: folded from events, receipts and control, stored in the states topic.

Every replica folds all messages. The one that owns the first partition of the request topic also
stores what changed, in ``carebus.job.states.v1`` (compacted, one partition, so in order):

=========================  =====================================================================
key                        value
=========================  =====================================================================
``<job_id>``               ``JobState``, for everyone
``_ledger/<job_id>/<part>``  a part of the job's ledger, for consoles
``_positions``             next offsets of the topics that all parts before it were folded to
``_redriven/<topic>``      offsets of a dead-letter topic that were sent back
=========================  =====================================================================

A console that starts reads these and goes on from ``_positions``. As the fold does not mind
repetition, what a crash left between parts and positions is made whole by reading a little again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import uuid4

import orjson
from pydantic import ValidationError

from carebus_console.adapters.kafka_ends import KafkaEnds
from carebus_console.domain.book import Book
from carebus_console.domain.ledger import PLANNING, GivenUp, JobLedger
from carebus_contracts.dead_letters import read_dead_letter
from carebus_contracts.errors import InvalidMessage, TransientError, UnsupportedContract
from carebus_contracts.headers import Envelope, read_headers
from carebus_contracts.jobs import JOB_EVENT, AcceptedJob, ControlAction, Controlled, JobControl, JobEvent
from carebus_contracts.model import ranges_of
from carebus_contracts.receipts import Receipt
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import (
    EXTRACT_SLICES,
    EXTRACTOR,
    JOB_ACCEPTED,
    JOB_CONTROL,
    JOB_EVENTS,
    JOB_STATES,
    LOAD_RECEIPTS,
    PLANNER,
    Topic,
    dead_letter_topics,
)
from carebus_runtime.blobs import BlobStore
from carebus_runtime.following import Follower
from carebus_runtime.logs import Log
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing
from carebus_runtime.settings import KafkaSettings

log = Log(__name__)

LEDGER = "_ledger/"
POSITIONS = "_positions"
REDRIVEN = "_redriven/"
WRITER = "carebus-writer"
"""Header that names the console process that stored a record."""
_LETTERS = {topic.name: topic for topic in dead_letter_topics()}
SLICE_LETTERS = _LETTERS[EXTRACT_SLICES.dead_letters(EXTRACTOR)]
PLAN_LETTERS = _LETTERS[JOB_ACCEPTED.dead_letters(PLANNER)]
"""No receipt is owed for a slice, so these letters are what the book learns it from."""
FORGET_EVERY_S = 600.0
CATCH_UP_S = 10.0
DAY_MS = 86_400_000


class KafkaBook:
    """A book that is followed, stored and restored."""

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        producer: Producer,
        blobs: BlobStore,
        ends: KafkaEnds,
        states_per_s: float = 4,
        keep_days: int = 90,
    ) -> None:
        self.book = Book()
        self.owner: Callable[[], bool] = lambda: False
        """Whether this replica stores states; wired by the app."""
        self.closing = False
        """Whether the worker leaves."""
        self._producer = producer
        self._blobs = blobs
        self._ends = ends
        self._pause_s = 1 / states_per_s
        self._keep_ms = keep_days * DAY_MS
        self._writer = uuid4().hex.encode()
        self._loading: dict[str, dict[str, bytes]] | None = {}
        self._start: dict[tuple[str, int], int] = {}
        self._redriven: dict[str, set[int]] = {}
        self._states = Follower(kafka, [JOB_STATES], self._on_states)
        self._messages = Follower(
            kafka, [JOB_EVENTS, LOAD_RECEIPTS, JOB_CONTROL, SLICE_LETTERS, PLAN_LETTERS], self._on_messages
        )
        self._spoken_over: set[str] = set()
        self._news = asyncio.Event()
        self._forgot_at = 0.0

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once all that stood in the topics at the start is folded."""
        return self._messages.caught_up

    async def start(self) -> None:
        """Nothing to do before ``run``, which needs the producer."""

    async def stop(self) -> None:
        """Let those go who wait for news."""
        self.closing = True

    async def ping(self) -> None:
        """Say whether states can be shown.

        Raises:
            TransientError: Not yet.
        """
        if not self.caught_up.is_set():
            raise TransientError("job states are still being read", system="job states")

    async def run(self) -> None:
        """Load, follow and store until cancelled.

        Raises:
            ExceptionGroup: Of ``UnsupportedContract``: a message or a stored ledger is of a newer carebus.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._states.run())
            await self._states.caught_up.wait()
            self._open()
            tasks.create_task(self._messages.run(self._start))
            await self.caught_up.wait()
            log.info("states_known", jobs=len(self.book))
            while True:
                await asyncio.sleep(self._pause_s)
                if self.owner():
                    await self._store()
                    await self._cancel_again()
                    await self._forget_old()

    async def up_to_date(self) -> None:
        """Wait until all events that stand in their topic now are folded.

        Raises:
            TransientError: That takes too long.
        """
        await self.caught_up.wait()
        ends = await self._ends.of(JOB_EVENTS)
        deadline = time.monotonic() + CATCH_UP_S
        while not self._reached(JOB_EVENTS, ends):
            if not await self.news(deadline - time.monotonic()):
                raise TransientError("job events are still being read", system="job events")

    async def news(self, timeout_s: float) -> bool:
        """Wait for the next messages to be folded; False when none came in time."""
        try:
            await asyncio.wait_for(self._news.wait(), max(0, timeout_s))
        except TimeoutError:
            return False
        return True

    def redriven(self, topic: str) -> Collection[int]:
        """Offsets of a dead-letter topic that were sent back."""
        return self._redriven.get(topic, set())

    async def note_redriven(self, topic: str, offsets: Collection[int], first: int) -> None:
        """Store that letters were sent back; offsets before ``first`` are gone from the topic.

        Raises:
            TransientError: Kafka does not answer.
        """
        found = {o for o in self._redriven.get(topic, ()) if o >= first} | set(offsets)
        value = orjson.dumps({"ranges": ranges_of(found)})
        await self._producer.send([self._message(f"{REDRIVEN}{topic}", value, "Redriven/1")])
        self._redriven[topic] = found

    def _reached(self, topic: Topic, ends: dict[int, tuple[int, int]]) -> bool:
        positions = self._messages.positions
        return all(positions.get((topic.name, number), 0) >= end for number, (_, end) in ends.items())

    # --- storing ---------------------------------------------------------------------------------

    async def _store(self) -> None:
        changed, self.book.changed = self.book.changed, set()
        if not changed:
            return
        # Taken before the first await: everything folded up to here is in the parts below.
        positions = dict(self._messages.positions)
        taken: list[tuple[JobLedger, set[str]]] = []
        messages: list[Outgoing] = []
        for job_id in sorted(changed):
            if (ledger := self.book.get(job_id)) is None:
                continue
            parts = ledger.take_changed()
            taken.append((ledger, parts))
            # State before ledger: after a crash in between the change is folded, and stored, again.
            messages.append(self._message(job_id, ledger.state.to_json(), "JobState/1"))
            messages += [self._part(ledger, part) for part in sorted(parts)]
        try:
            await self._producer.send([*messages, self._positions_message(positions)])
        except TransientError as error:
            log.warning("states_not_stored", jobs=len(taken), error=str(error))
            for ledger, parts in taken:
                ledger.mark_changed(parts)
                self.book.changed.add(ledger.job_id)

    def _part(self, ledger: JobLedger, part: str) -> Outgoing:
        return self._message(f"{LEDGER}{ledger.job_id}/{part}", ledger.part(part), "JobLedger/1")

    def _positions_message(self, positions: dict[tuple[str, int], int]) -> Outgoing:
        told: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in sorted(positions.items()):
            told.setdefault(topic, {})[str(partition)] = offset
        return self._message(POSITIONS, orjson.dumps(told), "JobPositions/1")

    async def _cancel_again(self) -> None:
        """Say cancels again after which somebody said something else: compaction would drop them."""
        jobs = sorted(self._spoken_over)
        words = [
            ledger.cancel for job_id in jobs if (ledger := self.book.get(job_id)) and not ledger.finished_ms
        ]
        envelope = Envelope(contract="JobControl/1")
        messages = [
            Outgoing(JOB_CONTROL.name, w.job_id.encode(), w.to_json(), envelope)
            for w in words
            if w is not None
        ]
        try:
            if messages:
                await self._producer.send(messages)
        except TransientError as error:
            log.warning("cancel_not_said_again", jobs=len(messages), error=str(error))
        else:
            self._spoken_over.difference_update(jobs)

    async def _forget_old(self) -> None:
        """Drop jobs that ended long ago, here and in the topic."""
        if time.monotonic() - self._forgot_at < FORGET_EVERY_S:
            return
        self._forgot_at = time.monotonic()
        oldest_ms = int(time.time() * 1000) - self._keep_ms
        for ledger in self.book:
            if not 0 < ledger.finished_ms < oldest_ms:
                continue
            parts = [f"{LEDGER}{ledger.job_id}/{part}" for part in ledger.parts()]
            try:
                await self._producer.send([self._message(key, b"", "") for key in (*parts, ledger.job_id)])
            except TransientError:
                return
            self.book.forget(ledger.job_id)
            log.info("job_forgotten", job_id=ledger.job_id)

    def _message(self, key: str, value: bytes, contract: str) -> Outgoing:
        envelope = Envelope(contract=contract)
        return Outgoing(JOB_STATES.name, key.encode(), value, envelope, headers=((WRITER, self._writer),))

    # --- restoring -------------------------------------------------------------------------------

    async def _on_states(self, records: Sequence[Any]) -> None:
        for record in records:
            key = (record.key or b"").decode("utf-8", "replace")
            envelope = read_headers(record.headers)
            value = await self._blobs.check_out(record.value) if envelope.claim else record.value
            if key.startswith(REDRIVEN):
                self._redriven[key.removeprefix(REDRIVEN)] = _offsets(value)
            elif self._loading is None:
                self._on_stored_by_another(key, value, dict(envelope.extra).get(WRITER))
            elif key == POSITIONS:
                self._start = _positions(value)
            elif key.startswith(LEDGER):
                job_id, _, part = key.removeprefix(LEDGER).rpartition("/")
                if value:
                    self._loading.setdefault(job_id, {})[part] = value
                else:
                    self._loading.get(job_id, {}).pop(part, None)

    def _on_stored_by_another(self, key: str, value: bytes | None, writer: bytes | None) -> None:
        if writer == self._writer or key.startswith("_") or not (ledger := self.book.get(key)):
            return
        if not value:
            self.book.forget(key)
        elif self.owner():
            # A former owner woke up and stored what is old by now: ours is stored over it.
            ledger.mark_changed(ledger.parts())
            self.book.changed.add(key)

    def _open(self) -> None:
        loaded, self._loading = self._loading or {}, None
        for job_id, parts in loaded.items():
            try:
                if parts:
                    self.book.restore(job_id, parts)
            except InvalidMessage as error:
                raise UnsupportedContract(
                    f"the stored ledger of job {job_id} cannot be read ({error}): was it written by a newer "
                    "console?"
                ) from error

    # --- following -------------------------------------------------------------------------------

    async def _on_messages(self, records: Sequence[Any]) -> None:
        for record in records:
            if record.value is None:
                continue
            try:
                message = _DECODE[record.topic](record)
                self.book.enter(message, record.timestamp)
                if isinstance(message, Controlled) and message.action is not ControlAction.CANCEL:
                    self._note_spoken_over(message.job_id)
            except InvalidMessage as error:
                log.warning(
                    "message_skipped",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    detail=str(error),
                )
        await asyncio.sleep(0)  # a long catch-up must let others run
        told, self._news = self._news, asyncio.Event()
        told.set()

    def _note_spoken_over(self, job_id: str) -> None:
        if (ledger := self.book.get(job_id)) is not None and ledger.cancel is not None:
            self._spoken_over.add(job_id)


def _event(record: Any) -> JobEvent:
    try:
        return JOB_EVENT.validate_json(record.value)
    except ValidationError as error:
        kinds = {fault["type"] for fault in error.errors(include_url=False, include_input=False)}
        if "union_tag_invalid" in kinds:
            raise UnsupportedContract(
                "an event is of a kind that this console does not know: upgrade it; nothing is lost meanwhile"
            ) from None
        raise InvalidMessage(", ".join(sorted(kinds))) from None


def _receipt(record: Any) -> Receipt:
    return Receipt.from_json(record.value)


def _control(record: Any) -> JobEvent:
    word = JobControl.from_json(record.value)
    return Controlled(job_id=word.job_id, action=word.action, discard=word.discard)


def _slice_letter(record: Any) -> GivenUp:
    work = WorkSlice.from_json(record.value)
    return GivenUp(work.job_id, work.slice, f"slice {work.slice} was given up{_why(record)}")


def _plan_letter(record: Any) -> GivenUp:
    return GivenUp(
        AcceptedJob.from_json(record.value).job_id, PLANNING, f"could not be planned{_why(record)}"
    )


def _why(record: Any) -> str:
    letter = read_dead_letter(tuple(record.headers))
    why = f" ({letter.reason.value}: {letter.detail})" if letter else ""
    return f"{why}; it is in {record.topic}, see `carebus deadletters list` and `redrive`"


_DECODE: dict[str, Callable[[Any], JobEvent | Receipt | GivenUp]] = {
    JOB_EVENTS.name: _event,
    LOAD_RECEIPTS.name: _receipt,
    JOB_CONTROL.name: _control,
    SLICE_LETTERS.name: _slice_letter,
    PLAN_LETTERS.name: _plan_letter,
}


def _offsets(value: bytes | None) -> set[int]:
    if not value:
        return set()
    return {offset for low, high in orjson.loads(value)["ranges"] for offset in range(low, high + 1)}


def _positions(value: bytes | None) -> dict[tuple[str, int], int]:
    return {
        (topic, int(partition)): offset
        for topic, offsets in orjson.loads(value or b"{}").items()
        for partition, offset in offsets.items()
    }
