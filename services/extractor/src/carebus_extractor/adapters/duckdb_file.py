"""A DuckDB database file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import DuckDbFile
from carebus_contracts.names import NameColumns
from carebus_extractor.adapters.building import RawSource, RawTable, reading
from carebus_extractor.adapters.engine import identifier, quoted
from carebus_extractor.adapters.files import SourceFile
from carebus_extractor.adapters.names import scanned_names
from carebus_extractor.adapters.staged_files import StagedFiles
from carebus_extractor.domain.columns import shortened
from carebus_extractor.domain.names_sql import NamesPart, is_named, no_such_table
from carebus_extractor.domain.table_names import NOT_CARRIED, table_named
from carebus_extractor.settings import ExtractorSettings


class DuckDbSource(StagedFiles):
    """Reads the tables of one schema. Views are left alone: they could reach other files."""

    kind = "duckdb"

    def __init__(self, omop: DuckDbFile, settings: ExtractorSettings) -> None:
        super().__init__(omop.path, settings, options=omop.db_schema)
        self._schema = omop.db_schema

    def _concerned(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        if len(files) != 1:
            raise JobError(f"omop.path: {self._place.shown} is a folder; name the DuckDB file in it")
        return list(files)

    def _raw(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], work: Path
    ) -> RawSource:
        self._attach(connection, files)
        source = RawSource()
        strange: list[str] = []
        for name, fields, types in self._found(connection):
            named = table_named(name)
            relation = self._relation(name)
            if named is None or named.part:
                strange.append(name)
            elif named.table in NOT_CARRIED:
                row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
                source.notes.append(
                    f"{named.table} is not carried: {row[0] if row else 0:,} rows left behind"
                )
            elif named.table in source.tables:
                raise JobError(
                    f"both {source.tables[named.table].name} and {name} are {named.table}; leave one"
                )
            else:
                raw = source.tables[named.table] = RawTable()
                raw.add_scan(connection, named.table, name, relation, list(zip(fields, types, strict=True)))
        if strange:
            source.notes.append(f"no CDM table, so left behind: {shortened(strange)}")
        return source

    def _names(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[SourceFile],
        work: Path,
        names: NameColumns,
    ) -> list[NamesPart]:
        self._attach(connection, files)
        tables = self._found(connection)
        parts = [
            scanned_names(names, name, self._relation(name), list(zip(fields, types, strict=True)))
            for name, fields, types in tables
            if is_named(name, names.table)
        ]
        if not parts:
            raise no_such_table(names.table, [name for name, _, _ in tables])
        return parts

    def _attach(self, connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile]) -> None:
        (file,) = files
        try:
            connection.execute(f"ATTACH {quoted(file.path)} AS source (READ_ONLY, TYPE duckdb)")
        except duckdb.Error as error:
            raise JobError(
                f"{file.name} cannot be opened as a DuckDB database ({type(error).__name__}): it is damaged, "
                "encrypted, of a newer version, or another process writes to it"
            ) from None

    def _relation(self, name: str) -> str:
        return f"source.{identifier(self._schema)}.{identifier(name)}"

    def _found(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[str, list[str], list[str]]]:
        with reading("the list of tables"):
            rows = connection.execute(
                "SELECT table_name, list(column_name ORDER BY column_index), "
                "list(data_type ORDER BY column_index) FROM duckdb_columns() "
                "WHERE database_name = 'source' AND schema_name = ? AND table_name IN "
                "(SELECT table_name FROM duckdb_tables() WHERE database_name = 'source' AND schema_name = ?) "
                "GROUP BY 1 ORDER BY 1",
                [self._schema, self._schema],
            ).fetchall()
        if not rows:
            raise JobError(f"the database has no tables in schema {self._schema!r}")
        return [(str(name), list(fields), list(types)) for name, fields, types in rows]
