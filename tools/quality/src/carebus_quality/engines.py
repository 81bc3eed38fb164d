"""Where checks run: DuckDB over a source's files, Postgres and ClickHouse over what was loaded."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, get_args

import asyncpg
import clickhouse_connect
import duckdb
from clickhouse_connect.driver.exceptions import ClickHouseError

from carebus_contracts.errors import ConfigurationError, JobError, TargetUnavailable
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec
from carebus_quality.settings import ClickHouseSettings, PostgresSettings
from carebus_quality.statements import tables_needed

TABLES: Mapping[str, TableSpec] = {**PERSON_TABLES, **REFERENCE_TABLES}
_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", date: "DATE", datetime: "TIMESTAMP"}
_SUFFIXES = re.compile(r"(\.(csv|tsv|txt|psv|tab|parquet|gz|bz2))+$", re.IGNORECASE)
_PREFIXES = ("omop_", "cdm_")
_PART = re.compile(r"[-_.]?(part)?[-_.]?\d+([-_]of[-_]\d+)?$")
"""The number of a file where a table comes in several."""
_DELIMITERS = (",", "\t", ";", "|")
_IN_5_3 = {
    "admitted_from_concept_id": "admitting_source_concept_id",
    "admitted_from_source_value": "admitting_source_value",
    "discharged_to_concept_id": "discharge_to_concept_id",
    "discharged_to_source_value": "discharge_to_source_value",
    "parent_visit_detail_id": "visit_detail_parent_id",
}
"""Columns of CDM 5.4 by their names in 5.3."""


class Engine(Protocol):
    """Answers statements over one set of OMOP tables."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def unreadable(self) -> Mapping[str, int]:
        """Cells by ``table.column`` that are not what the CDM says; only a source has them."""

    def relation(self, table: str) -> str:
        """Return SQL after FROM for a table."""

    def row(self, sql: str) -> Sequence[int]:
        """Return the one row of a statement."""


@dataclass(slots=True)
class DuckDbEngine:
    """A source, seen through views in the shape of CDM 5.4."""

    connection: duckdb.DuckDBPyConnection
    name: str
    unreadable: Mapping[str, int]

    def relation(self, table: str) -> str:
        """Name the view of a table."""
        return f"quality.{table}"

    def row(self, sql: str) -> Sequence[int]:
        """Return the one row of a statement."""
        found = self.connection.execute(sql).fetchone()
        return found or ()


@contextmanager
def open_source(path: Path, kind: str, schema: str = "main") -> Iterator[DuckDbEngine]:
    """Open a folder of CSV or Parquet files, or a DuckDB file.

    Raises:
        JobError: It is not there, or holds no PERSON table.
    """
    if not path.exists():
        raise JobError(f"there is no {path}")
    with tempfile.TemporaryDirectory(prefix="carebus-quality-") as work, duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA quality")
        where = str(path)
        try:
            if kind == "duckdb":
                connection.execute(f"ATTACH {_quoted(str(path))} AS source (READ_ONLY)")
                raw = _tables_of_database(connection, schema)
            else:
                raw = _tables_of_folder(path, kind, Path(work))
            if "person" not in raw:
                raise JobError(f"{path} holds no person table that can be read as {kind}")
            unreadable: dict[str, int] = {}
            for table in tables_needed():
                where = f"{table} of {path}"
                unreadable |= _make_view(connection, TABLES[table], raw.get(table, []))
        except duckdb.Error as error:
            raise JobError(
                f"{where} cannot be read as {kind} ({type(error).__name__}): look for a row with too many fields, "
                "a quote that is not closed, or another encoding than UTF-8"
                if kind == "csv"
                else f"{where} cannot be read as {kind} ({type(error).__name__}): is it whole?"
            ) from None
        yield DuckDbEngine(connection, f"source {path.name}", unreadable)


