"""How far a job may be issued: a window of unfinished slices, and of the bytes that they are."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Window:
    """What of one job may be unfinished at a time."""

    slices: int
    size: int
    """Bytes of bundles. The slowest target counts: a slice is finished when all targets have it."""
    first: int | None = None
    """Slices to begin with, where jobs shall share fairly that are submitted one after another: each
    slice that was read allows one more, but for that of the reference rows: it is done at once, and who
    came first would be ahead by a whole window. None begins with all."""

    def of_one(self, jobs: int, extracted: int) -> Window:
        """Return the window of one of several jobs that go on at a time, after so many slices were read."""
        if self.first is None:
            return self
        grown = self.first + max(extracted - 1, 0)
        return replace(self, slices=max(self.first, min(self.slices // max(jobs, 1), grown)))


@dataclass(slots=True)
class Progress:
    """How far a job is, as its state says; it lags behind a little."""

    extracted: int = 0
    complete: int = 0
    bytes_extracted: int = 0
    bytes_complete: int = 0

    def see(self, extracted: int, complete: int, bytes_extracted: int, bytes_complete: int) -> None:
        """Take over what another state says; states of before are no step back."""
        self.extracted = max(self.extracted, extracted)
        self.complete = max(self.complete, complete)
        self.bytes_extracted = max(self.bytes_extracted, bytes_extracted)
        self.bytes_complete = max(self.bytes_complete, bytes_complete)


def issue_up_to(
    window: Window, progress: Progress, *, slices: int, issued: int, planned_size: float = 0
) -> int:
    """Return how many slices of a job may be issued by now; one is always unfinished, however large.

    Slices that nobody has read yet weigh as much as those read so far, on average; until one is read,
    as much as planned.

    Args:
        window: The limits.
        progress: What is known of the slices issued.
        slices: Slices of the job.
        issued: Slices issued before.
        planned_size: Bytes of a slice, as planned; 0 when that is not known.
    """
    up_to = progress.complete + window.slices
    mean = progress.bytes_extracted / progress.extracted if progress.extracted else planned_size
    if mean:
        unread = max(issued - progress.extracted, 0)
        unfinished = progress.bytes_extracted - progress.bytes_complete + unread * mean
        room = int((window.size - unfinished) // mean)
        up_to = min(up_to, max(issued + room, progress.complete + 1))
    return max(min(slices, up_to), issued)
