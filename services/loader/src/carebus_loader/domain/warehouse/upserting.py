"""Rows that are put among others of their chunk: which word stands for each of them.

Of a chunk a target holds its *ground*, the newest statement about all of it (``replace_scope``, a
retirement), and above that the rows of newer upserts, each with a version of its own. A new ground
takes away the rows that are not newer than itself; an upsert that is not newer than the ground says
nothing. So what stands depends on what was said, and not on when it came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import orjson

from carebus_contracts.plans import PlannedTable, ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version, content_hash
from carebus_loader.domain.guard import Held, Verdict, decide, result_of
from carebus_loader.domain.warehouse.judging import Floors, Standing, in_force
from carebus_loader.domain.warehouse.row_text import lines_of
from carebus_loader.domain.warehouse.tables import WarehouseTable

_HASH_DIGITS = 16
"""Of a row's hash: it is compared with those of the same record only."""

Rows = Mapping[str, Held]
"""Rows above the ground: the key of each (``keyed``), its version and hash."""


def upsert_of(plan: ReadPlan) -> PlannedTable | None:
    """Return the write of a plan that puts rows; such a plan has one write (see ``scope_of``)."""
    return plan.writes[0] if len(plan.writes) == 1 and plan.writes[0].kind == "upsert" else None


def ground_of(source: str, standing: Standing | None, floors: Floors) -> Version | None:
    """Return the version of the newest statement about the whole chunk; None when there was none."""
    held = in_force(source, standing, floors)
    return held.version if held else None


@dataclass(frozen=True, slots=True)
class Merge:
    """What an upsert does to its chunk."""

    put: frozenset[str]
    """Keys of the rows that are newer than what stands, and differ from it as far as is known."""
    raised: frozenset[str]
    """Keys of the rows that say the same as what stands, and are newer."""
    noted: Mapping[str, Held]
    """All rows above the ground afterwards."""
    verdict: Result

    def result(self, *, changed: bool) -> Result:
        """Tell what became of the plan; a row may be new to the books and yet equal to the ground's."""
        return Result.UNCHANGED if self.verdict is Result.APPLIED and not changed else self.verdict


def merge(rows: Rows, ground: Version | None, version: Version, said: Mapping[str, str]) -> Merge:
    """Compare an upsert with what stands.

    Args:
        rows: Those above the ground.
        ground: See ``ground_of``.
        version: Of the upsert.
        said: Hash of each of its rows by key.
    """
    if ground is not None and version <= ground:
        return Merge(frozenset(), frozenset(), rows, Result.STALE)
    verdicts = {key: decide(rows.get(key), version, content) for key, content in said.items()}
    put = frozenset(key for key, verdict in verdicts.items() if verdict is Verdict.WRITE)
    raised = frozenset(key for key, verdict in verdicts.items() if verdict is Verdict.RAISE)
    noted = {**rows, **{key: Held(version, said[key]) for key in put | raised}}
    return Merge(put, raised, noted, result_of(verdicts.values()))


def above(rows: Rows, ground: Version) -> dict[str, Held]:
    """Return the rows that a new ground leaves alone."""
    return {key: held for key, held in rows.items() if held.version > ground}


def hashes(write: PlannedTable, table: WarehouseTable) -> dict[str, str]:
    """Return the hash of each row by its key."""
    return {key: content_hash(line)[:_HASH_DIGITS] for key, line in keyed(write, table)}


def keyed(write: PlannedTable, table: WarehouseTable) -> Iterator[tuple[str, bytes]]:
    """Yield key and JSON text of each row.

    Raises:
        ConstraintViolated: The rows are not as many, or not as wide, as the plan says.
    """
    places = [write.columns.index(column) for column in record_key(table)]
    for row, line in lines_of(write):
        yield orjson.dumps([row[place] for place in places]).decode(), line


def only(write: PlannedTable, table: WarehouseTable, keys: Collection[str]) -> PlannedTable:
    """Return the write with those of its rows that have one of these keys."""
    return _with(write, [line for key, line in keyed(write, table) if key in keys])


def without(write: PlannedTable, table: WarehouseTable, keys: Collection[str]) -> PlannedTable:
    """Return the write with those of its rows that have none of these keys."""
    return _with(write, [line for key, line in keyed(write, table) if key not in keys])


def record_key(table: WarehouseTable) -> tuple[str, ...]:
    """Return the columns that name a row within its chunk."""
    return table.key[2:]


def _with(write: PlannedTable, lines: Sequence[bytes]) -> PlannedTable:
    text = b"[\n%b\n]" % b",\n".join(lines) if lines else b"[]"
    return msgspec.structs.replace(write, count=len(lines), rows=msgspec.Raw(text))
