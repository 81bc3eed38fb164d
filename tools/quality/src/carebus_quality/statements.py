"""One SELECT a table that runs all of its checks in one scan; the same text for all engines.

Every count comes twice: over all rows, and over those that travel. Rows of persons that PERSON does not
know, and rows without a key, stay behind at the source by rule, and then nothing that travels can refer
to them.

What rows refer to is joined, not asked for by ``IN (SELECT ...)``: Postgres keeps such a list in memory or,
where it is too long for that, goes through it again for each row.
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
    refers_to_concept,
)

Relation = Callable[[str], str]
"""A table's name to SQL after FROM."""
PERSON = ("person", "person_id")


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
            parts += ["(SELECT without_rows FROM people)", "(SELECT without_travelled FROM people)"]
        else:
            parts += [_count(check.failing), _count(f"({check.travelled or check.failing}) AND {travels}")]
    return f"WITH {', '.join(_sets(spec, relation))} SELECT {', '.join(parts)} FROM {_joined(spec, needs, relation)}"


def _count(condition: str) -> str:
    return f"COUNT(CASE WHEN {condition} THEN 1 END)"


def _keyed(spec: TableSpec, row: str) -> str:
    return " AND ".join(f"{row}.{column} IS NOT NULL" for column in spec.key)


def _of_person(spec: TableSpec) -> bool:
    return "person_id" in spec.columns and spec.name != "person"


def _travels(spec: TableSpec) -> str:
    known = " AND ref_person_id.ref_id IS NOT NULL" if _of_person(spec) else ""
    return _keyed(spec, "t") + known


def _sets(spec: TableSpec, relation: Relation) -> list[str]:
    parents = {parent for column in spec.columns if (parent := reference(spec, column))} - {PERSON}
    # A condition over a concept that says nothing of its standing must be false, not unknown.
    valid = "CASE WHEN standard_concept = 'S' AND invalid_reason IS NULL THEN 1 ELSE 0 END"
    sets = [
        f"parent_concept AS (SELECT concept_id AS ref_id, MIN({valid}) AS valid "
        f"FROM {relation('concept')} c WHERE concept_id IS NOT NULL GROUP BY concept_id)",
        "parent_person AS (SELECT person_id AS ref_id, 1 AS travels "
        f"FROM {relation('person')} p WHERE person_id IS NOT NULL GROUP BY person_id)",
        *(_parent(table, key, relation) for table, key in sorted(parents)),
    ]
    if _of_person(spec):
        sets.append(
            "people AS (SELECT COUNT(CASE WHEN h.having_rows IS NULL THEN 1 END) AS without_rows, "
            "COUNT(CASE WHEN COALESCE(h.travelled, 0) = 0 THEN 1 END) AS without_travelled "
            f"FROM {relation('person')} p LEFT JOIN (SELECT x.person_id AS having_rows, "
            f"MAX(CASE WHEN {_keyed(spec, 'x')} THEN 1 ELSE 0 END) AS travelled "
            f"FROM {relation(spec.name)} x WHERE x.person_id IS NOT NULL GROUP BY x.person_id) h "
            "ON h.having_rows = p.person_id WHERE p.person_id IS NOT NULL)"
        )
    return sets


def _parent(table: str, key: str, relation: Relation) -> str:
    """Return the ids of a table that others refer to, and whether a row of that id travels."""
    if not _of_person(CHECKED[table]):
        return (
            f"parent_{table} AS (SELECT {key} AS ref_id, 1 AS travels FROM {relation(table)} x "
            f"WHERE {key} IS NOT NULL GROUP BY {key})"
        )
    known = "known.ref_id IS NOT NULL"
    days = ""
    if table == "visit_occurrence":
        for which, day in (
            ("", "{}"),
            ("_travelled", f"CASE WHEN {known} THEN {{}} END"),
        ):
            first, last = day.format("x.visit_start_date"), day.format("x.visit_end_date")
            days += (
                f", {number(f'(MIN({first}) - {DAYS_AROUND_A_VISIT})')} AS visit_from{which}"
                f", {number(f'(MAX({last}) + {DAYS_AROUND_A_VISIT})')} AS visit_to{which}"
            )
    return (
        f"parent_{table} AS (SELECT x.{key} AS ref_id, MAX(CASE WHEN {known} THEN 1 ELSE 0 END) AS travels{days} "
        f"FROM {relation(table)} x LEFT JOIN parent_person known ON known.ref_id = x.person_id "
        f"WHERE x.{key} IS NOT NULL GROUP BY x.{key})"
    )


def _joined(spec: TableSpec, needs: frozenset[str], relation: Relation) -> str:
    text = f"{relation(spec.name)} t"
    for column in spec.columns:
        if parent := _parent_of(spec, column):
            text += f" LEFT JOIN parent_{parent} ref_{column} ON ref_{column}.ref_id = t.{column}"
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
    return text


def _parent_of(spec: TableSpec, column: str) -> str:
    if refers_to_concept(column):
        return "concept"
    if column == "person_id":
        return "person" if _of_person(spec) else ""
    parent = reference(spec, column)
    return parent[0] if parent else ""


def tables_needed() -> tuple[str, ...]:
    """Return the tables that the statements read."""
    return (*CHECKED, "concept")
