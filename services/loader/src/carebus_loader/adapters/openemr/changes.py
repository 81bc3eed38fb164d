"""What a plan changes in the rows that stand: which to put, which to take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.row_index import RowIndex, index_lines
from carebus_loader.ports import Written

PATIENT = "patient_data"
DEATH = "patient_data.death"


@dataclass(slots=True)
class Change:
    """The rows of one subject that differ from what we last wrote."""

    judgement: Judgement
    index: RowIndex
    """As it will be."""
    put: dict[str, list[list[object]]] = field(default_factory=dict)
    """New and changed rows by write."""
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gone: dict[str, list[bytes]] = field(default_factory=dict)
    """uuids of rows to take away, by write."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    tables: dict[str, int] = field(default_factory=dict)

    @property
    def written(self) -> Written:
        """What the receipt says."""
        return Written(
            self.judgement.result,
            inserted=self.inserted,
            updated=self.updated,
            deleted=self.deleted,
            tables=self.tables,
            verdicts=self.judgement.verdicts,
        )


def change_of(judgement: Judgement, standing: Mapping[str, Mapping[bytes, bytes]]) -> Change:
    """Compare the rows of a plan with the index of those that stand.

    Raises:
        ConstraintViolated: Rows without a uuid, or with the same one.
        InvalidMessage: Rows do not fit their columns.
    """
    change = Change(judgement, {table: dict(rows) for table, rows in standing.items()})
    for write in judgement.writes:
        _replace(change, write)
    for table in judgement.emptied:
        _take_away(change, table, change.index.pop(table, {}))
    return change


def _replace(change: Change, write: PlannedTable) -> None:
    lines = write.lines()
    wanted = index_lines(write.table, lines)
    there = change.index.get(write.table, {})
    change.columns[write.table] = write.columns
    if there:
        lines = [
            line
            for line, (uuid, content) in zip(lines, wanted.items(), strict=True)
            if there.get(uuid) != content
        ]
        updated = sum(1 for line in lines if bytes.fromhex(line[2:34].decode()) in there)
        put = [orjson.loads(line) for line in lines]
        _take_away(change, write.table, {u: h for u, h in there.items() if u not in wanted})
    else:
        updated = 0
        put = write.records()
    change.put[write.table] = put
    change.index[write.table] = wanted
    change.inserted += len(put) - updated
    change.updated += updated
    _count(change, write.table, len(put))


def _take_away(change: Change, table: str, rows: Mapping[bytes, bytes]) -> None:
    if rows:
        change.gone.setdefault(table, []).extend(rows)
        change.deleted += len(rows)
        _count(change, table, len(rows))


def _count(change: Change, write: str, rows: int) -> None:
    if rows:
        table = write.partition(".")[0]
        change.tables[table] = change.tables.get(table, 0) + rows
