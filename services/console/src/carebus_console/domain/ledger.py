"""The ledger of one job: the fold of its events and receipts.

Messages of two topics arrive in any order, more than once, and for several attempts at a slice. The
ledger keeps sets and not sums, so that all of these end in the same state; only what people say to a
job (pause, resume) and waiting follow the order in which it was said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from carebus_console.domain.ordinals import OrdinalSet
from carebus_console.domain.pages import (
    PAGE_SLICES,
    Attempt,
    Page,
    Terms,
    all_totals,
    enter_done,
    enter_receipt,
)
from carebus_console.domain.record_errors import Limit, limit_of, sentence, too_many
from carebus_console.domain.totals import TargetTotals, Totals
from carebus_contracts.errors import InvalidMessage
from carebus_contracts.jobs import (
    Accepted,
    ControlAction,
    Controlled,
    Failed,
    Issued,
    JobControl,
    JobEvent,
    JobState,
    JobStatus,
    Planned,
    RedriveJob,
    Rejected,
    SliceDone,
    Waiting,
)
from carebus_contracts.model import places_of
from carebus_contracts.receipts import Receipt, Result
from carebus_contracts.topics import TARGETS, loader_group

HEAD = "head"
"""Name of the part that holds all but the slices; the other parts are pages, by number."""
SNAPSHOT_VERSION = 1
MAX_REASONS = 20
DEAD = Result.DEAD_LETTERED.value
REPLANNED = "the source changed between two plans of this job: submit it again"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A stage could not handle a slice, or the planning of the job: the message is a dead letter."""

    job_id: str
    slice: int
    """``PLANNING`` for the plan."""
    reason: str


PLANNING = -1