def _tables_of_database(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'source' AND table_schema = ?",
        [schema],
    ).fetchall()
    return {_table_name(name): [f'source."{schema}"."{name}"'] for (name,) in rows}


def _tables_of_folder(path: Path, kind: str, work: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(path.iterdir()):
        parts = sorted(file.glob("*.parquet")) if file.is_dir() else [file]
        for part in parts:
            is_parquet = part.suffix.lower() == ".parquet"
            if is_parquet != (kind == "parquet") or (table := _table_name(file.name)) not in TABLES:
                continue
            text = f"read_parquet({_quoted(str(part))})"
            if not is_parquet:
                work_file = _plain(part, work)
                plain = _quoted(str(work_file))
                # the engine pads rows that have quoted line ends only with one thread
                text = (
                    f"read_csv({plain}, delim = {_quoted(_delimiter(work_file, TABLES[table]))}, quote = '\"', "
                    f"escape = '\"', all_varchar = true, header = true, null_padding = true, parallel = false)"
                )
            found.setdefault(table, []).append(text)
    return found


def _plain(file: Path, work: Path) -> Path:
    """Unpack what the engine cannot read as it is."""
    if file.suffix.lower() != ".bz2":
        return file
    target = work / file.stem
    with bz2.open(file) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return target


def _delimiter(file: Path, spec: TableSpec) -> str:
    """Return what parts the names of columns in the first line, whatever the file's suffix says."""
    with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as lines:
        first = lines.readline(64 * 1024).decode("utf-8-sig", "replace").lower()

    def known(delimiter: str) -> int:
        return len({name.strip(' \t\r\n"') for name in first.split(delimiter)} & set(spec.columns))

    return max(_DELIMITERS, key=known)


def _table_name(name: str) -> str:
    stem = _SUFFIXES.sub("", name).strip().lower()
    for prefix in _PREFIXES:
        stem = stem.removeprefix(prefix)
    return stem if stem in TABLES else _PART.sub("", stem)


def _make_view(
    connection: duckdb.DuckDBPyConnection, spec: TableSpec, parts: Sequence[str]
) -> dict[str, int]:
    """Make a table's rows typed, once; return how many cells of each column cannot be read."""
    selects, counts = [], []
    for part in parts:
        names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {part}").fetchall()]
        there = {name.strip().lower(): f'"{name}"' for name in names}
        cells, faults = [], []
        for column, annotation in spec.types.items():
            kind = _TYPES[next(t for t in (annotation, *get_args(annotation)) if t in _TYPES)]
            field = there.get(column) or there.get(_IN_5_3.get(column, ""))
            if field is None:
                cells.append(f"CAST(NULL AS {kind}) AS {column}")
                continue
            text = f"NULLIF(TRIM(CAST({field} AS VARCHAR)), '')"
            read = _read(text, kind)
            cells.append(f"{read} AS {column}")
            faults.append((column, f"COUNT({text}) - COUNT({read})"))
        selects.append(f"SELECT {', '.join(cells)} FROM {part}")
        if faults:
            counts.append((part, faults))
    empty = ", ".join(
        f"CAST(NULL AS {_TYPES[next(t for t in (a, *get_args(a)) if t in _TYPES)]}) AS {c}"
        for c, a in spec.types.items()
    )
    body = " UNION ALL ".join(selects) or f"SELECT {empty} WHERE FALSE"
    connection.execute(f"CREATE TABLE quality.{spec.name} AS {body}")
    unreadable: dict[str, int] = {}
    for part, faults in counts:
        found = connection.execute(f"SELECT {', '.join(sql for _, sql in faults)} FROM {part}").fetchone()
        for (column, _), count in zip(faults, found or (), strict=True):
            name = f"{spec.name}.{column}"
            unreadable[name] = unreadable.get(name, 0) + count
    return {name: count for name, count in unreadable.items() if count}


def _read(text: str, kind: str) -> str:
    """Return SQL that reads a cell; exports write ids as ``12.0``, days as ``20240131`` or ``31-JAN-2024``."""
    match kind:
        case "BIGINT":
            return f"TRY_CAST(regexp_replace({text}, '\\.0+$', '') AS BIGINT)"
        case "DATE":
            digits = f"TRY_STRPTIME({text}, '%Y%m%d')"
            oracle = f"CASE WHEN length({text}) >= 10 THEN TRY_STRPTIME({text}, '%d-%b-%Y') END"
            return f"COALESCE(TRY_CAST({text} AS DATE), CAST(COALESCE({digits}, {oracle}) AS DATE))"
        case _:
            return f"TRY_CAST({text} AS {kind})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class PostgresEngine:
    """What Postgres holds of one source."""

    name = "postgres"
    unreadable: Mapping[str, int] = MappingProxyType({})

    def __init__(self, settings: PostgresSettings, source: str) -> None:
        self._settings = settings
        self._source = _quoted(source)

    def relation(self, table: str) -> str:
        """Name the rows of the source in a table."""
        return f'(SELECT * FROM "{self._settings.omop_schema}"."{table}" WHERE source = {self._source})'

    def row(self, sql: str) -> Sequence[int]:
        """Return the one row of a statement.

        Raises:
            ConfigurationError: The tables are not there, or may not be read.
            TargetUnavailable: It does not answer.
        """
        return asyncio.run(self._row(sql))

    async def _row(self, sql: str) -> Sequence[int]:
        address = f"postgres at {self._settings.host}:{self._settings.port}"
        try:
            connection = await asyncpg.connect(**self._settings.connection())
            try:
                return tuple(await connection.fetchrow(sql))
            finally:
                await connection.close()
        except (
            asyncpg.UndefinedTableError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.InsufficientPrivilegeError,
        ) as error:
            raise ConfigurationError(
                f"{address} has no OMOP tables in schema {self._settings.omop_schema} that may be read "
                f"({type(error).__name__}); see CAREBUS_POSTGRES_DATABASE, CAREBUS_POSTGRES_SCHEMA and "
                "`carebus targets prepare postgres`"
            ) from None
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.InvalidAuthorizationSpecificationError,
        ) as error:
            raise TargetUnavailable(
                f"{address} did not answer: {type(error).__name__}", system=address
            ) from None


