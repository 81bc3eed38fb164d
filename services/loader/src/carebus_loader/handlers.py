"""The Kafka edge of the loader: a batch of plans or documents in, receipts out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.model import ranges_of
from carebus_contracts.plans import ReadPlan
from carebus_contracts.receipts import LoadMetrics, Receipt, Result
from carebus_loader.domain.accounting import Rows, most_frequent, rows_of_document, rows_of_plan
from carebus_loader.ports import Delivery, DocumentDelivery, Written
from carebus_runtime.received import Handler, Outcomes, Received

P = TypeVar("P", ReadPlan, CcdaDocument)
M = TypeVar("M")
D = TypeVar("D")


class Discards(Protocol):
    """Knows the jobs whose queued messages are to be skipped."""

    def discarded(self, job_id: str) -> bool:
        """Whether to skip messages of this job."""


def load_plans(
    write: Callable[[Sequence[Delivery]], Awaitable[list[Written]]],
    *,
    target: str,
    stage: str,
    controls: Discards,
) -> Handler[ReadPlan]:
    """Return the handler of one target's plan topic."""

    def deliver(message: Received[ReadPlan]) -> Delivery:
        envelope = message.envelope
        return Delivery(message.payload, envelope.version, envelope.job_id, envelope.dry_run, envelope.filing)

    def subject(message: Received[ReadPlan]) -> object:
        return message.payload.source, message.payload.subject

    return _loading(write, deliver, subject, rows_of_plan, target=target, stage=stage, controls=controls)


def load_documents(
    write: Callable[[Sequence[DocumentDelivery]], Awaitable[list[Written]]],
    *,
    stage: str,
    controls: Discards,
) -> Handler[CcdaDocument]:
    """Return the handler of the documents topic."""

    def deliver(message: Received[CcdaDocument]) -> DocumentDelivery:
        envelope = message.envelope
        return DocumentDelivery(message.payload, envelope.version, envelope.job_id, envelope.dry_run)

    def subject(message: Received[CcdaDocument]) -> object:
        return message.payload.source, message.payload.person_id

    return _loading(
        write, deliver, subject, rows_of_document, target="documents", stage=stage, controls=controls
    )


def _loading(
    write: Callable[[Sequence[D]], Awaitable[list[Written]]],
    deliver: Callable[[Received[P]], D],
    subject: Callable[[Received[P]], object],
    rows_of: Callable[[P, Written], Rows],
    *,
    target: str,
    stage: str,
    controls: Discards,
) -> Handler[P]:
    async def load(batch: Sequence[Received[P]]) -> Outcomes:
        began = time.monotonic()
        skipped = [m for m in batch if controls.discarded(m.envelope.job_id)]
        wanted = [m for m in batch if not controls.discarded(m.envelope.job_id)]
        books = _Books(target, stage, rows_of)
        for message in skipped:
            books.enter(message, Written(Result.DISCARDED, reason="job cancelled"), looked_at=False)
        for group in rounds(wanted, subject):
            for message, written in zip(group, await write([deliver(m) for m in group]), strict=True):
                books.enter(message, written)
        return Outcomes(receipts=books.receipts(int((time.monotonic() - began) * 1000)))

    return load


def rounds(batch: Sequence[M], subject: Callable[[M], object]) -> list[list[M]]:
    """Split a batch so that no subject is twice in one part, and the order of each subject stays."""
    seen: defaultdict[object, int] = defaultdict(int)
    parts: list[list[M]] = []
    for message in batch:
        turn = seen[subject(message)]
        seen[subject(message)] += 1
        if turn == len(parts):
            parts.append([])
        parts[turn].append(message)
    return parts


@dataclass(slots=True)
class _Entry:
    ordinals: set[int] = field(default_factory=set)
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    persons: int = 0
    size: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    not_mapped: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)


class _Books(Generic[P]):
    """Gathers what became of a batch into as few receipts as tell it exactly."""

    def __init__(self, target: str, stage: str, rows_of: Callable[[P, Written], Rows]) -> None:
        self._target = target
        self._stage = stage
        self._rows_of: Callable[[P, Written], Rows] = rows_of
        self._entries: dict[tuple[str, int, str, Result, str, bool], _Entry] = {}

    def enter(self, message: Received[P], written: Written, *, looked_at: bool = True) -> None:
        envelope = message.envelope
        if not envelope.counted:
            return
        # What was handled before gets a receipt of its own: mixed with what is new, the sums of rows could
        # overlap those of earlier receipts in part, and would tell neither.
        key = (
            envelope.job_id,
            envelope.slice,
            envelope.attempt,
            written.result,
            written.reason,
            written.seen_before,
        )
        entry = self._entries.setdefault(key, _Entry())
        looked_at = looked_at and envelope.ordinal not in entry.ordinals
        entry.ordinals.add(envelope.ordinal)
        entry.inserted += written.inserted
        entry.updated += written.updated
        entry.deleted += written.deleted
        entry.persons += written.persons
        entry.size += message.size
        _add(entry.tables, written.tables)
        if looked_at:
            _add_nested(entry.not_mapped, message.payload.not_mapped)
            _add_nested(entry.not_mapped, written.not_mapped)
            _add_nested(entry.lacking, message.payload.lacking)
            _add_nested(entry.rows, self._rows_of(message.payload, written))

    def receipts(self, duration_ms: int) -> list[Receipt]:
        return [
            Receipt(
                stage=self._stage,
                target=self._target,
                job_id=job_id,
                slice=number,
                attempt=attempt,
                ordinals=ranges_of(entry.ordinals),
                result=result,
                reason=reason,
                metrics=LoadMetrics(
                    inserted=entry.inserted,
                    updated=entry.updated,
                    deleted=entry.deleted,
                    persons=entry.persons,
                    bytes=entry.size,
                    duration_ms=duration_ms,
                ),
                tables=entry.tables,
                not_mapped=entry.not_mapped,
                rows=entry.rows,
                lacking=most_frequent(entry.lacking),
            )
            for (job_id, number, attempt, result, reason, _), entry in self._entries.items()
        ]


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def _add_nested(into: dict[str, dict[str, int]], more: Mapping[str, Mapping[str, int]]) -> None:
    for name, counts in more.items():
        _add(into.setdefault(name, {}), counts)
