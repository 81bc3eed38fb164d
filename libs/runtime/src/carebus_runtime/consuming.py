"""Reading a topic so that nothing is lost: batches, outcomes, exact commits, retries, dead letters.

FastStream runs the loop; its parser, decoder and acknowledgements are replaced, as they would lose
messages: the default batch parser fails a whole batch on one odd header, a raising handler steps
over its batch, and an ack commits the position of every partition instead of what was handled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from carebus_contracts.dead_letters import DeadLetterReason
from carebus_contracts.errors import (
    FatalError,
    MessageError,
    RecordError,
    TransientError,
    UndecodableFlood,
)
from carebus_contracts.headers import Envelope, read_headers
from carebus_contracts.jobs import Waiting
from carebus_runtime import metric_names as metrics
from carebus_runtime.blobs import BlobStore
from carebus_runtime.dead_letters import dead_letter_for, reason_of, receipts_for
from carebus_runtime.logs import Log
from carebus_runtime.parts import first_part
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing, Received
from carebus_runtime.retrying import growing_delays
from carebus_runtime.settings import WorkerSettings
from carebus_runtime.subscription import Subscription
from carebus_runtime.telemetry import batch_span
from carebus_runtime.telling import event_message, receipt_message

log = Log(__name__)
T = TypeVar("T")

Record: TypeAlias = Any
"""aiokafka's ConsumerRecord with bytes for key and value; the driver is untyped."""


class _AbandonedError(Exception):
    """The batch is given back uncommitted: its partitions are leaving, or the worker is."""


