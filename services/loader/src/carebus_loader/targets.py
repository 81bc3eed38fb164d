"""The targets there are, found by entry point ``carebus.targets``: a new one is a package, not an edit."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from carebus_contracts.errors import ConfigurationError

GROUP = "carebus.targets"

BATCH_SUBJECTS = {"openemr": 200, "postgres": 500, "clickhouse": 1_000, "documents": 50}
"""Subjects a transaction: ClickHouse pays for each insert; 50 documents are 5 MB three times over."""


def open_target(name: str) -> Any:
    """Make the target from its own settings.

    Raises:
        ConfigurationError: There is no such target, or its settings do not fit.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise ConfigurationError(
            f"no target {name!r} is installed; there are {', '.join(sorted(found)) or 'none'}"
        )
    make: Callable[[], Any] = found[name].load()
    return make()


def target_names() -> list[str]:
    """Names of the installed targets."""
    return sorted(point.name for point in entry_points(group=GROUP))
