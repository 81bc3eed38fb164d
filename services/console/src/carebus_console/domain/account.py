"""What one target said about the messages of one attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carebus_console.domain.claims import STRONGEST_FIRST, Claims
from carebus_console.domain.ordinals import NOTHING, OrdinalSet
from carebus_contracts.receipts import Receipt, Result

WRITTEN = frozenset((Result.APPLIED, Result.UNCHANGED, Result.STALE, Result.REFUSED))
"""Results of messages that a loader looked at: only these know what became of source rows."""
EXPLAINED = frozenset((Result.REFUSED, Result.DEAD_LETTERED))


@dataclass(slots=True)
class Account:
    """Disjoint sets of ordinals by result, and what came with them.

    When a message is reported twice the stronger result stands (``STRONGEST_FIRST``).
    Entering the same receipts in any order, with any duplicates, ends in the same account.
    """

    settled: dict[Result, OrdinalSet] = field(default_factory=dict)
    reasons: dict[str, OrdinalSet] = field(default_factory=dict)
    dead: OrdinalSet = NOTHING
    """Messages that ever became dead letters, those since redriven included."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    persons: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)
    """What became of source rows."""
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)

    def enter(self, receipt: Receipt) -> bool:
        """Enter a receipt; whether it said anything new.

        Rows that were moved count with ordinals that it improves, so that a redelivery adds none; of a
        receipt that overlaps what is known they count in proportion, as do concepts without a mapping.
        What became of source rows is exact (see ``claims``).
        """
        said = OrdinalSet.of(receipt.ordinals)
        better = said - self._at_least(receipt.result)
        looked_at = said - self._of(WRITTEN) if receipt.result in WRITTEN else NOTHING
        news = self._explain(receipt, said)
        if receipt.result is Result.DEAD_LETTERED:
            news |= bool(said - self.dead)
            self.dead |= said
        if receipt.result in WRITTEN and (receipt.rows or receipt.not_mapped):
            news |= self.claims.enter(receipt, said)
        if not better:
            return news
        for result in STRONGEST_FIRST:
            if (held := self.settled.get(result)) and held & better:
                self._settle(result, held - better)
        self._settle(receipt.result, self.settled.get(receipt.result, NOTHING) | better)
        self._add_rows(receipt, _Share(len(better), len(said)))
        for table, concepts in receipt.lacking.items() if looked_at else ():
            _add(self.lacking.setdefault(table, {}), concepts, _Share(len(looked_at), len(said)))
        return True

    def covers(self, messages: int) -> bool:
        """Whether each of ordinals 0 to ``messages - 1`` has a result."""
        return not OrdinalSet.first(messages) - self._of(STRONGEST_FIRST)

    def counts(self) -> dict[Result, int]:
        """Messages by result, strongest first; results without any are left out."""
        return {r: len(self.settled[r]) for r in STRONGEST_FIRST if r in self.settled}

    def reason_counts(self) -> dict[str, int]:
        """Refused and dead-lettered messages by reason, each once; those since redriven are gone."""
        rest = self._of(EXPLAINED)
        counts = {}
        for reason in sorted(self.reasons):
            if count := len(self.reasons[reason] & rest):
                counts[reason] = count
                rest -= self.reasons[reason]
        return counts

    def dead_letter_reasons(self) -> dict[str, int]:
        """Messages that ever became dead letters by reason; one may have several."""
        found = {reason: len(ordinals & self.dead) for reason, ordinals in self.reasons.items()}
        return {reason: count for reason, count in found.items() if count}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON would hold it; what is empty is left out."""
        whole = {
            "settled": {result.value: found.to_text() for result, found in self.settled.items()},
            "reasons": {reason: found.to_text() for reason, found in self.reasons.items()},
            "dead": self.dead.to_text() if self.dead else "",
            "rows": [self.inserted, self.updated, self.deleted],
            "persons": self.persons,
            "tables": self.tables,
            "claims": self.claims.to_list(),
            "lacking": self.lacking,
        }
        return {name: value for name, value in whole.items() if value and value != [0, 0, 0]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Account:
        """Read what ``to_dict`` gave."""
        inserted, updated, deleted = raw.get("rows", (0, 0, 0))
        return cls(
            {Result(name): OrdinalSet.from_text(text) for name, text in raw.get("settled", {}).items()},
            {reason: OrdinalSet.from_text(text) for reason, text in raw.get("reasons", {}).items()},
            OrdinalSet.from_text(raw["dead"]) if "dead" in raw else NOTHING,
            inserted,
            updated,
            deleted,
            raw.get("persons", 0),
            raw.get("tables", {}),
            Claims.from_list(raw.get("claims", ())),
            raw.get("lacking", {}),
        )

    def _of(self, results: frozenset[Result] | tuple[Result, ...]) -> OrdinalSet:
        found = NOTHING
        for result in results:
            found |= self.settled.get(result, NOTHING)
        return found

    def _at_least(self, result: Result) -> OrdinalSet:
        return self._of(STRONGEST_FIRST[: STRONGEST_FIRST.index(result) + 1])

    def _settle(self, result: Result, ordinals: OrdinalSet) -> None:
        if ordinals:
            self.settled[result] = ordinals
        else:
            self.settled.pop(result, None)

    def _explain(self, receipt: Receipt, said: OrdinalSet) -> bool:
        if receipt.result not in EXPLAINED or not receipt.reason:
            return False
        known = self.reasons.get(receipt.reason, NOTHING)
        self.reasons[receipt.reason] = known | said
        return bool(said - known)

    def _add_rows(self, receipt: Receipt, share: _Share) -> None:
        self.inserted += share.of(receipt.metrics.inserted)
        self.updated += share.of(receipt.metrics.updated)
        self.deleted += share.of(receipt.metrics.deleted)
        self.persons += share.of(receipt.metrics.persons)
        _add(self.tables, receipt.tables, share)


@dataclass(frozen=True, slots=True)
class _Share:
    part: int
    whole: int

    def of(self, count: int) -> int:
        return count if self.part == self.whole else round(count * self.part / self.whole)


def _add(into: dict[str, int], more: Mapping[str, int], share: _Share) -> None:
    for name, count in more.items():
        into[name] = into.get(name, 0) + share.of(count)
