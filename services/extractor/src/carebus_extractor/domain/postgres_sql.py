"""SQL that copies one slice out of a Postgres schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from carebus_extractor.domain.selection import HASH_DIGITS, sample_bound
from carebus_extractor.domain.staging_sql import COST_EVENTS


class Event(NamedTuple):
    """A table that costs can point into."""

    table: str
    """SQL of its name."""
    key: str
    """SQL of its record id."""
    person: str
    """SQL of its person_id."""


class Costs(NamedTuple):
    """SQL about COST: its rows know their person only through their event."""

    of_persons: str
    """Condition: the row's event belongs to persons of the slice and to no other."""
    of_nobody: str
    """Condition: the row's event is nowhere."""
    of_several: str
    """Condition: the row's event belongs to several persons."""


def in_sample_postgres(share: float | None, column: str) -> str:
    """Return SQL for the same persons as ``in_sample``."""
    bound = sample_bound(share)
    if bound is None:
        return "true"
    digits = f"substr(encode(sha256({column}::bigint::text::bytea), 'hex'), 1, {HASH_DIGITS})"
    return f"({column} IS NULL OR {digits} COLLATE \"C\" < '{bound}')"


def costs(domain: str, event: str, events: Mapping[str, Event], where: Mapping[str, str]) -> Costs:
    """Return the conditions on COST.

    Args:
        domain: SQL of cost_domain_id.
        event: SQL of cost_event_id.
        events: Tables that costs point into, by the word for them.
        where: Condition on the persons of the slice, for each of them.
    """
    word = f"replace(lower(trim({domain})), ' ', '_')"
    ours, anywhere, several = [], [], []
    for name, e in events.items():
        said = f"{word} IN ('{name}', '{COST_EVENTS[name]}')"
        same = f"e.{e.key} = {event}"
        other = f"(SELECT count(DISTINCT e.{e.person}) FROM {e.table} e WHERE {same}) > 1"
        ours.append(
            f"({said} AND {event} IN (SELECT {e.key} FROM {e.table} WHERE {where[name]}) AND NOT {other})"
        )
        anywhere.append(f"({said} AND EXISTS (SELECT 1 FROM {e.table} e WHERE {same}))")
        several.append(f"({said} AND {other})")
    return Costs(_any(ours), f"({_any(anywhere)}) IS NOT TRUE", _any(several))


def distinct_concepts(name: str, columns: Sequence[str], where: str) -> str:
    """Return the distinct concept ids of one table."""
    cells = ", ".join(f"{column}::bigint" for column in columns)
    plain = ", ".join(columns)
    return (
        f"SELECT DISTINCT c FROM (SELECT unnest(ARRAY[{cells}]) AS c FROM "
        f"(SELECT DISTINCT {plain} FROM {name} WHERE {where}) d) u WHERE c IS NOT NULL"
    )


def _any(tests: Iterable[str]) -> str:
    return " OR ".join(tests) or "false"
