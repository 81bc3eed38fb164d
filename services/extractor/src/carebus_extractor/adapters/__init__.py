"""Sources of OMOP records, found by entry point ``carebus.sources``: a new one is a package, not an edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import OmopSource as OmopPlace
from carebus_extractor.ports import OmopSource
from carebus_extractor.settings import ExtractorSettings

GROUP = "carebus.sources"


def open_source(omop: OmopPlace, settings: ExtractorSettings) -> OmopSource:
    """Make the reader of the place that a job names; nothing is read yet.

    Raises:
        JobError: The place is not one that this worker may read, or its format has no reader here.
    """
    found = _readers()
    if omop.format not in found:
        known = ", ".join(sorted(found)) or "nothing"
        raise JobError(f"omop.format: this worker cannot read {omop.format!r}; it reads {known}")
    make: Callable[[OmopPlace, ExtractorSettings], OmopSource] = found[omop.format].load()
    return make(omop, settings)


@cache
def _readers() -> dict[str, EntryPoint]:
    """Entry points by format; looking them up reads the metadata of every package."""
    return {point.name: point for point in entry_points(group=GROUP)}
