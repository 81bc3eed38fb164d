"""Parquet files in a folder a table of OMOP CDM 5.4, one a chunk; columns have the CDM's types."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_generator.adapters.arrow_columns import arrow_column, arrow_schema
from carebus_generator.adapters.folders import Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import Packing
from carebus_generator.adapters.sinks import Blocks
from carebus_generator.adapters.writing import piece
from carebus_generator.domain.omop import OmopChunk, Surroundings
from carebus_generator.domain.omop.references import reference_tables


class ParquetFiles:
    """Writes the tables of persons chunk by chunk, and the others at the end.

    The same rows give the same values; the bytes also depend on the version of pyarrow.
    """

    def __init__(self, folder: Folder, packing: Packing, surroundings: Surroundings) -> None:
        self._folder = folder
        self._packing = packing
        self._surroundings = surroundings

    def write(self, number: int, chunk: OmopChunk, blocks: Blocks) -> list[Piece]:
        """Write a file for each table that has rows; the first chunk has all tables."""
        pieces: list[Piece] = []
        for name, table in chunk.tables.items():
            if not len(table) and chunk.first:
                continue
            schema = arrow_schema(PERSON_TABLES[name])
            arrays = [
                arrow_column(column, len(table), schema.field(place).type)
                for place, column in enumerate(table.columns.values())
            ]
            path = f"{name}/part-{number:06d}.parquet{self._packing.suffix}"
            self._write(path, pa.Table.from_arrays(arrays, schema=schema), pieces, name)
        for _ in blocks:
            pass  # only their hash is wanted here
        return pieces

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Write the tables that belong to no person."""
        files = [p for chunk in chunks for p in chunk.pieces]
        for name, rows in reference_tables(self._surroundings).items():
            schema = arrow_schema(REFERENCE_TABLES[name])
            table = pa.Table.from_pylist([row._asdict() for row in rows], schema=schema)
            self._write(f"{name}/part-000000.parquet{self._packing.suffix}", table, files, name)
        return files, list(chunks)

    def tidy(self) -> None:
        """Nothing is left over."""

    def _write(self, path: str, table: Any, pieces: list[Piece], name: str) -> None:
        # a chunk of a table is a few megabytes packed
        packed = io.BytesIO()
        pq.write_table(table, packed, compression="zstd", compression_level=1, store_schema=False)
        with piece(self._folder, path, self._packing, pieces, table=name) as write:
            write(packed.getvalue())
