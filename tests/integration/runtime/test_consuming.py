"""The runtime's promises on a real Kafka: nothing lost, nothing stepped over, every refusal explained."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

from carebus_contracts.dead_letters import DeadLetterReason, read_dead_letter
from carebus_contracts.errors import (
    ConstraintViolated,
    FatalError,
    InvalidMessage,
    TargetUnavailable,
    UndecodableFlood,
)
from carebus_contracts.headers import Envelope, write_headers
from carebus_contracts.receipts import Receipt, Result
from carebus_contracts.topics import JOB_EVENTS, LOAD_RECEIPTS
from carebus_contracts.versions import Version
from carebus_runtime.received import DeadLettered, Outcomes, Outgoing, Received
from carebus_runtime.subscription import Batching, Subscription
from support.bus import Bus, until, working

Batch = Sequence[Received[bytes]]


def reading(bus: Bus, handler: Callable[[Batch], Awaitable[Outcomes]], **more: Any) -> Subscription[bytes]:
    def decode(value: bytes) -> bytes:
        if value.startswith(b"\xff"):
            raise InvalidMessage("not text")
        return value

    return Subscription(bus.topic, bus.group, decode, handler, Batching(records=50, wait_ms=50), **more)


class Seen:
    """A handler that remembers what it was given."""

    def __init__(self) -> None:
        self.values: Counter[bytes] = Counter()

    async def __call__(self, batch: Batch) -> Outcomes:
        self.values.update(m.payload for m in batch)
        return Outcomes()


async def test_every_message_is_handled_and_committed(bus: Bus, tmp_path: Path) -> None:
    """All messages of all partitions arrive once, and the group's lag goes to zero."""
    values = [b"m%03d" % n for n in range(300)]
    await bus.send(*values)
    seen = Seen()

    async with working(bus, reading(bus, seen), tmp_path):
        await until(lambda: len(seen.values) == 300)

    assert seen.values == Counter(values)
    assert await bus.lag() == 0


async def test_a_handled_batch_does_not_stay_in_memory(bus: Bus, tmp_path: Path) -> None:
    """Drivers set timers for minutes; what such a timer keeps of the context is not the messages."""
    await bus.send(*(b"m%03d" % n for n in range(300)))
    seen = Seen()
    timers = []

    async def handle(batch: Batch) -> Outcomes:
        timers.append(asyncio.get_running_loop().call_later(600, str))
        timers[-1].cancel()
        return await seen(batch)

    async with working(bus, reading(bus, handle), tmp_path):
        await until(lambda: len(seen.values) == 300)
        await until(lambda: not _records(bus))

    assert len(timers) >= 6


async def test_large_messages_come_in_parts_that_fit_into_memory(bus: Bus, tmp_path: Path) -> None:
    """One fetch brings all; the handler never has more than its part, and every part is committed."""
    values = [b"%03d" % n + b"." * 300_000 for n in range(30)]
    await bus.send(*values)
    seen = Seen()
    largest = 0

    async def handle(batch: Batch) -> Outcomes:
        nonlocal largest
        largest = max(largest, sum(m.size for m in batch))
        return await seen(batch)

    subscription = replace(
        reading(bus, handle), batching=Batching(records=50, wait_ms=50, part_bytes=1_000_000)
    )
    async with working(bus, subscription, tmp_path):
        await until(lambda: len(seen.values) == 30)

    assert seen.values == Counter(values)
    assert largest <= 1_000_000
    assert await bus.lag() == 0


def _records(bus: Bus) -> list[ConsumerRecord[Any, Any]]:
    return [o for o in gc.get_objects() if isinstance(o, ConsumerRecord) and o.topic == bus.topic.name]


async def test_poison_is_dead_lettered_and_the_rest_goes_on(bus: Bus, tmp_path: Path) -> None:
    """Bytes that fit no contract keep their bytes and headers, and say where they come from and why."""
    await bus.send(b"a", b"\xff\xfe poison", b"b", headers=[("other", b"\xff\x00")])
    seen = Seen()

    async with working(bus, reading(bus, seen), tmp_path):
        await until(lambda: len(seen.values) == 2)

    (letter,) = await bus.read(bus.dead_letters)
    found = read_dead_letter(letter.headers)
    assert letter.value == b"\xff\xfe poison"
    assert letter.key == b"k1"
    assert found is not None
    assert (found.reason, found.topic, found.detail) == (
        DeadLetterReason.UNDECODABLE,
        bus.topic.name,
        "not text",
    )
    assert ("other", b"\xff\x00") in letter.headers
    assert await bus.lag() == 0


async def test_a_batch_that_fails_is_halved_until_the_bad_record_stands_alone(
    bus: Bus, tmp_path: Path
) -> None:
    """One refused record is dead-lettered by reason; an error of ours is, too, without its text."""
    values = [b"m%03d" % n for n in range(60)]
    await bus.send(*values)
    written: Counter[bytes] = Counter()

    async def load(batch: Batch) -> Outcomes:
        payloads = [m.payload for m in batch]
        if b"m017" in payloads:
            raise ConstraintViolated("column too long")
        if b"m042" in payloads:
            raise ValueError("born 1970-01-01")
        written.update(payloads)
        return Outcomes()

    async with working(bus, reading(bus, load), tmp_path):
        await until(lambda: len(written) == 58)
        await until(lambda: _at_least(bus, bus.dead_letters, 2))

    letters = {r.value: read_dead_letter(r.headers) for r in await bus.read(bus.dead_letters)}
    assert {value: letter.reason for value, letter in letters.items() if letter} == {
        b"m017": DeadLetterReason.CONSTRAINT,
        b"m042": DeadLetterReason.UNEXPECTED,
    }
    assert letters[b"m042"] is not None
    assert "1970" not in letters[b"m042"].detail
    assert await bus.lag() == 0


