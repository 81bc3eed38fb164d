"""Sums over slices: what a job's state shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carebus_console.domain.account import Account
from carebus_console.domain.claims import STRONGEST_FIRST
from carebus_contracts.jobs import TableCounts, TargetProgress

DIGEST_MODULUS = 1 << 256
SHOWN_CONCEPTS = 100
"""Concepts without a mapping that a state names for each table."""


@dataclass(slots=True)
class TargetTotals:
    """Sums of one target."""

    outcomes: dict[str, int] = field(default_factory=dict)
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    persons: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    not_mapped: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    lacking: dict[str, dict[str, int]] = field(default_factory=dict)

    def add_rows(self, account: Account) -> None:
        """Add what was written; it happened, whichever attempt counts in the end."""
        self.inserted += account.inserted
        self.updated += account.updated
        self.deleted += account.deleted
        self.persons += account.persons
        _add(self.tables, account.tables)

    def add_outcomes(self, account: Account) -> None:
        """Add the messages of the attempt that counts, by what became of them."""
        _add(self.outcomes, {result.value: count for result, count in account.counts().items()})
        _add(self.reasons, account.reason_counts())
        for claim in account.claims.counted():
            sums = claim.sums
            _add_nested(self.rows, sums["rows"])
            _add_nested(self.not_mapped, sums["not_mapped"])
        _add_nested(self.lacking, account.lacking)

    def add(self, other: TargetTotals) -> None:
        """Add the sums of other slices."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.deleted += other.deleted
        self.persons += other.persons
        _add(self.tables, other.tables)
        _add(self.outcomes, other.outcomes)
        _add(self.reasons, other.reasons)
        _add_nested(self.not_mapped, other.not_mapped)
        _add_nested(self.rows, other.rows)
        _add_nested(self.lacking, other.lacking)

    def progress(self) -> TargetProgress:
        """Return it as states show it."""
        return TargetProgress(
            outcomes={r.value: self.outcomes[r.value] for r in STRONGEST_FIRST if r.value in self.outcomes},
            rows_inserted=self.inserted,
            rows_updated=self.updated,
            rows_deleted=self.deleted,
            persons_retired=self.persons,
            tables=_sorted(self.tables),
            not_mapped={table: _sorted(self.not_mapped[table]) for table in sorted(self.not_mapped)},
            reasons=_sorted(self.reasons),
            rows={table: _sorted(self.rows[table]) for table in sorted(self.rows)},
            lacking={table: _most(self.lacking[table]) for table in sorted(self.lacking)},
        )


@dataclass(slots=True)
class SourceTotals:
    """Rows of one source table."""

    read: int = 0
    emitted: int = 0
    left_behind: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)

    def add(self, other: TableCounts | SourceTotals) -> None:
        """Add the counts of another slice."""
        self.read += other.read
        self.emitted += other.emitted
        _add(self.left_behind, other.left_behind)
        _add(self.noted, other.noted)

    def counts(self) -> TableCounts:
        """Return it as states show it."""
        return TableCounts(
            read=self.read,
            emitted=self.emitted,
            left_behind=_sorted(self.left_behind),
            noted=_sorted(self.noted),
        )


@dataclass(slots=True)
class Totals:
    """Sums of a page of slices, or of a job."""

    extracted: int = 0
    slices_extracted: int = 0
    bytes_extracted: int = 0
    bytes_complete: int = 0
    version_ms: int = 0
    """Least version that was sent; 0 where none was."""
    digest: int | None = None
    """Parts of a data set's hash added up; None where slices have none."""
    tables: dict[str, SourceTotals] = field(default_factory=dict)
    targets: dict[str, TargetTotals] = field(default_factory=dict)

    def add(self, other: Totals) -> None:
        """Add the sums of other slices."""
        self.extracted += other.extracted
        self.slices_extracted += other.slices_extracted
        self.bytes_extracted += other.bytes_extracted
        self.bytes_complete += other.bytes_complete
        self.see_version(other.version_ms)
        self.add_digest(other.digest)
        for table, counts in other.tables.items():
            self.tables.setdefault(table, SourceTotals()).add(counts)
        for target, totals in other.targets.items():
            self.targets.setdefault(target, TargetTotals()).add(totals)

    def add_digest(self, digest: int | None) -> None:
        """Add the part of other slices."""
        if digest is not None:
            self.digest = ((self.digest or 0) + digest) % DIGEST_MODULUS

    def see_version(self, version_ms: int) -> None:
        """Keep the least version."""
        self.version_ms = min(filter(None, (self.version_ms, version_ms)), default=0)


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def _add_nested(into: dict[str, dict[str, int]], more: Mapping[str, Mapping[str, int]]) -> None:
    for name, counts in more.items():
        _add(into.setdefault(name, {}), counts)


def _most(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the most frequent first, as many as people read."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:SHOWN_CONCEPTS])


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}
