"""One SELECT a table that runs all of its checks in one scan; the same text for all engines.

Every count comes twice: over all rows, and over those that travel. Rows of persons that PERSON does not
know, and rows without a key, stay behind at the source by rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from carebus_contracts.omop.catalog import TableSpec
from carebus_quality.checks import (
    CHECKED,
    DAYS_AFTER_DEATH,
    DAYS_AROUND_A_VISIT,
    Check,
    number,
    reference,
)

Relation = Callable[[str], str]
"""A table's name to SQL after FROM."""


def statement(spec: TableSpec, checks: Sequence[Check], relation: Relation) -> str:
    """Return the SELECT whose columns are two row counts, then two counts of failures a check."""
    needs = frozenset().union(*(check.needs for check in checks))
    travels = _travels(spec)
    parts = [_count("TRUE"), _count(travels)]
    for check in checks:
        if check.kind == "isPrimaryKey":
            key = f"t.{check.column}"
            parts += [
                f"COUNT({key}) - COUNT(DISTINCT {key})",
                f"COUNT(CASE WHEN {travels} THEN {key} END) - COUNT(DISTINCT CASE WHEN {travels} THEN {key} END)",
            ]
        elif check.kind == "measurePersonCompleteness":
            without = (
                f"(SELECT COUNT(*) FROM {relation('person')} p WHERE p.person_id NOT IN "
                f"(SELECT person_id FROM {relation(spec.name)} x WHERE person_id IS NOT NULL))"
            )
            parts += [without, without]
        else:
            parts += [_count(check.failing), _count(f"({check.failing}) AND {travels}")]
    return f"WITH {', '.join(_sets(spec, relation))} SELECT {', '.join(parts)} FROM {_joined(spec, needs, relation)}"


def _count(condition: str) -> str:
    return f"COUNT(CASE WHEN {condition} THEN 1 END)"


def _travels(spec: TableSpec) -> str:
    keyed = " AND ".join(f"t.{column} IS NOT NULL" for column in spec.key)
    if "person_id" in spec.columns and spec.name != "person":
        return f"{keyed} AND t.person_id IN (SELECT person_id FROM parent_person)"
    return keyed


def _sets(spec: TableSpec, relation: Relation) -> list[str]:
    parents = {parent for column in spec.columns if (parent := reference(spec, column))}
    parents.add(("person", "person_id"))
    return [
        "concepts AS (SELECT concept_id, standard_concept = 'S' AND invalid_reason IS NULL AS valid "
        f"FROM {relation('concept')} c WHERE concept_id IS NOT NULL)",
        *(
            f"parent_{table} AS (SELECT {key} FROM {relation(table)} x WHERE {key} IS NOT NULL)"
            for table, key in sorted(parents)
        ),
    ]


def _joined(spec: TableSpec, needs: frozenset[str], relation: Relation) -> str:
    text = f"{relation(spec.name)} t"
    if "birth" in needs:
        text += (
            f" LEFT JOIN (SELECT person_id, MIN(COALESCE({number('birth_datetime')}, year_of_birth * 1e4 + "
            "COALESCE(month_of_birth, 1) * 1e2 + COALESCE(day_of_birth, 1))) AS birth "
            f"FROM {relation('person')} b GROUP BY person_id) births ON births.person_id = t.person_id"
        )
    if "death" in needs:
        text += (
            f" LEFT JOIN (SELECT person_id, {number(f'(MIN(death_date) + {DAYS_AFTER_DEATH})')} AS last_day "
            f"FROM {relation('death')} d GROUP BY person_id) deaths ON deaths.person_id = t.person_id"
        )
    if "visit" in needs:
        text += (
            " LEFT JOIN (SELECT visit_occurrence_id, "
            f"{number(f'(MIN(visit_start_date) - {DAYS_AROUND_A_VISIT})')} AS visit_from, "
            f"{number(f'(MAX(visit_end_date) + {DAYS_AROUND_A_VISIT})')} AS visit_to "
            f"FROM {relation('visit_occurrence')} v GROUP BY visit_occurrence_id) visits "
            "ON visits.visit_occurrence_id = t.visit_occurrence_id"
        )
    return text


def tables_needed() -> tuple[str, ...]:
    """Return the tables that the statements read."""
    return (*CHECKED, "concept")
