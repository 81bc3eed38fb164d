"""When so many records of a job become dead letters that the job is at fault, not its records.

A wrong mapping or a target with other rules would else turn a whole source into dead letters. What a target
refuses because somebody must decide first (whether a person is a patient whom it has) is no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carebus_contracts.jobs import ExtractJob, GenerateJob

FEWEST = 1_000
SHARE = 0.05
"""Sources are never clean: up to these nobody need say anything."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many messages may become dead letters for one target."""

    errors: int
    given: bool
    """By the job; else the default."""

    def text(self) -> str:
        """``1,000 (1,000 or 5 % of the persons, whichever is more; a job may say max_record_errors)``."""
        if self.given:
            return f"{self.errors:,} (max_record_errors)"
        return (
            f"{self.errors:,} ({FEWEST:,} or {SHARE * 100:.0f} % of the persons, whichever is more; "
            "max_record_errors of a job changes that)"
        )


def limit_of(request: object, persons: int | None) -> Limit | None:
    """Return the limit of a job; None where there is none, or none yet because persons are not counted.

    Args:
        request: What was asked for; only jobs that make records have a limit.
        persons: As planned.
    """
    if not isinstance(request, ExtractJob | GenerateJob):
        return None
    if request.max_record_errors is not None:
        return Limit(request.max_record_errors, given=True)
    return None if persons is None else Limit(max(FEWEST, int(persons * SHARE)), given=False)


def too_many(limit: Limit | None, errors: Mapping[str, int]) -> str:
    """Return the target with more dead letters than the limit, the worst one; "" when none has."""
    if limit is None:
        return ""
    return max((t for t, n in errors.items() if n > limit.errors), key=lambda t: (errors[t], t), default="")


def sentence(limit: Limit, target: str, errors: int, reasons: Mapping[str, int]) -> str:
    """Say what happened and what to do."""
    reason = max(reasons, key=lambda name: (reasons[name], name), default="")
    most = f", mostly for {reason!r}" if reason else ""
    return (
        f"{errors:,} messages became dead letters for {target}{most}; the limit is {limit.text()}: "
        "no more slices are issued. Look at some with `carebus deadletters list`, mend the cause, and submit "
        "the job again"
    )