class ClickHouseEngine:
    """What ClickHouse's views show of one source."""

    name = "clickhouse"
    unreadable: Mapping[str, int] = MappingProxyType({})

    def __init__(self, settings: ClickHouseSettings, source: str) -> None:
        self._settings = settings
        self._source = _quoted(source)
        self._client: Any = None

    def relation(self, table: str) -> str:
        """Name the rows of the source in a view."""
        return f"(SELECT * FROM `{self._settings.database}`.`{table}` WHERE source = {self._source})"

    def row(self, sql: str) -> Sequence[int]:
        """Return the one row of a statement.

        Raises:
            ConfigurationError: The views are not there, or may not be read.
            TargetUnavailable: It does not answer.
        """
        address = f"clickhouse at {self._settings.host}:{self._settings.port}"
        try:
            if self._client is None:
                self._client = clickhouse_connect.get_client(**self._settings.client())
            # An outer join without a partner is NULL as in other engines, not 0 or the empty text.
            answer = self._client.query(sql, settings={"join_use_nulls": 1})
        except ClickHouseError as error:
            code = re.search(r"Code: (\d+)|code (\d+)", str(error))
            raise ConfigurationError(
                f"{address} cannot answer over database {self._settings.database} "
                f"(code {code[1] or code[2] if code else 'unknown'}); see CAREBUS_CLICKHOUSE_DATABASE and "
                "`carebus targets prepare clickhouse`"
            ) from None
        except OSError as error:
            raise TargetUnavailable(
                f"{address} did not answer: {type(error).__name__}", system=address
            ) from None
        return [int(cell) for cell in answer.result_rows[0]]
