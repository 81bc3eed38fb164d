"""What retirements make void: dead letters that are neither shown nor sent back, blobs that are swept.

Kafka cannot take single records out of a topic, so a letter counts as retired by rule: each retirement
that was admitted says whose messages are void up to which version. So it is of no account whether the
letter was there before the retirement or comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from carebus_console.domain.book import Book
from carebus_console.domain.vanishing import since
from carebus_contracts.addressing import Addressed
from carebus_contracts.jobs import JobState, JobStatus, RetireJob
from carebus_contracts.versions import Version

_IN_FORCE = (JobStatus.ACCEPTED, JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one retirement makes void."""

    source: str
    below: Version
    targets: frozenset[str]
    persons: frozenset[int] | None = None
    """None is everybody."""
    of_job: str = ""
    persons_only: bool = False
    """Reference rows stay."""

    def covers(self, message: Addressed) -> bool:
        """Whether a message is void, at all targets that it is for."""
        person_id = message.person_id
        return (
            message.source == self.source
            and (self.persons is None or person_id in self.persons)
            and self.covers_version(
                message.version, message.targets, message.job_id, person=person_id is not None
            )
        )

    def covers_version(self, version: Version, targets: frozenset[str], job_id: str, *, person: bool) -> bool:
        """Whether a message of this source, about a person of this rule or something else, is void."""
        return (
            version < self.below
            and targets <= self.targets
            and (not self.of_job or job_id == self.of_job)
            and (person or not self.persons_only)
        )


def void_by(book: Book) -> list[Rule]:
    """Return what all retirements in the book make void."""
    retirements = (
        ledger.state for ledger in book if ledger.accepted and isinstance(ledger.accepted.request, RetireJob)
    )
    return rules(retirements, book.state)


def rules(states: Iterable[JobState], state_of: Callable[[str], JobState | None]) -> list[Rule]:
    """Return what these retirements make void."""
    found: list[Rule] = []
    for state in states:
        request = state.request
        if not isinstance(request, RetireJob) or request.dry_run or state.status not in _IN_FORCE:
            continue
        below: Version | None = Version(state.created_ms)
        if request.not_in_job:
            told = state_of(request.not_in_job)
            below = since(told) if told else None
        if below is None:
            continue
        found.append(
            Rule(
                source=request.source,
                below=below,
                targets=frozenset(request.targets),
                persons=frozenset(request.persons) or None,
                of_job=request.of_job or "",
                persons_only=bool(request.not_in_job),
            )
        )
    return found
