"""Parquet files in a folder a table of OMOP CDM 5.4, one a chunk; columns have the CDM's types."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_generator.adapters.arrow_columns import arrow_column, arrow_schema
from carebus_generator.adapters.folders import Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import WRITE_BYTES, Packing
from carebus_generator.adapters.sinks import ChunkFiles
from carebus_generator.adapters.writing import in_order_of_tables, piece, table_files
from carebus_generator.domain.omop import Surroundings
from carebus_generator.domain.omop.columns import Table
from carebus_generator.domain.omop.references import reference_tables


class ParquetFiles:
    """Writes the tables of persons chunk by chunk, and the others at the end.

    The same rows give the same values; the bytes also depend on the version of pyarrow.
    """

    def __init__(self, folder: Folder, packing: Packing, surroundings: Surroundings) -> None:
        self._folder = folder
        self._packing = packing
        self._surroundings = surroundings

    @contextmanager
    def writing(self, number: int, pieces: list[Piece]) -> Iterator[ChunkFiles]:
        """Write a file for each table that has rows; the first chunk has all tables."""

        @contextmanager
        def file(name: str) -> Iterator[Callable[[Table], None]]:
            schema = arrow_schema(PERSON_TABLES[name])
            with self._file(f"{name}/part-{number:06d}", schema, pieces, name) as writer:

                def take(table: Table) -> None:
                    arrays = [
                        arrow_column(column, len(table), schema.field(place).type)
                        for place, column in enumerate(table.columns.values())
                    ]
                    writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

                yield take

        with table_files(file, every_table=not number) as take_rows:
            yield ChunkFiles(rows=take_rows)
        in_order_of_tables(pieces)

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Write the tables that belong to no person."""
        files = [p for chunk in chunks for p in chunk.pieces]
        for name, rows in reference_tables(self._surroundings).items():
            schema = arrow_schema(REFERENCE_TABLES[name])
            with self._file(f"{name}/part-000000", schema, files, name) as writer:
                writer.write_table(pa.Table.from_pylist([row._asdict() for row in rows], schema=schema))
        return files, list(chunks)

    def tidy(self) -> None:
        """Nothing is left over."""

    @contextmanager
    def _file(self, path: str, schema: Any, pieces: list[Piece], name: str) -> Iterator[Any]:
        path = f"{path}.parquet{self._packing.suffix}"
        with piece(self._folder, path, self._packing, pieces, table=name) as write:
            # pyarrow writes some hundred bytes at a time
            below = io.BufferedWriter(_Written(write), WRITE_BYTES)
            rising = [field.name for field in schema if _rises(field)]
            with pq.ParquetWriter(
                below,
                schema,
                compression="zstd",
                compression_level=1,
                store_schema=False,
                use_dictionary=[name for name in schema.names if name not in rising],
                column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
            ) as writer:
                yield writer
            below.flush()


def _rises(field: Any) -> bool:
    """Whether a column rises with the patients: ids, days and times.

    Written as differences these take half the room, and two thirds of the time.
    """
    if pa.types.is_integer(field.type):
        return str(field.name).endswith("_id") and not str(field.name).endswith("_concept_id")
    return bool(pa.types.is_temporal(field.type))


class _Written(io.RawIOBase):
    """A function that takes bytes, as a file that knows where it is."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._bytes = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Pass bytes on."""
        self._write(bytes(data))
        self._bytes += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how many there were."""
        return self._bytes
