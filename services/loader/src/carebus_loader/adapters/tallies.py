"""Counting what became of each delivery of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carebus_contracts.receipts import Result
from carebus_loader.domain.deliveries import Written
from carebus_loader.domain.guard import Verdict


@dataclass(slots=True)
class Tally:
    """Rows written for one delivery so far."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    persons: int = 0
    """Persons that the retirement of many took."""

    def add(self, table: str, inserted: int = 0, updated: int = 0, deleted: int = 0) -> None:
        """Count rows of one table."""
        self.inserted += inserted
        self.updated += updated
        self.deleted += deleted
        if inserted or updated:
            self.tables[table] = self.tables.get(table, 0) + inserted + updated

    def written(self, result: Result, verdicts: Mapping[str, Verdict] | None = None) -> Written:
        """Close the account; ``verdicts`` are those of the tables, where the guard judged them."""
        reason = "its job was retired" if result is Result.STALE and self.deleted else ""
        return Written(
            result,
            self.inserted,
            self.updated,
            self.deleted,
            self.tables,
            reason,
            verdicts or {},
            persons=self.persons,
        )
