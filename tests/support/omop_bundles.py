"""Bundles of the shared OMOP data sets, made without any service: what converters are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson

from carebus_contracts.omop.bundle import ConceptInUse, encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec

PROVIDER = REFERENCE_TABLES["provider"]
SHARED = Path(__file__).resolve().parents[3] / "shared"
"""Beside the checkout; not part of it."""

GIBLEED = SHARED / "omop" / "gibleed_5.3" / "parquet"
SYNTHEA27NJ = SHARED / "omop" / "synthea27nj_5.4" / "parquet"

_RENAMED = {
    "visit_occurrence": {
        "admitted_from_concept_id": "admitting_source_concept_id",
        "admitted_from_source_value": "admitting_source_value",
        "discharged_to_concept_id": "discharge_to_concept_id",
        "discharged_to_source_value": "discharge_to_source_value",
    },
    "visit_detail": {
        "admitted_from_concept_id": "admitting_source_concept_id",
        "admitted_from_source_value": "admitting_source_value",
        "discharged_to_concept_id": "discharge_to_concept_id",
        "discharged_to_source_value": "discharge_to_source_value",
        "parent_visit_detail_id": "visit_detail_parent_id",
    },
}
"""Columns of CDM 5.4 by their names in 5.3."""

_SQL_TYPES = {"int": "BIGINT", "float": "DOUBLE", "str": "VARCHAR", "date": "DATE", "datetime": "TIMESTAMP"}


def bundles(folder: Path, *, source: str | None = None, providers: bool = False) -> Iterator[bytes]:
    """Yield one encoded bundle a person, in the order of person_id.

    Args:
        folder: Parquet files named after their tables, CDM 5.3 or 5.4.
        source: Slug; by default made from the folder above.
        providers: Whether they carry the rows of PROVIDER that they refer to; neither set has sites.
    """
    name, _, version = folder.parent.name.rpartition("_")
    connection = duckdb.connect()
    tables = {t: _rows(connection, folder, spec) for t, spec in PERSON_TABLES.items()}
    concepts = {row[0]: row for row in _concepts(connection, folder)}
    known = _providers(connection, folder) if providers else {}
    for person_id in sorted(tables["person"]):
        own = {table: rows.get(person_id, []) for table, rows in tables.items()}
        who = [known[i] for i in sorted(_provider_ids(own) & known.keys())]
        used = sorted(
            {row[place] for row in who for place in _concept_places(PROVIDER) if row[place] in concepts}
            | {
                row[place]
                for table, rows in own.items()
                for place in _concept_places(PERSON_TABLES[table])
                for row in rows
                if row[place] in concepts
            }
        )
        yield encode_person(
            source=source or name,
            person_id=person_id,
            cdm_version=version,
            covers=list(PERSON_TABLES),
            tables={table: orjson.dumps(rows) for table, rows in own.items() if rows},
            concepts=[orjson.dumps(concepts[concept_id]) for concept_id in used],
            refers={"provider": [orjson.dumps(row) for row in who]} if who else None,
        )


def _provider_ids(own: dict[str, list[tuple[Any, ...]]]) -> set[int]:
    return {
        row[PERSON_TABLES[table].columns.index("provider_id")]
        for table, rows in own.items()
        if "provider_id" in PERSON_TABLES[table].columns
        for row in rows
    }


def _providers(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[int, tuple[Any, ...]]:
    path = folder / "provider.parquet"
    if not path.exists():
        return {}
    columns = ", ".join(PROVIDER.columns)
    rows = connection.execute(f"SELECT {columns} FROM read_parquet(?)", [str(path)]).fetchall()
    return {row[0]: row for row in rows}


def _rows(
    connection: duckdb.DuckDBPyConnection, folder: Path, spec: TableSpec
) -> dict[int, list[tuple[Any, ...]]]:
    """Return the rows of a table by person, with the columns of CDM 5.4; COST has no person and stays out."""
    path = folder / f"{spec.name}.parquet"
    if not path.exists() or "person_id" not in spec.columns:
        return {}
    given = {
        row[0] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    }
    columns = ", ".join(_column(spec, column, given) for column in spec.columns)
    place = spec.columns.index("person_id")
    by_person: dict[int, list[tuple[Any, ...]]] = {}
    query = f"SELECT {columns} FROM read_parquet(?) WHERE person_id IS NOT NULL"
    for row in connection.execute(query, [str(path)]).fetchall():
        by_person.setdefault(row[place], []).append(row)
    return by_person


def _column(spec: TableSpec, column: str, given: set[str]) -> str:
    name = column if column in given else _RENAMED.get(spec.name, {}).get(column, column)
    kind = str(spec.types[column]).replace("datetime.", "").split(" ")[0]
    kind = kind.removeprefix("<class").strip("'>") or spec.types[column].__name__
    return f'CAST("{name}" AS {_SQL_TYPES[kind]})' if name in given else "NULL"


def _concept_places(spec: TableSpec) -> list[int]:
    return [spec.columns.index(column) for column in spec.concept_columns]


def _concepts(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[tuple[Any, ...]]:
    columns = ", ".join(ConceptInUse._fields)
    query = f"SELECT {columns} FROM read_parquet(?)"
    return connection.execute(query, [str(folder / "concept.parquet")]).fetchall()
