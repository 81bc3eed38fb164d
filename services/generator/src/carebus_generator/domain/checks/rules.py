"""Rules that hold for every patient, looked at chunk by chunk.

They are written from the columns alone, and share no code with the model that fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from carebus_generator.domain.checks.results import Rule
from carebus_generator.domain.cohort import NONE, Cohort
from carebus_generator.domain.draws import Bools, Ints

Check = Callable[[Cohort], Iterator[tuple[str, str, Ints, Bools]]]
"""Yields name, wording, the patient of each thing looked at, and whether the rule is broken by it."""


class Rules:
    """Gathers what the rules find; memory does not grow with the patients."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        self._checks = checks
        self._found: dict[str, Rule] = {}

    def see(self, cohort: Cohort) -> None:
        """Look at a chunk of patients."""
        for check in self._checks:
            for name, says, patient, broken in check(cohort):
                first = int(cohort.patients.index[patient[np.argmax(broken)]]) if broken.any() else None
                self.enter(Rule(name, says, len(broken), int(broken.sum()), first))

    def enter(self, rule: Rule) -> None:
        """Take in what was found elsewhere."""
        if known := self._found.get(rule.name):
            known.add(rule)
        else:
            self._found[rule.name] = rule

    @property
    def found(self) -> tuple[Rule, ...]:
        """What was found so far, in order of first sight."""
        return tuple(self._found.values())


def at(column: Ints, rows: Ints) -> Ints:
    """Return a column's values at some rows; NONE everywhere when the column is empty."""
    return column[rows] if len(column) else np.full(len(rows), NONE)
