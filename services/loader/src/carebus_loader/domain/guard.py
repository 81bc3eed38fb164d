"""The guard: whether a statement about a subject is newer than what a target holds.

Kept per source, subject and table. With it, reordering, duplicates, redrives and two owners at once
are harmless: any shuffle of the same statements, with any duplicates, ends in the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

import orjson

from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version


class Held(NamedTuple):
    """What a target holds of one table of a subject."""

    version: Version
    hash: str
    """content_hash of the plan's write; empty for a tombstone."""


class Verdict(StrEnum):
    """What a statement does to one table."""

    WRITE = "write"
    """Newer content: write it, and note its version."""
    RAISE = "raise"
    """The same content, newer version: write no data, note the version."""
    UNCHANGED = "unchanged"
    """Known already."""
    STALE = "stale"
    """Older than what is held: change nothing."""


def decide(held: Held | None, version: Version, content: str) -> Verdict:
    """Compare a statement with what is held.

    At equal versions the larger hash wins, on every target, so that the order of arrival is of no
    account even then.
    """
    if held is None:
        return Verdict.WRITE
    if held.hash == content:
        if version > held.version:
            return Verdict.RAISE
        return Verdict.UNCHANGED if version == held.version else Verdict.STALE
    return Verdict.WRITE if (version, content) > (held.version, held.hash) else Verdict.STALE


def result_of(verdicts: Iterable[Verdict]) -> Result:
    """Fold the verdicts of a subject's tables into one result."""
    found = set(verdicts)
    if Verdict.WRITE in found:
        return Result.APPLIED
    if Verdict.STALE in found and len(found) == 1:
        return Result.STALE
    return Result.UNCHANGED


def pack(held: Mapping[str, Held]) -> bytes:
    """Write what is held of a subject as compact JSON: ``{"<version>": {"<table>": "<hash>"}}``."""
    by_version: dict[str, dict[str, str]] = {}
    for table in sorted(held):
        by_version.setdefault(str(held[table].version), {})[table] = held[table].hash
    return orjson.dumps(by_version)


def unpack(packed: bytes | str | None) -> dict[str, Held]:
    """Read what ``pack`` wrote; nothing gives nothing."""
    if not packed:
        return {}
    return {
        table: Held(Version.parse(version), content)
        for version, tables in orjson.loads(packed).items()
        for table, content in tables.items()
    }
