"""The checks that follow from the CDM specification, expanded for each table and column.

Names of checks are those of OHDSI's DataQualityDashboard. Tables of the vocabulary are left out: they
arrive whole only when a job asks for them.

Source:
    OHDSI CommonDataModel v5.4, field-level specification; DataQualityDashboard for kinds of checks and
    their thresholds (60 days after death, 7 days around a visit).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import get_args

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec

DAYS_AFTER_DEATH = 60
DAYS_AROUND_A_VISIT = 7

CHECKED: Mapping[str, TableSpec] = {
    **PERSON_TABLES,
    **{name: REFERENCE_TABLES[name] for name in ("location", "care_site", "provider")},
}
"""Tables that are checked."""

_PARENTS = {
    "person_id": ("person", "person_id"),
    "provider_id": ("provider", "provider_id"),
    "care_site_id": ("care_site", "care_site_id"),
    "location_id": ("location", "location_id"),
    "visit_occurrence_id": ("visit_occurrence", "visit_occurrence_id"),
    "preceding_visit_occurrence_id": ("visit_occurrence", "visit_occurrence_id"),
    "visit_detail_id": ("visit_detail", "visit_detail_id"),
    "preceding_visit_detail_id": ("visit_detail", "visit_detail_id"),
    "parent_visit_detail_id": ("visit_detail", "visit_detail_id"),
    "payer_plan_period_id": ("payer_plan_period", "payer_plan_period_id"),
}
"""What a column refers to, by its name; every ``*_concept_id`` refers to CONCEPT."""
_NO_REFERENCE = {("cost", "person_id")}
"""Columns that CDM 5.4 does not have: COST has a person only here."""

_WITHOUT_COMPLETENESS = ("_source_concept_id", "_type_concept_id", "event_field_concept_id")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: rows for which ``failing`` is true are failures."""

    kind: str
    table: str
    column: str
    failing: str
    """SQL over row ``t``, what its columns refer to (``ref_<column>``), and ``birth`` and ``last_day``."""
    travelled: str = ""
    """The same when only rows that travel are there to refer to; empty where that is the same."""
    needs: frozenset[str] = frozenset()
    """Of ``birth``, ``death``: what must be joined."""

    @property
    def name(self) -> str:
        """``isRequired person.gender_concept_id``."""
        return f"{self.kind} {self.table}.{self.column}" if self.column else f"{self.kind} {self.table}"


@lru_cache
def checks() -> tuple[Check, ...]:
    """Return all checks in the order of tables and columns."""
    return tuple(check for spec in CHECKED.values() for check in _of_table(spec))


def _of_table(spec: TableSpec) -> Iterator[Check]:
    if len(spec.key) == 1 and spec.key[0] != "person_id":
        yield Check("isPrimaryKey", spec.name, spec.key[0], "")
    elif spec.name == "person":
        yield Check("isPrimaryKey", "person", "person_id", "")
    for column in spec.columns:
        if column in spec.required:
            yield Check("isRequired", spec.name, column, f"t.{column} IS NULL")
    for column in spec.columns:
        yield from _of_reference(spec, column)
    yield from _of_dates(spec)
    if "person_id" in spec.columns and spec.name != "person":
        # Counted over PERSON: its rows without any row here.
        yield Check("measurePersonCompleteness", spec.name, "", "")


def _of_reference(spec: TableSpec, column: str) -> Iterator[Check]:
    found = f"ref_{column}"
    if refers_to_concept(column):
        unknown = f"t.{column} <> 0 AND {found}.ref_id IS NULL"
        yield Check("isForeignKey", spec.name, column, unknown)
        if not column.endswith(_WITHOUT_COMPLETENESS):
            yield Check("standardConceptRecordCompleteness", spec.name, column, f"t.{column} = 0")
            odd = f"t.{column} <> 0 AND {found}.valid = 0"
            yield Check("isStandardValidConcept", spec.name, column, odd)
    elif reference(spec, column):
        given = f"t.{column} IS NOT NULL"
        unknown, left_behind = f"{found}.ref_id IS NULL", f"COALESCE({found}.travels, 0) = 0"
        yield Check("isForeignKey", spec.name, column, f"{given} AND {unknown}", f"{given} AND {left_behind}")


def refers_to_concept(column: str) -> bool:
    """Whether a column holds the id of a concept, by its name."""
    return column.endswith("concept_id")


def reference(spec: TableSpec, column: str) -> tuple[str, str] | None:
    """Return table and column that a column refers to; None when it does not, or to a concept."""
    parent = _PARENTS.get(column)
    if parent is None or (spec.name, column) in _NO_REFERENCE or parent == (spec.name, column):
        return None
    return parent


def _of_dates(spec: TableSpec) -> Iterator[Check]:
    moments = [
        c for c, annotation in spec.types.items() if {date, datetime} & {annotation, *get_args(annotation)}
    ]
    for column in moments:
        day = number(f"t.{column}")
        if spec.name == "person" or "person_id" not in spec.columns:
            continue
        yield Check("plausibleAfterBirth", spec.name, column, f"{day} < birth", needs=frozenset({"birth"}))
        if spec.name != "death":
            late = f"{day} > last_day"
            yield Check("plausibleBeforeDeath", spec.name, column, late, needs=frozenset({"death"}))
        if "visit_occurrence_id" in spec.columns and spec.name not in ("visit_occurrence", "visit_detail"):
            outside, of_those_that_travel = (
                f"{day} < ref_visit_occurrence_id.visit_from{which} OR {day} > ref_visit_occurrence_id.visit_to{which}"
                for which in ("", "_travelled")
            )
            yield Check("withinVisitDates", spec.name, column, outside, of_those_that_travel)
    for column in moments:
        start = column.replace("_end_", "_start_")
        if start != column and start in moments:
            yield Check("plausibleStartBeforeEnd", spec.name, column, f"t.{column} < t.{start}")


def number(day: str) -> str:
    """Return SQL for a day as a number such as 20240131.

    Birth dates need not be days that exist, and engines disagree on casts and on what days there are.
    Fractions are of one kind in all of them; whole numbers are not.
    """
    return f"(EXTRACT(YEAR FROM {day}) * 1e4 + EXTRACT(MONTH FROM {day}) * 1e2 + EXTRACT(DAY FROM {day}))"
