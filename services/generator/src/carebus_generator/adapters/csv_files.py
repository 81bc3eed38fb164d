"""One CSV file a table of OMOP CDM 5.4, with a header; RFC 4180, UTF-8, lines end in LF, null is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_generator.adapters.folders import Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import Packing
from carebus_generator.adapters.sinks import ChunkFiles
from carebus_generator.adapters.writing import PARTS, in_order_of_tables, joined, moved, piece, table_files
from carebus_generator.domain.omop import Surroundings
from carebus_generator.domain.omop.columns import Table
from carebus_generator.domain.omop.references import reference_tables
from carebus_generator.domain.text import CSV, csv_value, row_pieces, written


class CsvFiles:
    """Writes the tables of persons chunk by chunk, and the others at the end."""

    def __init__(self, folder: Folder, packing: Packing, surroundings: Surroundings) -> None:
        self._folder = folder
        self._packing = packing
        self._surroundings = surroundings

    @contextmanager
    def writing(self, number: int, pieces: list[Piece]) -> Iterator[ChunkFiles]:
        """Write the chunk's rows of each table; the first chunk has the headers, and all tables."""

        @contextmanager
        def file(name: str) -> Iterator[Callable[[Table], None]]:
            with piece(
                self._folder, f"{PARTS}/{name}/{number:06d}", self._packing, pieces, table=name
            ) as write:
                if not number:
                    write(",".join(PERSON_TABLES[name].columns).encode() + b"\n")

                def take(table: Table) -> None:
                    for text in written([*row_pieces(table.columns.values(), CSV), b"\n"], 0, len(table)):
                        write(text)

                yield take

        with table_files(file, every_table=not number) as take_rows:
            yield ChunkFiles(rows=take_rows)
        in_order_of_tables(pieces)

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Put the parts of each table together, and write the tables that belong to no person."""
        files: list[Piece] = []
        places: dict[str, Piece] = {}
        for name in PERSON_TABLES:
            parts = [p for chunk in chunks for p in chunk.pieces if p.table == name]
            if parts:
                file, found = joined(self._folder, self._name(name), parts, table=name)
                files.append(file)
                places |= found
        for name, rows in reference_tables(self._surroundings).items():
            with piece(self._folder, self._name(name), self._packing, files, table=name) as write:
                lines = [[c.encode() for c in REFERENCE_TABLES[name].columns]]
                lines += [[csv_value(cell) for cell in row] for row in rows]
                write(b"".join(b",".join(line) + b"\n" for line in lines))
        return files, moved(chunks, places)

    def tidy(self) -> None:
        """Remove the parts."""
        self._folder.remove(PARTS)

    def _name(self, table: str) -> str:
        return f"{table}.csv{self._packing.suffix}"
