"""What became of source rows: the guard decides per subject and table, and so the rows are counted.

A row is ``written`` when the table of its subject got new content, also where the row itself is as before;
where a target compares rows (OpenEMR), and each is one of the source, only those that differ are.
"""

from __future__ import annotations

from collections.abc import Mapping

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.plans import ReadPlan
from carebus_contracts.receipts import Result
from carebus_loader.domain.deliveries import Written
from carebus_loader.domain.guard import Verdict

WRITTEN, UNCHANGED, STALE, CONFLICT = "written", "unchanged", "stale", "conflict"
CONCEPTS_A_RECEIPT = 200
"""Concepts that a receipt names for each table, the most frequent ones; the rest is summed up."""
OTHERS = "others"

_OF_VERDICT = {
    Verdict.WRITE: WRITTEN,
    Verdict.RAISE: UNCHANGED,
    Verdict.UNCHANGED: UNCHANGED,
    Verdict.STALE: STALE,
}
_OF_RESULT = {Result.APPLIED: WRITTEN, Result.UNCHANGED: UNCHANGED, Result.STALE: STALE}

Rows = dict[str, dict[str, int]]
"""Source rows by OMOP table and outcome."""


def rows_of_plan(plan: ReadPlan, written: Written) -> Rows:
    """Count the source rows of a plan by what became of them."""
    rows: Rows = {}
    otherwise = _OF_RESULT.get(written.result)
    for write in plan.writes:
        if not write.count or write.source_rows.keys() <= written.not_mapped.keys():
            continue
        verdict = written.verdicts.get(write.table)
        # The plan of a job that was retired empties tables: its own rows are of no account.
        outcome = otherwise if verdict is None or written.result is Result.STALE else _OF_VERDICT[verdict]
        if outcome is None:
            continue
        finer = written.finer.get(write.table, {})
        if finer and list(write.source_rows.values()) == [write.count]:
            (table,) = write.source_rows
            for told, count in finer.items():
                _add(rows, table, told, count)
            continue
        left_alone = finer.get(CONFLICT, 0)
        for table, count in write.source_rows.items():
            kept = min(left_alone, count)
            left_alone -= kept
            _add(rows, table, CONFLICT, kept)
            _add(rows, table, outcome, count - kept)
    return rows


def rows_of_document(document: CcdaDocument, written: Written) -> Rows:
    """Count the source rows of a document by what became of it."""
    outcome = _OF_RESULT.get(written.result)
    return {t: {outcome: n} for t, n in document.mapped.items() if n} if outcome else {}


def most_frequent(lacking: Mapping[str, Mapping[str, int]]) -> Rows:
    """Keep receipts small: name the concepts that matter most."""
    short: Rows = {}
    for table, concepts in lacking.items():
        ranked = sorted(concepts.items(), key=lambda item: (item[0] == OTHERS, -item[1], item[0]))
        short[table] = dict(ranked[:CONCEPTS_A_RECEIPT])
        if rest := sum(count for _, count in ranked[CONCEPTS_A_RECEIPT:]):
            short[table][OTHERS] = short[table].get(OTHERS, 0) + rest
    return short


def _add(rows: Rows, table: str, outcome: str, count: int) -> None:
    if count:
        of_table = rows.setdefault(table, {})
        of_table[outcome] = of_table.get(outcome, 0) + count
