"""Slices and their attempts, in pages of the ledger: a page is stored anew when one of its slices changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from carebus_console.domain.account import Account
from carebus_console.domain.claims import STRONGEST_FIRST
from carebus_console.domain.totals import SourceTotals, TargetTotals, Totals
from carebus_contracts.jobs import SliceDone
from carebus_contracts.receipts import Receipt

PAGE_SLICES = 32
"""Several windows of unfinished slices: one or two pages change at a time, and a page stays small."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a job decides how its slices are counted."""

    targets: tuple[str, ...]
    dry_run: bool = False


@dataclass(slots=True)
class Attempt:
    """One execution of a slice."""

    done: SliceDone | None = None
    accounts: dict[str, Account] = field(default_factory=dict)

    def complete(self, terms: Terms) -> bool:
        """Whether it ended and every target accounted for all of its messages."""
        if (done := self.done) is None:
            return False
        return done.messages == 0 or all(
            target in self.accounts and self.accounts[target].covers(done.messages)
            for target in terms.targets
        )

    def rank(self, terms: Terms) -> tuple[Any, ...]:
        """Order attempts: complete ones first, then those that ended, then those that did more."""
        counts = [account.counts() for target, account in self.accounts.items() if target in terms.targets]
        by_strength = tuple(sum(c.get(result, 0) for c in counts) for result in STRONGEST_FIRST)
        return self.complete(terms), self.done is not None, sum(by_strength), by_strength


@dataclass(slots=True)
class Slice:
    """A slice: it is complete when one of its attempts is, and that attempt counts.

    Which one counts depends on what was said, not on when: the greatest by ``rank``, then by name.
    """

    attempts: dict[str, Attempt] = field(default_factory=dict)
    complete: bool = False
    empty: bool = False
    """It completed without a message."""
    dead: dict[str, int] = field(default_factory=dict)
    """Messages that ever became dead letters, by target: of the attempt that had most of them."""

    def attempt(self, name: str) -> Attempt:
        """Return an attempt, new when it was not heard of."""
        return self.attempts.setdefault(name, Attempt())

    def weigh(self, terms: Terms | None) -> None:
        """Look again whether it is complete; without terms nothing is."""
        counting = self._counting(terms) if terms else None
        self.complete = bool(terms and counting and counting.complete(terms))
        self.empty = bool(self.complete and counting and counting.done and not counting.done.messages)
        self.dead = {}
        for target in terms.targets if terms else ():
            if most := max((len(account.dead) for account in self._accounts(target)), default=0):
                self.dead[target] = most

    def dead_letter_reasons(self, target: str) -> dict[str, int]:
        """Why messages became dead letters: of the attempt that had most of them."""
        worst = max(self._accounts(target), key=lambda account: len(account.dead), default=None)
        return worst.dead_letter_reasons() if worst else {}

    def _accounts(self, target: str) -> Iterator[Account]:
        return (a.accounts[target] for _, a in sorted(self.attempts.items()) if target in a.accounts)

    def add_to(self, totals: Totals, terms: Terms) -> None:
        """Add what this slice came to."""
        counting = self._counting(terms)
        if counting is None:
            return
        if counting.done is not None:
            totals.slices_extracted += 1
            totals.extracted += counting.done.messages
            totals.bytes_extracted += counting.done.bytes
            totals.bytes_complete += counting.done.bytes if self.complete else 0
            totals.see_version(counting.done.version_ms)
            totals.add_digest(int(counting.done.digest, 16) if counting.done.digest else None)
            for table, counts in counting.done.tables.items():
                totals.tables.setdefault(table, SourceTotals()).add(counts)
        for target in terms.targets:
            sums = totals.targets.setdefault(target, TargetTotals())
            for attempt in self.attempts.values():
                if (account := attempt.accounts.get(target)) is None:
                    continue
                # What a dry run would write it says again when it is repeated.
                if attempt is counting or not terms.dry_run:
                    sums.add_rows(account)
                if attempt is counting:
                    sums.add_outcomes(account)

    def _counting(self, terms: Terms) -> Attempt | None:
        if len(self.attempts) == 1:
            return next(iter(self.attempts.values()))
        ranked = [(attempt.rank(terms), name) for name, attempt in self.attempts.items()]
        return self.attempts[max(ranked)[1]] if ranked else None


@dataclass(slots=True)
class Page:
    """Some slices of a job, by number."""

    slices: dict[int, Slice] = field(default_factory=dict)
    _totals: Totals | None = None

    def slice(self, number: int) -> Slice:
        """Return a slice that is about to change."""
        self._totals = None
        return self.slices.setdefault(number, Slice())

    def forget_totals(self) -> None:
        """Sum anew next time."""
        self._totals = None

    def totals(self, terms: Terms) -> Totals:
        """Return the sums of its slices; kept until one changes."""
        if self._totals is None:
            self._totals = Totals()
            for number in sorted(self.slices):
                self.slices[number].add_to(self._totals, terms)
        return self._totals

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return {
            str(number): {
                name: {
                    "done": attempt.done.model_dump(mode="json", exclude_defaults=True)
                    if attempt.done
                    else None,
                    "accounts": {t: account.to_dict() for t, account in attempt.accounts.items()},
                }
                for name, attempt in found.attempts.items()
            }
            for number, found in self.slices.items()
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Page:
        """Read what ``to_dict`` gave."""
        return cls(
            {
                int(number): Slice(
                    {
                        name: Attempt(
                            SliceDone.model_validate(attempt["done"]) if attempt["done"] else None,
                            {t: Account.from_dict(a) for t, a in attempt["accounts"].items()},
                        )
                        for name, attempt in attempts.items()
                    }
                )
                for number, attempts in raw.items()
            }
        )


def enter_receipt(attempt: Attempt, receipt: Receipt) -> bool:
    """Enter a receipt with the target that speaks; whether it said anything new."""
    return attempt.accounts.setdefault(receipt.target, Account()).enter(receipt)


def enter_done(attempt: Attempt, done: SliceDone) -> bool:
    """Enter an attempt's end; whether it was not known."""
    if attempt.done is not None and attempt.done.messages >= done.messages:
        return False
    attempt.done = done
    return True


def all_totals(pages: Iterable[Page], terms: Terms) -> Totals:
    """Return the sums of a job."""
    totals = Totals()
    for page in pages:
        totals.add(page.totals(terms))
    return totals
