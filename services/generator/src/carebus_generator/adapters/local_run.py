"""A data set made on this machine, without Kafka: chunks by some processes, again after a kill.

What a process makes of a chunk depends on nothing but the order, so any number of processes and any
restart end in the same data set.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from carebus_contracts.errors import JobError
from carebus_generator.adapters.disks import disk_warnings
from carebus_generator.adapters.manifests import ChunkRecord, Format, Manifest
from carebus_generator.adapters.packing import Compression, Packing
from carebus_generator.adapters.sinks import open_sink
from carebus_generator.data_set import DataSet, made_from
from carebus_generator.domain.estimates import estimate
from carebus_generator.domain.scenario import Scenario
from carebus_generator.showing.realism_files import realism_files

PROGRESS_S = 0.25
"""Progress is told at most four times a second."""


@dataclass(frozen=True)
class Order:
    """What is to be made, and where it goes."""

    scenario: Scenario
    seed: int
    source: str
    url: str
    format: Format
    compression: Compression = "none"
    key_file: Path | None = None
    """Encrypt with this key."""
    first_person_id: int = 1
    chunk_patients: int = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    total: int
    seconds: float
    resumed: int
    """Patients that were there before."""

    @property
    def per_second(self) -> float:
        """Patients a second in this run."""
        return (self.done - self.resumed) / self.seconds if self.seconds > 0 else 0.0


def run(
    order: Order,
    *,
    processes: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Make a data set; go on with what is there of it.

    Args:
        order: What and where.
        processes: How many make chunks; with one there is no other process.
        on_progress: Told at most four times a second, and at the end.
        on_warning: Told before anything is written, where a disk is too small for what is expected.

    Raises:
        JobError: It cannot be written, or the folder holds something else.
    """
    maker = Maker(order)
    if manifest := maker.sink.finished():
        return manifest
    records = {record.chunk: record for record in maker.sink.records()}
    if not records:
        files = [(order.url, order.format, order.compression)]
        for warning in disk_warnings(estimate(maker.data_set.model), files):
            on_warning(warning)
    total = order.scenario.total
    chunks = -(-total // order.chunk_patients)
    if any(r.first != r.chunk * order.chunk_patients for r in records.values()):
        raise JobError(
            f"{order.url} holds chunks of another size than {order.chunk_patients:,} patients; go on with that "
            "size, or choose an empty folder"
        )
    wanted = [number for number in range(chunks) if number not in records]
    resumed = done = sum(record.patients for record in records.values())
    began = told = time.monotonic()
    with _made(maker, order, wanted, min(processes, len(wanted))) as made:
        for record in made:
            records[record.chunk] = record
            done += record.patients
            now = time.monotonic()
            if now - told >= PROGRESS_S:
                told = now
                on_progress(Progress(done, total, now - began, resumed))
    manifest = maker.sink.finish([*records.values()], partial(realism_files, maker.data_set.model))
    maker.sink.sweep()
    on_progress(Progress(done, total, time.monotonic() - began, resumed))
    return manifest


class Maker:
    """Makes and writes the chunks of an order."""

    def __init__(self, order: Order) -> None:
        self._size = order.chunk_patients
        origin = made_from(
            order.scenario, source=order.source, seed=order.seed, first_person_id=order.first_person_id
        )
        self.data_set = DataSet.compiled(order.scenario, origin)
        self.sink = open_sink(
            order.url, origin, self.data_set.surroundings, form=order.format, packing=_packing(order)
        )

    def __call__(self, number: int) -> ChunkRecord:
        """Make and write a chunk."""
        first = number * self._size
        count = min(self._size, self.data_set.patients - first)
        with self.sink.writing(number, first, count) as chunk:
            for part in self.data_set.parts(first, count):
                chunk.rows(part)
                for block, digest in self.data_set.blocks(part):
                    chunk.bundles(block, digest)
        return chunk.record


def _packing(order: Order) -> Packing:
    if order.key_file is None:
        return Packing(order.compression)
    from carebus_generator.adapters.encryption import Key  # noqa: PLC0415 - 6 MB

    return Packing(order.compression, Key.read(order.key_file))


@contextmanager
def _made(
    maker: Maker, order: Order, wanted: Iterable[int], processes: int
) -> Iterator[Iterator[ChunkRecord]]:
    if processes <= 1:
        yield map(maker, wanted)
        return
    # Spawned: a fork would share this process's files and threads. Not multiprocessing's Pool: ending one
    # kills its processes, and who dies with the lock of the results lets all others wait for ever.
    with ProcessPoolExecutor(processes, get_context("spawn"), _start, (order,)) as pool:
        try:
            yield _drawn(pool, iter(wanted), 2 * processes)
        except BrokenProcessPool:
            raise JobError("a process was killed; run again, it goes on with what is there") from None
        finally:
            # What is in hand is finished; what is not begun never is.
            pool.shutdown(cancel_futures=True)


def _drawn(pool: ProcessPoolExecutor, wanted: Iterator[int], ahead: int) -> Iterator[ChunkRecord]:
    """Have chunks made, some ahead of who draws them, and yield each when it is done."""
    under_way = {pool.submit(_make, number) for number in islice(wanted, ahead)}
    while under_way:
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        under_way |= {pool.submit(_make, number) for number in islice(wanted, len(done))}
        for made in done:
            yield made.result()


_maker: Maker | None = None


def _start(order: Order) -> None:
    global _maker
    # Ctrl-C goes to all processes; the first one lets the others finish what they have in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _maker = Maker(order)


def _make(number: int) -> ChunkRecord:
    assert _maker is not None  # noqa: S101 - the pool started with _start
    return _maker(number)
