"""All ledgers of the console, by job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from carebus_console.domain.ledger import GivenUp, JobLedger
from carebus_contracts.jobs import Accepted, JobEvent, JobState, Waiting
from carebus_contracts.receipts import Receipt


class Book:
    """Enters each message in the ledger of its job, and knows which ledgers changed."""

    def __init__(self) -> None:
        self._ledgers: dict[str, JobLedger] = {}
        self.changed: set[str] = set()
        """Jobs whose ledgers changed; whoever stores them takes them out."""

    def enter(self, message: JobEvent | Receipt | GivenUp, at_ms: int) -> None:
        """Enter an event, a receipt, or that a message was given up.

        Raises:
            InvalidMessage: It cannot be entered.
        """
        ledger = self._ledgers.get(message.job_id) or JobLedger(message.job_id)
        if isinstance(message, Receipt):
            changed = ledger.apply_receipt(message, at_ms)
        elif isinstance(message, GivenUp):
            changed = ledger.give_up(message, at_ms)
        else:
            changed = ledger.apply(message, at_ms)
        if changed:
            self._ledgers[message.job_id] = ledger
            self.changed.add(message.job_id)
        if isinstance(message, Waiting):
            self._share(message, at_ms)
        elif isinstance(message, Accepted):
            self._join(ledger, at_ms)

    def _share(self, said: Waiting, at_ms: int) -> None:
        """Enter for the other jobs, too, that a stage waits or no longer does.

        It waits with the messages of one job in hand, and those of the others are behind them.
        """
        for ledger in self._ledgers.values():
            if ledger.job_id != said.job_id and ledger.needs(said.stage):
                self._enter_wait(ledger, said.stage, said.system, at_ms)

    def _join(self, ledger: JobLedger, at_ms: int) -> None:
        """Enter for a new job what stages wait for already."""
        for other in self._ledgers.values():
            if other is not ledger and not other.finished_ms:
                for stage, system in other.state.waiting.items():
                    if ledger.needs(stage):
                        self._enter_wait(ledger, stage, system, at_ms)

    def _enter_wait(self, ledger: JobLedger, stage: str, system: str, at_ms: int) -> None:
        if ledger.apply(Waiting(job_id=ledger.job_id, stage=stage, system=system), at_ms):
            self.changed.add(ledger.job_id)

    def restore(self, job_id: str, parts: Mapping[str, bytes]) -> None:
        """Take a ledger from its snapshot.

        Raises:
            InvalidMessage: It is none.
        """
        self._ledgers[job_id] = JobLedger.restore(job_id, parts)

    def forget(self, job_id: str) -> None:
        """Drop a ledger."""
        self._ledgers.pop(job_id, None)
        self.changed.discard(job_id)

    def get(self, job_id: str) -> JobLedger | None:
        """Return the ledger of a job."""
        return self._ledgers.get(job_id)

    def state(self, job_id: str) -> JobState | None:
        """Return the state of a job."""
        ledger = self._ledgers.get(job_id)
        return ledger.state if ledger else None

    def states(self, limit: int) -> list[JobState]:
        """Return the states of the newest jobs, newest first."""
        newest = sorted(self._ledgers.values(), key=lambda found: found.created_ms, reverse=True)
        return [ledger.state for ledger in newest[:limit]]

    def running(self) -> dict[str, list[str]]:
        """Jobs that go on and write, by source."""
        found: dict[str, list[str]] = {}
        for ledger in self._ledgers.values():
            accepted = ledger.accepted
            if accepted and not ledger.finished_ms and not getattr(accepted.request, "dry_run", False):
                found.setdefault(getattr(accepted.request, "source", ""), []).append(ledger.job_id)
        return found

    def __iter__(self) -> Iterator[JobLedger]:
        return iter(list(self._ledgers.values()))

    def __len__(self) -> int:
        return len(self._ledgers)
