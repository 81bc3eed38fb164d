"""SQL that renders staged rows as the text of bundles, and counts what is odd about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from carebus_contracts.omop.bundle import REFERENCE_CHUNK_KEYS, ConceptInUse
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_extractor.domain.casts import kind_of
from carebus_extractor.domain.columns import ALL_TABLES

MAIN_CONCEPT = {
    "visit_occurrence": "visit_concept_id",
    "visit_detail": "visit_detail_concept_id",
    "condition_occurrence": "condition_concept_id",
    "drug_exposure": "drug_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "device_exposure": "device_concept_id",
    "measurement": "measurement_concept_id",
    "observation": "observation_concept_id",
    "specimen": "specimen_concept_id",
    "condition_era": "condition_concept_id",
    "drug_era": "drug_concept_id",
    "dose_era": "drug_concept_id",
    "episode": "episode_concept_id",
}
"""The column that says what a row is about; 0 in it means that the source could not say it in a concept."""


def rows_sql(table: str, relation: str, *, repeats: bool = True) -> str:
    """Return (person_id, number of rows, ``[[...],[...]]``) of each person whose rows travel.

    Rows stand in the order of their record id and then of their text, so that the bytes are the same
    whatever order the source has. Of several PERSON rows with one id the first travels.

    Args:
        table: The table.
        relation: Its rows.
        repeats: Whether record ids may repeat; else the id alone orders the rows, at less cost.
    """
    spec = PERSON_TABLES[table]
    text = f"CAST(json_array({', '.join(spec.columns)}) AS VARCHAR)"
    if table == "person":
        first = f"SELECT person_id, 1, encode('[' || min({text}) || ']')"
        return f"{first} FROM {relation} WHERE _travels GROUP BY 1"
    order = "t" if spec.key == ("person_id",) else "k, t" if repeats else "k"
    return (
        f"SELECT person_id, count(*), encode('[' || string_agg(t, ',' ORDER BY {order}) || ']') FROM "
        f"(SELECT person_id, {spec.key[0]} AS k, {text} AS t FROM {relation} WHERE _travels) GROUP BY 1"
    )


def single_rows_sql(table: str, relation: str) -> str:
    """Return (record id, ``[...]``) of each row of a chunk of one person, by record id.

    The text is made after sorting, and rows with equal ids are left for the reader to put in order:
    sorting by the text would hold it several times.
    """
    spec = PERSON_TABLES[table]
    return (
        f"SELECT {spec.key[0]}, encode(CAST(json_array({', '.join(spec.columns)}) AS VARCHAR)) "
        f"FROM (SELECT * FROM {relation} WHERE _travels ORDER BY {spec.key[0]})"
    )


def concepts_sql(relations: Mapping[str, str]) -> str:
    """Return (person_id, concept ids ascending) of each person whose rows travel."""
    parts = []
    for table, relation in relations.items():
        if columns := ", ".join(PERSON_TABLES[table].concept_columns):
            parts.append(
                f"SELECT person_id, unnest([{columns}]) AS c "
                f"FROM (SELECT DISTINCT person_id, {columns} FROM {relation} WHERE _travels)"
            )
    return (
        f"SELECT person_id, list_sort(list(DISTINCT c)) FROM ({' UNION ALL '.join(parts)}) "
        "WHERE c IS NOT NULL GROUP BY 1"
    )


def concept_ids_sql(table: str, relation: str, where: str) -> str:
    """Return the distinct concept ids of one table."""
    columns = ", ".join(ALL_TABLES[table].concept_columns)
    return (
        f"SELECT DISTINCT c FROM (SELECT unnest([{columns}]) AS c FROM "
        f"(SELECT DISTINCT {columns} FROM {relation} WHERE {where})) WHERE c IS NOT NULL"
    )


def concept_texts_sql(relation: str, ids: Iterable[int]) -> str:
    """Return (concept_id, ``[...]`` in the order of ConceptInUse) of some concepts."""
    columns = ", ".join(ConceptInUse._fields)
    wanted = ", ".join(f"{i:d}" for i in ids)
    return (
        f"SELECT concept_id, encode(min(CAST(json_array({columns}) AS VARCHAR))) FROM {relation} "
        f"WHERE _fault IS NULL AND concept_id IN ({wanted}) GROUP BY 1"
    )


def oddities(table: str, *, unknown: Iterable[int], visits: str | None, born_until: int) -> dict[str, str]:
    """Return, by what is odd about a row, SQL that says whether it is.

    Args:
        table: The table.
        unknown: Concept ids in use that CONCEPT does not hold.
        visits: SQL of (person_id, visit_occurrence_id) of all visits; None when the source has none.
        born_until: The last year in which somebody can be born.
    """
    spec = PERSON_TABLES[table]
    found = {"unreadable_cell": "_odd"}
    if spec.concept_columns and (ids := ", ".join(f"{i:d}" for i in sorted(unknown))):
        found["unknown_concept"] = " OR ".join(f"{c} IN ({ids})" for c in spec.concept_columns)
    if table in MAIN_CONCEPT:
        found["unmapped_concept"] = f"{MAIN_CONCEPT[table]} = 0"
    if table == "person":
        found["future_birth"] = f"year_of_birth > {born_until:d}"
    if "visit_occurrence_id" in spec.columns and table != "visit_occurrence":
        there = f"(person_id, visit_occurrence_id) IN ({visits})" if visits else "false"
        found["dangling_visit"] = f"visit_occurrence_id IS NOT NULL AND NOT ({there})"
    return found


def travelling_sql(relation: str, odd: Mapping[str, str]) -> str:
    """Return (rows, rows that travel, rows of each oddity among them); without groups it costs a third."""
    tests = "".join(f", count(*) FILTER (_travels AND ({test}))" for test in odd.values())
    return f"SELECT count(*), count(*) FILTER (_travels){tests} FROM {relation}"


def counts_sql(relation: str, odd: Mapping[str, str]) -> str:
    """Return (fault or NULL, travels, rows, rows of each oddity)."""
    tests = "".join(f", count(*) FILTER (_travels AND ({test}))" for test in odd.values())
    return f"SELECT _fault, _travels, count(*){tests} FROM {relation} GROUP BY ALL"


def repeated_sql(table: str, relation: str) -> str:
    """Return the number of rows whose record id an earlier row of the same person has, too."""
    key = PERSON_TABLES[table].key[0]
    by = "person_id" if key == "person_id" else f"person_id, {key}"
    return (
        "SELECT coalesce(sum(n - 1), 0) FROM "
        f"(SELECT count(*) AS n FROM {relation} WHERE _travels GROUP BY {by} HAVING count(*) > 1)"
    )


def chunk_sql(table: str) -> str:
    """Return SQL for the number of a row's chunk: its key by REFERENCE_CHUNK_KEYS rounded down, else 0."""
    key = whole_number_key(table)
    if key is None:
        return "0"
    size = REFERENCE_CHUNK_KEYS
    return f"(({key} - ({key} % {size} + {size}) % {size}) // {size})"


