"""What a plan changes in the rows that stand: which to put, which to take away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.openemr.as_written import writer
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.places import place_of
from carebus_loader.adapters.openemr.referring import NO_DIRECTORY, Directory
from carebus_loader.adapters.openemr.row_index import IndexedRows, RowIndex, index_lines, text_hash
from carebus_loader.domain.accounting import CONFLICT, UNCHANGED, WRITTEN
from carebus_loader.ports import Written

PATIENT = "patient_data"
DEATH = "patient_data.death"


@dataclass(slots=True)
class Change:
    """The rows of one subject that differ from what we last wrote."""

    judgement: Judgement
    index: RowIndex
    """As it will be."""
    before: Mapping[str, IndexedRows] = field(default_factory=dict)
    """As it was."""
    put: dict[str, dict[bytes, list[object]]] = field(default_factory=dict)
    """New and changed rows by write and uuid."""
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gone: dict[str, list[bytes]] = field(default_factory=dict)
    """uuids of rows to take away, by write."""
    conflicts: Counter[str] = field(default_factory=Counter)
    """Rows by write that people changed since, and that are left alone."""
    edited: Counter[str] = field(default_factory=Counter)
    """Of these, rows that the plan has; the others it would have taken away."""

    @property
    def written(self) -> Written:
        """What the receipt says."""
        tables: Counter[str] = Counter()
        inserted = updated = 0
        for write, rows in self.put.items():
            changed = len(rows.keys() & self.before.get(write, {}).keys())
            inserted += len(rows) - changed
            updated += changed
            tables[write.partition(".")[0]] += len(rows)
        for write, uuids in self.gone.items():
            tables[write.partition(".")[0]] += len(uuids)
        return Written(
            self.judgement.result,
            inserted=inserted,
            updated=updated,
            deleted=self.deleted,
            tables={table: count for table, count in tables.items() if count},
            verdicts=self.judgement.verdicts,
            conflicts=dict(self.conflicts),
            finer={write.table: self._outcomes(write) for write in self.judgement.writes},
        )

    def leave_patient(self) -> None:
        """Leave the patient row as it is: OpenEMR had the patient before us."""
        for write in (PATIENT, DEATH):
            self.gone.pop(write, None)
            self.index.pop(write, None)
            if rows := self.put.pop(write, None):
                self.conflicts[write] += len(rows)
                self.edited[write] += len(rows)

    def _outcomes(self, write: PlannedTable) -> dict[str, int]:
        put, edited = len(self.put.get(write.table, ())), self.edited[write.table]
        return {WRITTEN: put, CONFLICT: edited, UNCHANGED: write.count - put - edited}

    @property
    def deleted(self) -> int:
        """Rows that are taken away."""
        return sum(map(len, self.gone.values()))


def table_of(write: str) -> tuple[str, tuple[str, ...]]:
    """Return the table of a write, and those columns of its plan that refer to other rows or follow them."""
    if write in (PATIENT, DEATH):
        return PATIENT, ()
    place = place_of(write)
    return place.table, (*([place.refers] if place.refers else []), *place.parents, *place.in_step)


def change_of(
    judgement: Judgement, standing: Mapping[str, IndexedRows], directory: Directory = NO_DIRECTORY
) -> Change:
    """Compare the rows of a plan with the index of those that stand.

    Args:
        judgement: What the guard says of the plan.
        standing: The index.
        directory: Providers and sites that rows refer to.

    Raises:
        ConstraintViolated: Rows without a uuid, or with the same one.
        InvalidMessage: Rows do not fit their columns.
        UnsupportedContract: A write that this version does not know.
    """
    change = Change(judgement, dict(standing), standing)
    for write in judgement.writes:
        _replace(change, write, directory)
    for table in judgement.emptied:
        if rows := change.index.pop(table, None):
            change.gone[table] = list(rows)
    return change


def _replace(change: Change, write: PlannedTable, directory: Directory) -> None:
    lines = write.lines()
    wanted = index_lines(write.table, lines)
    there = change.before.get(write.table)
    table, references = table_of(write.table)
    columns, resolved = directory.resolve(table, write.columns)
    change.columns[write.table] = columns
    hashed = writer(table, columns, references)
    indexed = IndexedRows(columns=columns)
    if not there:
        put = dict(zip(wanted, write.records(), strict=True))
        for uuid, content in wanted.items():
            indexed[uuid] = content + hashed(uuid, resolved(put[uuid]))
    else:
        put = {}
        for line, (uuid, content) in zip(lines, wanted.items(), strict=True):
            entry = there.get(uuid)
            if entry is not None and text_hash(entry) == content:
                indexed[uuid] = entry
            else:
                row = put[uuid] = resolved(orjson.loads(line))
                indexed[uuid] = content + hashed(uuid, row)
        if gone := [uuid for uuid in there if uuid not in wanted]:
            change.gone[write.table] = gone
    change.put[write.table] = put
    change.index[write.table] = indexed
