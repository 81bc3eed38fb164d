"""Pieces of files: written packed, and put behind each other as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import BinaryIO

from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_generator.adapters.folders import COPY_BYTES, Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import Hashed, Packing, packed
from carebus_generator.domain.omop import OmopChunk
from carebus_generator.domain.omop.columns import Table

PARTS = ".parts"
"""Folder of pieces that are to be put together."""


@contextmanager
def piece(
    folder: Folder, name: str, packing: Packing, found: list[Piece], *, table: str | None = None
) -> Iterator[Callable[[bytes], object]]:
    """Give a function that writes text to a new file; the piece is appended to ``found`` at the end."""
    with folder.new(name) as file:
        hashed = Hashed(file)
        with packed(hashed, packing) as write:
            yield write
    found.append(Piece(path=name, bytes=hashed.bytes, sha256=hashed.sha256, table=table))


TableFile = Callable[[str], AbstractContextManager[Callable[[Table], None]]]
"""Opens the file of a table, and gives what takes its rows."""


@contextmanager
def table_files(file: TableFile, *, every_table: bool) -> Iterator[Callable[[OmopChunk], None]]:
    """Give what takes the rows of patients, in a file a table that is open until the end of the block.

    Args:
        file: Opens one.
        every_table: Also those that have no rows.
    """
    takers: dict[str, Callable[[Table], None]] = {}
    with ExitStack() as files:

        def take(part: OmopChunk) -> None:
            for name, table in part.tables.items():
                if name not in takers and (len(table) or every_table):
                    takers[name] = files.enter_context(file(name))
                if len(table):
                    takers[name](table)

        yield take


def in_order_of_tables(pieces: list[Piece]) -> None:
    """Sort pieces as OMOP's tables are; they are finished in another order."""
    places = [*PERSON_TABLES]
    pieces.sort(key=lambda one: places.index(one.table or ""))


def joined(
    folder: Folder, name: str, pieces: Sequence[Piece], *, table: str | None = None
) -> tuple[Piece, dict[str, Piece]]:
    """Put pieces into one file.

    Returns:
        The file, and where each piece is in it, by its path before.
    """
    places = {}
    with folder.new(name) as file:
        hashed = Hashed(file)
        for part in pieces:
            places[part.path] = part.model_copy(update={"path": name, "offset": hashed.bytes})
            with folder.open(part.path) as source:
                _copy(source, hashed)
    return Piece(path=name, bytes=hashed.bytes, sha256=hashed.sha256, table=table), places


def moved(chunks: Sequence[ChunkRecord], places: dict[str, Piece]) -> list[ChunkRecord]:
    """Return chunks with the new places of their pieces."""
    return [
        chunk.model_copy(update={"pieces": tuple(places.get(p.path, p) for p in chunk.pieces)})
        for chunk in chunks
    ]


def _copy(source: BinaryIO, target: Hashed) -> None:
    while block := source.read(COPY_BYTES):
        target.write(block)