def reference_weights_sql(table: str, relation: str, where: str) -> str:
    """Return (chunk, rows, bytes) of a table that belongs to no person, ascending."""
    spec = REFERENCE_TABLES[table]
    texts = [c for c, a in spec.types.items() if kind_of(a) is str]
    text = " + ".join(f"coalesce(strlen({c}), 0)" for c in texts) or "0"
    return (
        f"SELECT {chunk_sql(table)} AS chunk, count(*), "
        f"CAST(sum({10 * len(spec.columns)} + {text}) AS BIGINT) "
        f"FROM {relation} WHERE {where} GROUP BY 1 ORDER BY 1"
    )


def reference_rows_sql(table: str, relation: str, where: str) -> str:
    """Return (chunk, rows, ``[[...],[...]]``) of a table that belongs to no person, by chunk."""
    spec = REFERENCE_TABLES[table]
    keys = ", ".join(f"{column} AS k{n}" for n, column in enumerate(spec.key))
    order = ", ".join(f"k{n}" for n in range(len(spec.key)))
    text = f"CAST(json_array({', '.join(spec.columns)}) AS VARCHAR)"
    return (
        f"SELECT chunk, count(*), encode('[' || string_agg(t, ',' ORDER BY {order}, t) || ']') FROM "
        f"(SELECT {chunk_sql(table)} AS chunk, {keys}, {text} AS t FROM {relation} WHERE {where}) "
        "GROUP BY 1 ORDER BY 1"
    )


def in_part(table: str, part: int, parts: int) -> str:
    """Return SQL for one of several parts of a chunk too large for a message, by a hash of the key."""
    key = ", ".join(f"CAST({column} AS VARCHAR)" for column in REFERENCE_TABLES[table].key)
    return f"CAST('0x' || substr(md5(concat_ws('/', {key})), 1, 8) AS BIGINT) % {parts} = {part}"


def whole_number_key(table: str) -> str | None:
    """Return the first column of a reference table's key that is a whole number: what chunks go by."""
    spec = REFERENCE_TABLES[table]
    return next((column for column in spec.key if spec.types[column] is int), None)
