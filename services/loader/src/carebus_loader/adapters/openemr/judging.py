"""What a plan does to what stands: the guard over all tables of a subject, with tombstones and floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from carebus_contracts.plans import PlannedTable
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held, Verdict, decide, result_of
from carebus_loader.ports import Delivery

ALL_TABLES = "*"
"""A tombstone of this table, in a plan or in the ledger, is one of every table."""

TAKEN = (Verdict.WRITE, Verdict.RAISE)


@dataclass(frozen=True)
class Standing:
    """What the ledger says of one subject."""

    held: Mapping[str, Held]
    chart: bytes | None = None
    """uuid of the patient row."""
    known: bool = False
    """Whether the ledger has a row for it."""


@dataclass(frozen=True)
class Judgement:
    """What one delivery does."""

    delivery: Delivery
    standing: Standing
    verdicts: Mapping[str, Verdict]
    held: Mapping[str, Held]
    """What the ledger will say."""

    @cached_property
    def writes(self) -> list[PlannedTable]:
        """Tables that get new content."""
        return [
            write
            for write in self.delivery.plan.writes
            if write.kind == "replace_scope" and self.verdicts[write.table] is Verdict.WRITE
        ]

    @cached_property
    def emptied(self) -> frozenset[str]:
        """Tables that a tombstone empties."""
        return frozenset(
            table for table, verdict in self.verdicts.items() if verdict in TAKEN and not self.written(table)
        )

    @property
    def noted(self) -> bool:
        """Whether the ledger changes."""
        return any(verdict in TAKEN for verdict in self.verdicts.values())

    @property
    def rewritten(self) -> bool:
        """Whether rows may change."""
        return Verdict.WRITE in self.verdicts.values()

    @property
    def result(self) -> Result:
        """What the receipt says."""
        return result_of(self.verdicts.values())

    def written(self, table: str) -> bool:
        """Whether the plan says what a table is to hold."""
        return any(w.table == table and w.kind == "replace_scope" for w in self.delivery.plan.writes)


def judge(delivery: Delivery, standing: Standing, floor: Version | None) -> Judgement:
    """Apply the guard to each table of a plan.

    Args:
        delivery: The plan and its version.
        standing: What the ledger says of the subject.
        floor: Version up to which its source, or its job, was retired.
    """
    below = [Held(floor, "")] if floor is not None else []
    if ALL_TABLES in standing.held:
        below.append(standing.held[ALL_TABLES])
    verdicts: dict[str, Verdict] = {}
    after = dict(standing.held)
    for table, content in _statements(delivery, standing):
        there = max((*below, *((standing.held[table],) if table in standing.held else ())), default=None)
        verdict = decide(there, delivery.version, content)
        verdicts[table] = verdict
        if verdict in TAKEN:
            after[table] = Held(delivery.version, content)
    return Judgement(delivery, standing, verdicts, _folded(after))


def _statements(delivery: Delivery, standing: Standing) -> list[tuple[str, str]]:
    """Return table and content hash of each statement; a tombstone has the empty hash."""
    writes = delivery.plan.writes
    if any(w.table == ALL_TABLES for w in writes):
        return [(table, "") for table in (ALL_TABLES, *standing.held) if table] if writes else []
    return [(w.table, w.hash if w.kind == "replace_scope" else "") for w in writes]


def _folded(held: Mapping[str, Held]) -> dict[str, Held]:
    """Leave out what the tombstone of all tables says already."""
    all_gone = held.get(ALL_TABLES)
    if all_gone is None:
        return dict(held)
    return {
        table: there
        for table, there in held.items()
        if table == ALL_TABLES or (there.version, there.hash) > (all_gone.version, all_gone.hash)
    }
