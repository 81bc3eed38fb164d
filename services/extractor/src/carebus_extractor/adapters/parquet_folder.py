"""A folder of Parquet: one file, or one folder of parts, a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import duckdb

from carebus_contracts.jobs import ParquetFolder
from carebus_contracts.names import NameColumns
from carebus_extractor.adapters.building import RawSource, RawTable, reading
from carebus_extractor.adapters.engine import quoted
from carebus_extractor.adapters.files import SourceFile
from carebus_extractor.adapters.names import scanned_names
from carebus_extractor.adapters.staged_files import StagedFiles
from carebus_extractor.adapters.tables_of_files import files_named, gather
from carebus_extractor.domain.columns import shortened
from carebus_extractor.domain.names_sql import NamesPart
from carebus_extractor.domain.table_names import PARQUET_SUFFIXES, stem_of
from carebus_extractor.settings import ExtractorSettings


class ParquetSource(StagedFiles):
    """Reads a folder of Parquet."""

    kind = "parquet"

    def __init__(self, omop: ParquetFolder, settings: ExtractorSettings) -> None:
        super().__init__(omop.path, settings)

    def _concerned(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        return [f for f in files if stem_of(PurePosixPath(f.name).name, PARQUET_SUFFIXES)]

    def _raw(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], work: Path
    ) -> RawSource:
        gathered = gather(files, PARQUET_SUFFIXES)
        source = RawSource()
        for table, parts in gathered.tables.items():
            raw = RawTable()
            for schema, paths in _by_schema(connection, parts).items():
                raw.add_scan(connection, table, parts[0].name, _scan(paths), schema)
            source.tables[table] = raw
        for table, parts in gathered.not_carried.items():
            with reading(parts[0].name):
                row = connection.execute(f"SELECT count(*) FROM {_scan([p.path for p in parts])}").fetchone()
            source.notes.append(f"{table} is not carried: {row[0] if row else 0:,} rows left behind")
        if gathered.strange:
            source.notes.append(f"no CDM table, so left behind: {shortened(gathered.strange)}")
        return source

    def _names(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[SourceFile],
        work: Path,
        names: NameColumns,
    ) -> list[NamesPart]:
        parts = files_named(files, names.table, PARQUET_SUFFIXES)
        return [
            scanned_names(names, parts[0].name, _scan(paths), schema)
            for schema, paths in _by_schema(connection, parts).items()
        ]


def _by_schema(
    connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile]
) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """Group the parts of a table by the names and types of their columns."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for file in files:
        with reading(file.name):
            schema = tuple(
                (str(name), str(kind))
                for name, kind, *_ in connection.execute(f"DESCRIBE FROM {_scan([file.path])}").fetchall()
            )
        found.setdefault(schema, []).append(file.path)
    return found


def _scan(paths: Sequence[str]) -> str:
    return f"read_parquet([{', '.join(map(quoted, paths))}], binary_as_string=true, hive_partitioning=false)"
