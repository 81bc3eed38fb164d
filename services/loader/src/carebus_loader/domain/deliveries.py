"""What is handed to a target, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.jobs import Filing
from carebus_contracts.plans import ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Verdict


@dataclass(frozen=True, slots=True)
class Delivery:
    """One plan with what the guard must know of it."""

    plan: ReadPlan
    version: Version
    job_id: str = ""
    dry_run: bool = False
    filing: Filing = "none"
    """Whether the job wants documents among those of OpenEMR's patients."""


@dataclass(frozen=True, slots=True)
class DocumentDelivery:
    """One document with what the guard must know of it."""

    document: CcdaDocument
    version: Version
    job_id: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one delivery; with ``dry_run`` what would have become of it."""

    result: Result
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    """Rows written a table."""
    reason: str = ""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By write of the plan; where it says nothing the result holds for the write."""
    conflicts: Mapping[str, int] = field(default_factory=dict)
    """Rows by write that somebody else changed since, and that were therefore left alone."""
    persons: int = 0
    """Persons that the retirement of many took."""
    finer: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Rows of the plan by write and outcome (see ``accounting``), where more is known than the verdict says."""
    not_mapped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What the plan has and this target has no place for, by table and reason."""

    @property
    def seen_before(self) -> bool:
        """Whether this very statement was known already, as far as the target told: it came again."""
        return bool(self.verdicts) and set(self.verdicts.values()) == {Verdict.UNCHANGED}