class Consumption(Generic[T]):
    """One running subscription."""

    def __init__(
        self,
        subscription: Subscription[T],
        *,
        settings: WorkerSettings,
        producer: Producer,
        blobs: BlobStore,
        halt: Callable[[FatalError], None],
    ) -> None:
        self._what = subscription
        self._settings = settings
        self._producer = producer
        self._blobs = blobs
        self._halt = halt
        self._lock = asyncio.Lock()
        self._leaving = asyncio.Event()
        self._stopping = False
        self._unreadable = 0
        self._subscriber: Any = None
        self.waiting_for = ""
        """The system that this subscription waits for; empty when it runs."""

    def attach(self, broker: KafkaBroker) -> None:
        """Register with the broker; its start begins to read."""
        batching = self._what.batching
        longest_ms = int(self._what.longest_batch_s * 1000)
        self._subscriber = broker.subscriber(
            self._what.topic.name,
            group_id=self._what.group,
            batch=True,
            max_records=batching.records,
            # FastStream sleeps this long again after an empty fetch: small; the broker batches.
            batch_timeout_ms=20,
            fetch_min_bytes=batching.min_bytes,
            fetch_max_wait_ms=batching.wait_ms,
            fetch_max_bytes=batching.max_bytes,
            max_partition_fetch_bytes=batching.partition_bytes,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            rebalance_timeout_ms=longest_ms,
            max_poll_interval_ms=longest_ms,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            listener=_Rebalances(self),
            parser=self._parse,
            decoder=_raw,
        )
        self._subscriber(self._on_batch)

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._what.topic.name

    @property
    def assignment(self) -> frozenset[int]:
        """Numbers of the partitions that are ours now."""
        consumer = self._consumer
        return frozenset(p.partition for p in consumer.assignment()) if consumer else frozenset()

    def stop_waiting(self) -> None:
        """Give back a batch that waits for another system: the worker leaves."""
        self._stopping = True

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber is not None else None

    async def _parse(self, records: tuple[Record, ...]) -> KafkaAckableMessage:
        return KafkaAckableMessage(
            body=b"",
            raw_message=list(records),
            headers={},
            batch_headers=[],
            reply_to="",
            content_type=None,
            message_id="",
            correlation_id="",
            path={},
            consumer=self._subscriber.consumer,
        )

    async def _on_batch(self, given: list[Record]) -> None:
        """Handle one batch. Never raises: FastStream would swallow it and step over the batch."""
        async with self._lock:
            consumer = self._consumer
            if consumer is None or self._stopping:
                return
            ours = [r for r in given if TopicPartition(r.topic, r.partition) in consumer.assignment()]
            # FastStream's message, which holds this list, is a context variable, and each timer that a driver
            # sets keeps the context until its time, cancelled or not: seconds of batches would stay in memory.
            given.clear()
            try:
                while ours:
                    part = first_part(ours, self._what.batching.part_bytes)
                    await self._handle(part)
                    await self._commit(consumer, part)
                    del ours[: len(part)]
            except _AbandonedError:
                self._rewind(consumer, ours)
            except FatalError as error:
                log.error("worker_halted", topic=self._what.topic.name, error=type(error).__name__)
                self._stopping = True
                self._halt(error)
            except Exception as error:
                # Nothing of this part is committed and the positions go back, so it comes again.
                log.error("batch_failed", topic=self._what.topic.name, exc_info=True)
                self._rewind(consumer, ours)
                with contextlib.suppress(_AbandonedError):
                    await self._pause(TransientError(type(error).__name__, system="itself"), 1.0)

    async def _handle(self, records: list[Record]) -> None:
        began = time.monotonic()
        topic = self._what.topic.name
        parents = (_text_header(record, "traceparent") for record in records)
        with batch_span(topic, self._what.group, len(records), parents):
            messages = await self._patiently(lambda: self._decode(records), ())
            for message in messages:
                metrics.MESSAGE_BYTES.labels(topic).inc(message.size)
            if messages:
                await self._halving(messages, {(r.partition, r.offset): r for r in records})
        metrics.BATCH_SECONDS.labels(topic).observe(time.monotonic() - began)

    async def _decode(self, records: Sequence[Record]) -> list[Received[T]]:
        messages: list[Received[T]] = []
        given_up: list[tuple[Record, Envelope, Exception]] = []
        for record in records:
            envelope = read_headers(record.headers)
            try:
                value = record.value or b""
                if envelope.claim:
                    value = await self._blobs.check_out(value)
                payload = self._what.decode(value)
            except MessageError as error:
                given_up.append((record, envelope, error))
                self._unreadable += 1
            else:
                self._unreadable = 0
                messages.append(
                    Received(
                        payload,
                        envelope,
                        record.topic,
                        record.partition,
                        record.offset,
                        record.timestamp,
                        record.key,
                        len(value),
                    )
                )
        if self._unreadable >= self._settings.undecodable_limit:
            raise UndecodableFlood(
                f"{self._unreadable} messages in a row on {self._what.topic.name} could not be read; "
                "nothing of them was committed: check that this worker's version fits its senders"
            )
        for record, envelope, fault in given_up:
            await self._give_up(record, envelope, *reason_of(fault))
        return messages

    async def _halving(self, messages: Sequence[Received[T]], records: dict[tuple[int, int], Record]) -> None:
        """Run the handler; where a record is at fault, halve the batch until it stands alone."""
        try:
            await self._patiently(lambda: self._run(messages, records), messages)
        except (_AbandonedError, FatalError):
            raise
        except Exception as error:
            if not isinstance(error, RecordError | MessageError):
                log.error("handler_failed", topic=self._what.topic.name, exc_info=True)
            if len(messages) == 1:
                message = messages[0]
                record = records[message.partition, message.offset]
                reason, detail = reason_of(error)
                await self._patiently(
                    lambda: self._give_up(record, message.envelope, reason, detail), messages
                )
                return
            middle = len(messages) // 2
            await self._halving(messages[:middle], records)
            await self._halving(messages[middle:], records)

    async def _run(self, messages: Sequence[Received[T]], records: dict[tuple[int, int], Record]) -> None:
        outcomes = await self._what.handler(messages)
        await self._producer.send([*outcomes.outgoing, *map(receipt_message, outcomes.receipts)])
        for dead in outcomes.dead_letters:
            message = messages[dead.index]
            record = records[message.partition, message.offset]
            await self._give_up(record, message.envelope, dead.reason, dead.detail, dead.targets)
        topic = self._what.topic.name
        metrics.MESSAGES.labels(topic, "done").inc(len(messages) - len(outcomes.dead_letters))

    async def _give_up(
        self,
        record: Record,
        envelope: Envelope,
        reason: DeadLetterReason,
        detail: str,
        starved: Sequence[str] = (),
    ) -> None:
        letter = dead_letter_for(
            reason,
            detail,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            headers=record.headers,
        )
        starved = starved or self._what.starves(envelope)
        owed = receipts_for(envelope, reason, stage=self._what.group, targets=starved)
        await self._producer.send(
            [
                Outgoing(
                    self._what.topic.dead_letters(self._what.group),
                    record.key,
                    record.value or b"",
                    headers=tuple(letter.headers()),
                ),
                *map(receipt_message, owed),
            ]
        )
        metrics.DEAD_LETTERS.labels(record.topic, reason.value).inc()
        metrics.MESSAGES.labels(record.topic, "dead_lettered").inc()
        log.warning(
            "message_dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason.value,
            detail=detail,
            job_id=envelope.job_id,
        )

    async def _patiently(self, work: Callable[[], Awaitable[Any]], messages: Sequence[Received[T]]) -> Any:
        """Do the work; while another system is away, wait for it with the consumer paused."""
        delays = growing_delays(self._settings.retry_first_s, self._settings.retry_longest_s)
        while True:
            try:
                done = await work()
            except TransientError as error:
                metrics.RETRIES.labels(self._what.topic.name).inc()
                if self.waiting_for != error.system:
                    log.warning("waiting", topic=self._what.topic.name, system=error.system, error=str(error))
                    self.waiting_for = error.system
                    await self._say_waiting(messages)
                await self._pause(error, next(delays))
            else:
                if self.waiting_for:
                    log.info("waited", topic=self._what.topic.name, system=self.waiting_for)
                    self.waiting_for = ""
                    await self._say_waiting(messages)
                return done

    async def _say_waiting(self, messages: Sequence[Received[T]]) -> None:
        metrics.WAITING.labels(self._what.topic.name).set(1 if self.waiting_for else 0)
        jobs = {m.envelope.job_id for m in messages if m.envelope.job_id}
        events = [
            event_message(Waiting(job_id=job, stage=self._what.group, system=self.waiting_for))
            for job in sorted(jobs)
        ]
        try:
            await self._producer.send(events)
        except TransientError:
            log.warning("waiting_not_said", topic=self._what.topic.name)

    async def _pause(self, error: TransientError, delay_s: float) -> None:
        """Sleep without losing the partitions: an empty fetch of a paused consumer counts as a poll."""
        consumer = self._consumer
        if consumer is None or self._stopping:
            raise _AbandonedError from error
        ours = tuple(consumer.assignment())
        consumer.pause(*ours)
        try:
            until = time.monotonic() + delay_s
            while (left := until - time.monotonic()) > 0:
                if self._stopping or self._leaving.is_set():
                    raise _AbandonedError from error
                fetched = await consumer.getmany(timeout_ms=int(min(left, 0.5) * 1000) + 1)
                for partition, records in fetched.items():
                    consumer.seek(partition, records[0].offset)
        finally:
            consumer.resume(*(p for p in ours if p in consumer.assignment()))

    async def _commit(self, consumer: AIOKafkaConsumer, records: list[Record]) -> None:
        """Commit exactly what was handled. Where that fails the batch comes again, which is harmless."""
        ends: dict[TopicPartition, int] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            if place in consumer.assignment():
                ends[place] = max(ends.get(place, 0), record.offset + 1)
        try:
            if ends:
                await consumer.commit(ends)
        except (CommitFailedError, KafkaError) as error:
            log.warning("commit_failed", topic=self._what.topic.name, error=type(error).__name__)

    def _rewind(self, consumer: AIOKafkaConsumer, records: list[Record]) -> None:
        first: dict[TopicPartition, int] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            first[place] = min(first.get(place, record.offset), record.offset)
        for place, offset in first.items():
            if place in consumer.assignment():
                consumer.seek(place, offset)

    async def partitions_leave(self) -> None:
        """Let the batch in hand finish and commit before the partitions go; give back one that waits."""
        metrics.REBALANCES.labels(self._what.topic.name).inc()
        self._leaving.set()
        async with self._lock:
            self._leaving.clear()


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumption: Consumption[Any]) -> None:
        self._consumption = consumption

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._consumption.partitions_leave()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(assigned))


async def _raw(message: KafkaAckableMessage) -> list[Record]:
    """FastStream decoder: the handler gets the records as they came."""
    return cast("list[Record]", message.raw_message)


def _text_header(record: Record, name: str) -> str:
    for key, value in record.headers:
        if key == name:
            return value.decode("ascii", "replace") if value else ""
    return ""