class JobLedger:
    """What is known of one job. ``state`` is what people see of it."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self._accepted: Accepted | None = None
        self._rejected: Rejected | None = None
        self._planned: Planned | None = None
        self._issued = 0
        self._failures: set[str] = set()
        self._given_up: dict[int, str] = {}
        self._cancelled = False
        self._discard = False
        self._paused = False
        self._waiting: dict[str, str] = {}
        self._created_ms = self._updated_ms = self._finished_ms = 0
        self._pages: dict[int, Page] = {}
        self._complete: set[int] = set()
        self._dead: Counter[str] = Counter()
        self._slices_seen = 0
        self._state: JobState | None = None
        self._changed: set[str] = set()

    @property
    def accepted(self) -> Accepted | None:
        """How it was accepted; None when it was not."""
        return self._accepted

    @property
    def created_ms(self) -> int:
        """Append time of its acceptance or rejection."""
        return self._created_ms

    @property
    def finished_ms(self) -> int:
        """Append time of the message with which it ended; 0 while it goes on."""
        return self._finished_ms

    @property
    def cancel(self) -> JobControl | None:
        """The word that cancelled it, for good; None when nobody did."""
        if not self._cancelled:
            return None
        return JobControl(job_id=self.job_id, action=ControlAction.CANCEL, discard=self._discard)

    def needs(self, stage: str) -> bool:
        """Whether the job goes on and has messages for a stage, a consumer group."""
        if self._accepted is None or self._finished_ms:
            return False
        loaders = {loader_group(target) for target in TARGETS}
        targets = self._terms.targets if self._terms else ()
        return stage not in loaders or stage in map(loader_group, targets)

    @property
    def state(self) -> JobState:
        """The state as people see it; made when asked for."""
        if self._state is None:
            self._state = self._make_state()
        return self._state

    def apply(self, event: JobEvent, at_ms: int) -> bool:
        """Enter an event.

        Args:
            event: Of this job.
            at_ms: Append time of its message.

        Returns:
            Whether it said anything new.
        """
        match event:
            case Accepted():
                changed = self._accept(event, at_ms)
            case Rejected():
                changed = self._rejected is None
                self._rejected = self._rejected or event
                self._created_ms = self._created_ms or at_ms
            case Planned():
                changed = self._plan(event)
            case Issued():
                changed = event.up_to >= self._issued
                self._issued = max(self._issued, event.up_to + 1)
            case SliceDone():
                attempt = self._attempt(event.slice, event.attempt)
                changed = enter_done(attempt, event)
                self._entered(event.slice, changed=changed)
            case Waiting():
                changed = self._wait(event)
            case Failed():
                changed = self._fail(event.reason)
            case Controlled():
                changed = self._control(event)
        return self._touch(changed, at_ms, None if isinstance(event, SliceDone) else HEAD)

    def apply_receipt(self, receipt: Receipt, at_ms: int) -> bool:
        """Enter a receipt; a job that ended may still improve (a redrive).

        Returns:
            Whether it said anything new.

        Raises:
            InvalidMessage: Its ordinals are no ranges.
        """
        if not OrdinalSet.of(receipt.ordinals):
            return False
        attempt = self._attempt(receipt.slice, receipt.attempt)
        changed = enter_receipt(attempt, receipt)
        self._entered(receipt.slice, changed=changed)
        return self._touch(changed, at_ms, None)

    def give_up(self, given_up: GivenUp, at_ms: int) -> bool:
        """Enter a dead letter without which the job cannot complete; it fails until that is redriven.

        Returns:
            Whether it said anything new.
        """
        before = self._given_up.get(given_up.slice)
        self._given_up[given_up.slice] = min(before or given_up.reason, given_up.reason)
        return self._touch(self._given_up[given_up.slice] != before, at_ms, HEAD)

    def take_changed(self) -> set[str]:
        """Return the names of the parts that changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def mark_changed(self, parts: Iterable[str]) -> None:
        """Give names back that could not be stored."""
        self._changed |= set(parts)

    def parts(self) -> list[str]:
        """Names of all parts."""
        return [HEAD, *map(str, sorted(self._pages))]

    def part(self, name: str) -> bytes:
        """Return a part of the snapshot; ``restore`` reads all of them."""
        if name != HEAD:
            return orjson.dumps({"version": SNAPSHOT_VERSION, "slices": self._pages[int(name)].to_dict()})
        return orjson.dumps(
            {
                "version": SNAPSHOT_VERSION,
                "accepted": _dumped(self._accepted),
                "rejected": _dumped(self._rejected),
                "planned": _dumped(self._planned),
                "issued": self._issued,
                "failures": sorted(self._failures),
                "given_up": {str(number): reason for number, reason in self._given_up.items()},
                "cancelled": self._cancelled,
                "discard": self._discard,
                "paused": self._paused,
                "waiting": self._waiting,
                "at_ms": [self._created_ms, self._updated_ms, self._finished_ms],
            }
        )

    @classmethod
    def restore(cls, job_id: str, parts: Mapping[str, bytes]) -> JobLedger:
        """Return a ledger that goes on where its snapshot ends.

        Parts may be of different moments: entering again what came since the oldest makes it whole.

        Raises:
            InvalidMessage: A part is not what ``part`` wrote.
        """
        ledger = cls(job_id)
        try:
            for name, value in parts.items():
                raw = orjson.loads(value)
                if raw["version"] != SNAPSHOT_VERSION:
                    raise InvalidMessage(f"snapshot {name} is of version {raw['version']}")
                if name == HEAD:
                    ledger._read_head(raw)
                else:
                    ledger._pages[int(name)] = Page.from_dict(raw["slices"])
        except ValidationError as error:
            raise InvalidMessage(places_of(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidMessage(f"a snapshot cannot be read: {type(error).__name__}") from None
        ledger._weigh_all()
        return ledger

    def _read_head(self, raw: Mapping[str, Any]) -> None:
        self._accepted = _read(Accepted, raw["accepted"])
        self._rejected = _read(Rejected, raw["rejected"])
        self._planned = _read(Planned, raw["planned"])
        self._issued = raw["issued"]
        self._failures = set(raw["failures"])
        self._given_up = {int(number): reason for number, reason in raw.get("given_up", {}).items()}
        self._cancelled, self._discard, self._paused = raw["cancelled"], raw["discard"], raw["paused"]
        self._waiting = raw["waiting"]
        self._created_ms, self._updated_ms, self._finished_ms = raw["at_ms"]

    @property
    def _terms(self) -> Terms | None:
        if self._accepted is None:
            return None
        request = self._accepted.request
        # What a redrive sends back is settled in the accounts of the jobs that it came from.
        targets = () if isinstance(request, RedriveJob) else request.targets
        return Terms(targets, dry_run=getattr(request, "dry_run", False))

    def _accept(self, event: Accepted, at_ms: int) -> bool:
        if self._accepted is not None:
            return False
        self._accepted = event
        self._created_ms = at_ms
        self._weigh_all()
        return True

    def _plan(self, event: Planned) -> bool:
        if self._planned is None:
            self._planned = event
            return True
        known = self._planned
        self._planned = min(known, event, key=lambda p: (p.accepted_ms, p.fingerprint, p.slices))
        if known.fingerprint != event.fingerprint:
            return self._fail(REPLANNED)
        return self._planned is not known

    def _fail(self, reason: str) -> bool:
        before = self._failures
        self._failures = set(sorted(before | {reason})[:MAX_REASONS])
        return self._failures != before

    def _wait(self, event: Waiting) -> bool:
        before = self._waiting.pop(event.stage, "")
        if event.system:
            self._waiting[event.stage] = event.system
        return before != event.system

    def _control(self, event: Controlled) -> bool:
        before = self._cancelled, self._discard, self._paused
        match event.action:
            case ControlAction.CANCEL:
                self._cancelled = True
                self._discard |= event.discard
            case ControlAction.PAUSE:
                self._paused = True
            case ControlAction.RESUME:
                self._paused = False
        return before != (self._cancelled, self._discard, self._paused)

    def _attempt(self, number: int, name: str) -> Attempt:
        if number < 0:
            raise InvalidMessage("a slice has no negative number")
        page = self._pages.setdefault(number // PAGE_SLICES, Page())
        return page.slice(number).attempt(name)

    def _entered(self, number: int, *, changed: bool) -> None:
        self._slices_seen = max(self._slices_seen, number + 1)
        if changed:
            self._weigh(number)
            self._changed.add(str(number // PAGE_SLICES))

    def _weigh(self, number: int) -> None:
        found = self._pages[number // PAGE_SLICES].slices[number]
        self._dead.subtract(found.dead)
        found.weigh(self._terms)
        self._dead.update(found.dead)
        if found.complete:
            self._complete.add(number)
        else:
            self._complete.discard(number)

    def _weigh_all(self) -> None:
        for page in self._pages.values():
            page.forget_totals()
            for number in page.slices:
                self._slices_seen = max(self._slices_seen, number + 1)
                self._weigh(number)

    def _touch(self, changed: bool, at_ms: int, part: str | None) -> bool:
        if not changed:
            return False
        self._state = None
        self._updated_ms = max(self._updated_ms, at_ms)
        final = self._status().final
        if final != bool(self._finished_ms):
            self._finished_ms = self._updated_ms if final else 0
            self._changed.add(HEAD)
        if part:
            self._changed.add(part)
        return True

    def _status(self) -> JobStatus:
        if self._accepted is None and self._rejected is not None:
            return JobStatus.REJECTED
        if self._failures or self._missing():
            return JobStatus.FAILED
        issued = max(self._issued, self._slices_seen)
        if self._planned is not None:
            issued = min(issued, self._planned.slices)
            if self._all_complete(self._planned.slices) and not (self._cancelled and self._left_out()):
                return JobStatus.FAILED if self._too_many_now() else JobStatus.COMPLETED
        if too_many(self._limit, self._dead):
            return JobStatus.FAILED
        if self._accepted and self._cancelled and self._all_complete(issued):
            return JobStatus.CANCELLED
        if self._paused and not self._cancelled:
            return JobStatus.PAUSED
        return JobStatus.RUNNING if self._planned or issued else JobStatus.ACCEPTED

    @property
    def _limit(self) -> Limit | None:
        request = self._accepted.request if self._accepted else None
        return limit_of(request, self._planned.persons if self._planned else None)

    def _too_many_now(self) -> bool:
        """Whether too many records are still dead letters; a redrive may have mended a job that was issued whole."""
        if not too_many(self._limit, self._dead):
            return False
        targets = self._totals().targets.items()
        return bool(too_many(self._limit, {t: sums.outcomes.get(DEAD, 0) for t, sums in targets}))

    def _totals(self) -> Totals:
        return all_totals((self._pages[n] for n in sorted(self._pages)), self._terms or Terms(()))

    def _missing(self) -> list[str]:
        """Why slices that were given up, and not done since, are missing."""
        return [
            reason
            for number, reason in sorted(self._given_up.items())
            if number not in self._complete and not (number == PLANNING and self._planned)
        ]

    def _all_complete(self, slices: int) -> bool:
        # Without terms (not accepted yet) no slice is complete.
        return (
            self._accepted is not None
            and len(self._complete) >= slices
            and all(number in self._complete for number in range(slices))
        )

    def _left_out(self) -> bool:
        """Whether a cancel left something out; one that came too late did not."""
        slices = (found for page in self._pages.values() for found in page.slices.values())
        if any(found.empty for found in slices):
            return True
        return any(Result.DISCARDED.value in sums.outcomes for sums in self._totals().targets.values())

    def _make_state(self) -> JobState:
        status = self._status()
        terms = self._terms or Terms(())
        totals = self._totals()
        request = self._accepted.request if self._accepted else None
        planned = self._planned
        return JobState(
            job_id=self.job_id,
            status=status,
            kind=request.kind if request else "",
            source=getattr(request, "source", ""),
            requester=request.requester if request else "",
            claimed=self._accepted.claimed if self._accepted else True,
            dry_run=terms.dry_run,
            request=request,
            reasons=self._reasons(status),
            notes=(*(self._accepted.notes if self._accepted else ()), *(planned.notes if planned else ())),
            created_ms=self._created_ms,
            updated_ms=self._updated_ms,
            accepted_ms=planned.accepted_ms if planned else 0,
            version_ms=totals.version_ms,
            finished_ms=self._finished_ms,
            fingerprint=planned.fingerprint if planned else "",
            persons=planned.persons if planned else 0,
            slices=planned.slices if planned else 0,
            slices_issued=self._issued,
            slices_extracted=totals.slices_extracted,
            slices_complete=len(self._complete),
            extracted=totals.extracted,
            bytes_extracted=totals.bytes_extracted,
            bytes_complete=totals.bytes_complete,
            digest="" if totals.digest is None else f"{totals.digest:064x}",
            tables={table: totals.tables[table].counts() for table in sorted(totals.tables)},
            targets={t: totals.targets.get(t, TargetTotals()).progress() for t in terms.targets},
            waiting={} if status.final else {s: w for s, w in sorted(self._waiting.items()) if w},
        )

    def _reasons(self, status: JobStatus) -> tuple[str, ...]:
        if status is JobStatus.REJECTED and self._rejected:
            return self._rejected.reasons
        if status is not JobStatus.FAILED:
            return ()
        return (*sorted(self._failures), *self._missing(), *self._over_limit())[:MAX_REASONS]

    def _over_limit(self) -> list[str]:
        limit, errors = self._limit, self._dead
        if limit is None or not (target := too_many(limit, errors)):
            return []
        reasons = Counter[str]()
        for page in self._pages.values():
            for found in page.slices.values():
                reasons.update(found.dead_letter_reasons(target))
        return [sentence(limit, target, errors[target], reasons)]


def _dumped(model: BaseModel | None) -> Any:
    return model.model_dump(mode="json") if model is not None else None


def _read(kind: Any, raw: Any) -> Any:
    return kind.model_validate(raw) if raw is not None else None