async def test_an_outage_is_waited_out_without_loss_or_dead_letters(bus: Bus, tmp_path: Path) -> None:
    """While a target is away the consumer waits, says so for the job, and then goes on."""
    headers = list(
        write_headers(
            Envelope(job_id="job-out", slice=1, attempt="a", ordinal=0),
            event_type="t",
            event_id="1",
            source="/test",
        )
    )
    await bus.send(*[b"m%d" % n for n in range(20)], headers=headers)
    tries = 0
    seen = Seen()

    async def load(batch: Batch) -> Outcomes:
        nonlocal tries
        tries += 1
        if tries <= 6:
            raise TargetUnavailable("refused", system="mariadb at db1")
        return await seen(batch)

    async with working(bus, reading(bus, load), tmp_path):
        await until(lambda: len(seen.values) == 20)

    waits = [r.value for r in await bus.read(JOB_EVENTS.name) if r.key == b"job-out"]
    assert any(b'"system":"mariadb at db1"' in w for w in waits)
    assert b'"system"' not in waits[-1]
    assert await bus.read(bus.dead_letters) == []
    assert await bus.lag() == 0


async def test_a_fatal_error_halts_without_commit(bus: Bus, tmp_path: Path) -> None:
    """The worker stops, nothing is committed, and the next worker gets the same messages."""
    await bus.send(b"one")

    async def load(batch: Batch) -> Outcomes:
        raise FatalError("schema is not ours")

    async with working(bus, reading(bus, load), tmp_path) as worker:
        await until(worker._stop.is_set)

    assert isinstance(worker.outcome, FatalError)  # type: ignore[attr-defined]
    assert await bus.lag() == 1


async def test_a_flood_of_unreadable_messages_halts_the_worker(bus: Bus, tmp_path: Path) -> None:
    """A bad deploy cannot drain a topic into its dead letters."""
    await bus.send(*[b"\xff%d" % n for n in range(40)])

    async with working(bus, reading(bus, Seen()), tmp_path, undecodable_limit=30) as worker:
        await until(worker._stop.is_set)

    assert isinstance(worker.outcome, UndecodableFlood)  # type: ignore[attr-defined]
    assert await bus.lag() >= 10


async def test_two_members_share_and_lose_nothing_when_one_joins_and_one_leaves(
    bus: Bus, tmp_path: Path
) -> None:
    """Rebalances in the middle of the load: every message is handled."""
    values = [b"m%04d" % n for n in range(600)]
    first, second = Seen(), Seen()

    async def slowly(batch: Batch, seen: Seen) -> Outcomes:
        await asyncio.sleep(0.05)
        return await seen(batch)

    async with working(bus, reading(bus, lambda b: slowly(b, first)), tmp_path):
        await bus.send(*values[:200])
        async with working(bus, reading(bus, lambda b: slowly(b, second)), tmp_path) as joined:
            await until(lambda: bool(joined.assignments()))
            await bus.send(*values[200:])
            await until(lambda: len(second.values) > 20)
        await until(lambda: len(first.values | second.values) == 600)

    assert set(first.values | second.values) == set(values)
    assert await bus.lag() == 0


async def test_a_dead_letter_owes_a_receipt_for_each_target_that_it_starves(bus: Bus, tmp_path: Path) -> None:
    """The account of the job closes also for what a stage refuses on behalf of its targets."""
    job = f"job-{bus.group[-6:]}"
    envelope = Envelope(job_id=job, slice=3, attempt="x", ordinal=9, targets=("openemr", "postgres"))
    headers = list(write_headers(envelope, event_type="t", event_id="1", source="/test"))
    await bus.send(b"value", headers=headers)

    async def load(batch: Batch) -> Outcomes:
        return Outcomes(dead_letters=[DeadLettered(0, DeadLetterReason.UNMAPPABLE, "no rule")])

    async with working(bus, reading(bus, load, starves=lambda e: e.targets), tmp_path):
        await until(lambda: _at_least(bus, bus.dead_letters, 1))

    receipts = [
        Receipt.from_json(r.value) for r in await bus.read(LOAD_RECEIPTS.name) if r.key == job.encode()
    ]
    assert [(r.target, r.result, r.ordinals, r.slice) for r in receipts] == [
        ("openemr", Result.DEAD_LETTERED, ((9, 9),), 3),
        ("postgres", Result.DEAD_LETTERED, ((9, 9),), 3),
    ]


async def test_a_payload_over_the_limit_travels_by_claim_check(bus: Bus, tmp_path: Path) -> None:
    """30 MB go through Kafka as a claim check and arrive whole; headers hold no key."""
    payload = b"x" * 30_000_000
    sizes: list[int] = []

    async def load(batch: Batch) -> Outcomes:
        for message in batch:
            if message.payload == b"go":
                out = Outgoing(
                    bus.topic.name, b"lab/4711", payload, Envelope(contract="Test/1", version=Version(5))
                )
                return Outcomes(outgoing=[out])
            sizes.append(message.size)
        return Outcomes()

    await bus.send(b"go")
    async with working(bus, reading(bus, load), tmp_path):
        await until(lambda: bool(sizes))

    assert sizes == [30_000_000]
    (big,) = [r for r in await bus.read(bus.topic.name) if r.key == b"lab/4711"]
    assert len(big.value) < 500
    assert not any(b"4711" in value for _, value in big.headers)
    assert dict(big.headers)["carebus-claim"] == b"true"


async def _at_least(bus: Bus, topic: str, count: int) -> bool:
    return len(await bus.read(topic)) >= count
