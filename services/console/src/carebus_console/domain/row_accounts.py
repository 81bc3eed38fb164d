"""What became of every source row, table by table, at one target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carebus_contracts.documents import MADE_DOCUMENT
from carebus_contracts.jobs import TableCounts, TargetProgress
from carebus_contracts.receipts import Result

OUTCOMES = ("written", "unchanged", "stale", "conflict")
WITHOUT_ROWS = (Result.REFUSED, Result.DEAD_LETTERED, Result.DISCARDED)
"""Results of messages that nobody counted the rows of."""
SHOWN_CONCEPTS = 20


def row_accounts(tables: Mapping[str, TableCounts], told: TargetProgress) -> list[dict[str, Any]]:
    """Return an account for each table that has rows: ``emitted`` is the sum of what follows it.

    ``given_up`` are the rows in messages that were refused, dead-lettered or discarded. Only they are
    found by difference, and only where there are such messages: else the account does not close.
    """
    given_up = any(told.outcomes.get(result.value) for result in WITHOUT_ROWS)
    emitted = {table: counts.emitted for table, counts in tables.items() if counts.emitted}
    if made := _told(told, MADE_DOCUMENT):  # no source has them: there are as many as the target tells of
        emitted[MADE_DOCUMENT] = made
    return [
        _account(
            table,
            emitted.get(table, 0),
            told.rows.get(table, {}),
            told.not_mapped.get(table, {}),
            may_miss=given_up,
        )
        for table in sorted(emitted.keys() | told.rows.keys() | told.not_mapped.keys())
    ]


def _told(told: TargetProgress, table: str) -> int:
    return sum(told.rows.get(table, {}).values()) + sum(told.not_mapped.get(table, {}).values())


def lacking_concepts(lacking: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return the concepts for want of whose mapping most rows became nothing, most frequent first."""
    ranked = sorted(
        ((count, table, concept) for table, counts in lacking.items() for concept, count in counts.items()),
        key=lambda found: (-found[0], found[1], found[2]),
    )
    return [
        {"table": table, "concept_id": concept, "rows": count}
        for count, table, concept in ranked[:SHOWN_CONCEPTS]
    ]


def _account(
    table: str, emitted: int, rows: Mapping[str, int], not_mapped: Mapping[str, int], *, may_miss: bool
) -> dict[str, Any]:
    missing = emitted - sum(rows.values()) - sum(not_mapped.values())
    return {
        "table": table,
        "emitted": emitted,
        **{outcome: rows.get(outcome, 0) for outcome in dict.fromkeys((*OUTCOMES, *rows))},
        "not_mapped": dict(not_mapped),
        "given_up": max(0, missing) if may_miss else 0,
        "closes": missing == 0 or (missing > 0 and may_miss),
    }
