"""Source and target side by side: the target must fail exactly where the rows that travelled fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from carebus_quality.checks import CHECKED, Check, checks
from carebus_quality.engines import Engine
from carebus_quality.statements import statement


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check at the source and at the target."""

    check: Check
    source: int
    """Failures among all rows of the source."""
    travelled: int
    """Failures among the rows that travel."""
    target: int

    @property
    def agrees(self) -> bool:
        """Whether the target fails as the rows that travelled do."""
        return self.travelled == self.target

    @property
    def left_behind(self) -> int:
        """Failures that stay behind with their rows."""
        return self.source - self.travelled


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of one table."""

    table: str
    source: int
    travelled: int
    target: int

    @property
    def agrees(self) -> bool:
        """Whether all that travel arrived, and nothing else."""
        return self.travelled == self.target


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a run."""

    source_name: str
    target_name: str
    slug: str
    rows: Sequence[TableRows]
    outcomes: Sequence[Outcome]
    unreadable: Mapping[str, int]
    """Cells of the source by column that are not what the CDM says: they arrive as NULL."""
    seconds: Mapping[str, float]

    @property
    def agrees(self) -> bool:
        """Whether the target is as good, and as bad, as its source."""
        return all(rows.agrees for rows in self.rows) and all(one.agrees for one in self.outcomes)


def compare(
    source: Engine, target: Engine, *, slug: str, tell: Callable[[str], None] = lambda _: None
) -> Comparison:
    """Run all checks at both, a statement a table each."""
    rows: list[TableRows] = []
    outcomes: list[Outcome] = []
    seconds = {source.name: 0.0, target.name: 0.0}
    for table, group in groupby(checks(), key=lambda check: check.table):
        tell(table)
        some = list(group)
        found: dict[str, Sequence[int]] = {}
        for engine in (source, target):
            began = time.perf_counter()
            found[engine.name] = engine.row(statement(CHECKED[table], some, engine.relation))
            seconds[engine.name] += time.perf_counter() - began
        ours, theirs = found[source.name], found[target.name]
        rows.append(TableRows(table, ours[0], ours[1], theirs[0]))
        for number, check in enumerate(some):
            at = 2 + 2 * number
            outcomes.append(Outcome(check, ours[at], ours[at + 1], theirs[at]))
    return Comparison(source.name, target.name, slug, rows, outcomes, source.unreadable, seconds)
