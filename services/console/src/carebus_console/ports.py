"""What the console needs of the outside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from carebus_console.domain.admission import Admission
from carebus_contracts.dead_letters import DeadLetter
from carebus_contracts.headers import Header
from carebus_contracts.jobs import JobControl, JobState


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter where it stands."""

    offset: int
    at_ms: int
    job_id: str
    size: int
    letter: DeadLetter | None
    """None when its headers are not ours."""
    redriven: bool = False
    key: bytes | None = None
    value: bytes = b""
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterCount:
    """How many letters a topic holds."""

    topic: str
    messages: int
    redriven: int


class LiveLoaders(Protocol):
    """Knows which loaders run."""

    async def targets(self) -> frozenset[str] | None:
        """Targets that a loader serves now; None when that cannot be found out."""


class DeadLetterStore(Protocol):
    """Reads dead-letter topics on demand."""

    async def counts(self) -> Sequence[LetterCount]:
        """Count the letters of every dead-letter topic."""

    async def newest(self, topic: str, *, limit: int, before: int | None = None) -> Sequence[StoredLetter]:
        """Return letters without key and value, newest first."""

    async def letter(self, topic: str, offset: int) -> StoredLetter | None:
        """Return one letter."""

    def all(self, topic: str) -> AsyncGenerator[Sequence[StoredLetter], None]:
        """Yield those that stand there now, in order, in bounded batches."""

    async def delete_retired(self) -> int:
        """Delete letters of retired subjects as far as that is possible; return how many went."""


class Jobs(Protocol):
    """Jobs as the API sees them."""

    def ready(self) -> bool:
        """Whether all that stood in Kafka at the start is known."""

    def state(self, job_id: str) -> JobState | None:
        """State of a job, from memory."""

    def states(self, *, limit: int) -> Sequence[JobState]:
        """States of the newest jobs."""

    async def news(self, timeout_s: float) -> bool:
        """Wait for any job to change; False when none did in time."""

    async def submit(self, body: bytes, *, proved: bool) -> Admission:
        """Judge a request, and put it on the bus when it is fine.

        Raises:
            TransientError: Kafka does not answer.
        """

    async def control(self, word: JobControl) -> None:
        """Say something to a job.

        Raises:
            TransientError: Kafka does not answer.
        """
