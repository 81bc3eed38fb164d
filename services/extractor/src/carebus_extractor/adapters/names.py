"""What persons are called, as the job's ``names`` say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import duckdb

from carebus_contracts.jobs import ExtractJob
from carebus_contracts.names import NameColumns, SyntheticNames
from carebus_contracts.omop.bundle import GivenName
from carebus_extractor.adapters.building import ROW_GROUP_ROWS, reading, take_rejected
from carebus_extractor.adapters.engine import identifier, quoted
from carebus_extractor.adapters.staging import Manifest, Stage, relation_of
from carebus_extractor.domain.names_sql import (
    NAMES,
    NamesPart,
    nameless_sql,
    names_select,
    places_of_names,
)

_SYNTHETIC = GivenName(synthetic=True).to_json()


class NamesReader:
    """Reads the names of a job's persons, as text of ``GivenName``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, stage: Stage, job: ExtractJob) -> None:
        self._connection = connection
        self._relation = stage.relations.get(NAMES)
        self._all = _SYNTHETIC if isinstance(job.names, SyntheticNames) else None

    def of(self, here: str) -> Mapping[int, bytes]:
        """Return what the source says of each person of a chunk; ``here`` is SQL over their person_id."""
        if self._relation is None:
            return {}
        sql = f"SELECT person_id, encode(name) FROM {self._relation} WHERE {here}"
        return dict(self._connection.execute(sql).fetchall())

    def name(self, found: Mapping[int, bytes], person_id: int) -> bytes | None:
        """Return one person's; None leaves them their pseudonym."""
        return found.get(person_id, self._all)


def names_key(names: NameColumns) -> str:
    """Return what tells the names that one job asks for from those of another, fit for a folder's name."""
    return sha256(names.model_dump_json().encode()).hexdigest()[:16]


def scanned_names(names: NameColumns, where: str, scan: str, schema: Sequence[tuple[str, str]]) -> NamesPart:
    """Return the names in what the engine can scan; ``schema`` is the names and types of its columns.

    Raises:
        JobError: A column is not there.
    """
    places = places_of_names(names, where, [field for field, _ in schema])
    columns = ", ".join(f"{identifier(field)} AS r{n}" for n, (field, _) in enumerate(schema))
    return NamesPart(f"(SELECT {columns} FROM {scan})", tuple(kind for _, kind in schema), places)


def build_names(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[NamesPart], table: str, folder: Path
) -> Manifest:
    """Write the names to an empty folder.

    Raises:
        JobError: They cannot be read.
    """
    target = folder / NAMES
    target.mkdir()
    with reading(table):
        connection.execute(
            f"COPY ({names_select(parts)}) TO {quoted(target / 'names.parquet')} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
        )
        rows = connection.execute(f"SELECT count(*) FROM {relation_of(folder, NAMES)}").fetchone()
        lines = take_rejected(connection)
    notes = (f"{table}: {lines:,} lines are no rows, so no names",) if lines else ()
    return Manifest(cdm_version="", persons=0, tables={NAMES: rows[0] if rows else 0}, notes=notes)


def names_note(
    connection: duckdb.DuckDBPyConnection, stage: Stage, job: ExtractJob, persons: str, number: int
) -> str:
    """Return what a reader of the report should know of names; "" where there is nothing.

    Args:
        connection: The engine.
        stage: The source.
        job: What is asked for.
        persons: SELECT of the person_id of all persons of the job.
        number: How many they are.
    """
    if not isinstance(job.names, NameColumns) or NAMES not in stage.relations:
        return ""
    row = connection.execute(nameless_sql(persons, stage.relations[NAMES])).fetchone()
    if not row or not row[0]:
        return ""
    return (
        f"names: {row[0]:,} of {number:,} persons have neither a given nor a family name "
        f"in {job.names.table}; they keep their pseudonyms"
    )
