"""SQL for the rows of LOCATION, CARE_SITE and PROVIDER that rows of persons refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from carebus_contracts.omop.bundle import REFERRED_TABLES
from carebus_contracts.omop.catalog import PERSON_TABLES


def referring(table: str, relations: Mapping[str, str]) -> dict[str, str]:
    """Return the relations of persons' tables that have a column for the key of ``table``."""
    (key,) = REFERRED_TABLES[table].key
    return {t: r for t, r in relations.items() if t in PERSON_TABLES and key in PERSON_TABLES[t].columns}


def referred_ids_sql(table: str, relations: Mapping[str, str]) -> str:
    """Return (person_id, ids) of each person whose rows that travel refer to rows of ``table``."""
    (key,) = REFERRED_TABLES[table].key
    parts = [
        f"SELECT person_id, {key} AS r FROM {relation} WHERE _travels AND {key} IS NOT NULL"
        for relation in referring(table, relations).values()
    ]
    return f"SELECT person_id, list(DISTINCT r) FROM ({' UNION ALL '.join(parts)}) GROUP BY 1"


def all_referred_ids_sql(table: str, relations: Mapping[str, str]) -> str:
    """Return the distinct ids of rows of ``table`` that persons' rows and the other tables refer to."""
    (key,) = REFERRED_TABLES[table].key
    others = {
        t: relations[t] for t, spec in REFERRED_TABLES.items() if t in relations and key in spec.columns
    }
    parts = [
        f"SELECT {key} AS r FROM {relation} WHERE _fault IS NULL"
        for relation in (*referring(table, relations).values(), *others.values())
    ]
    return f"SELECT DISTINCT r FROM ({' UNION ALL '.join(parts)}) WHERE r IS NOT NULL"


def referred_texts_sql(table: str, relation: str, ids: Iterable[int]) -> str:
    """Return (id, ``[...]``) of some rows of ``table``; of several rows with one id the first by content."""
    spec = REFERRED_TABLES[table]
    (key,) = spec.key
    wanted = ", ".join(f"{i:d}" for i in ids)
    return (
        f"SELECT {key}, encode(min(CAST(json_array({', '.join(spec.columns)}) AS VARCHAR))) FROM {relation} "
        f"WHERE _fault IS NULL AND {key} IN ({wanted}) GROUP BY 1"
    )
