"""Pieces of files: written packed, and put behind each other as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from carebus_generator.adapters.folders import COPY_BYTES, Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import Hashed, Packing, packed

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
