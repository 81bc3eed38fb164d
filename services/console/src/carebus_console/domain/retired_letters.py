"""Dead letters of retired subjects: they are not shown and not sent back.

Kafka cannot take single records out of a topic, so a letter counts as retired by rule: each retirement
that was admitted says whose messages are void up to which version. So it is of no account whether the
letter was there before the retirement or comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from carebus_console.domain.book import Book
from carebus_console.domain.vanishing import since
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import JobState, JobStatus, RetireJob
from carebus_contracts.topics import OMOP_RECORDS, TARGETS, plans
from carebus_contracts.versions import Version

_TARGET_OF = {plans(target).name: target for target in TARGETS}
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
        return (
            message.source == self.source
            and message.version < self.below
            and message.targets <= self.targets
            and (self.persons is None or message.person_id in self.persons)
            and (not self.of_job or message.job_id == self.of_job)
            and (not self.persons_only or message.person_id is not None)
        )


@dataclass(frozen=True, slots=True)
class Addressed:
    """Whom a message is about, and where it was to go."""

    source: str
    person_id: int | None
    version: Version
    targets: frozenset[str]
    job_id: str


def addressed(topic: str, key: bytes | None, envelope: Envelope) -> Addressed | None:
    """Read whom a message is about from its key and headers; None when it is about nobody."""
    if topic == OMOP_RECORDS.name:
        targets = frozenset(envelope.targets)
    elif topic in _TARGET_OF:
        targets = frozenset((_TARGET_OF[topic],))
    else:
        return None
    source, _, subject = (key or b"").decode("utf-8", "replace").partition("/")
    number = subject.removeprefix("-")
    person_id = int(subject) if number.isascii() and number.isdigit() else None
    return Addressed(source, person_id, envelope.version, targets, envelope.job_id)


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
