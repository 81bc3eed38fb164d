"""Bundles as text: a line a patient in a file a chunk, or one JSON array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat

from carebus_generator.adapters.folders import Folder
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.adapters.packing import Packing
from carebus_generator.adapters.sinks import ChunkFiles
from carebus_generator.adapters.writing import PARTS, joined, moved, piece


class NdjsonFiles:
    """One bundle a line, the same bytes as in ``carebus.omop.records.v1``; a file a chunk."""

    def __init__(self, folder: Folder, packing: Packing) -> None:
        self._folder = folder
        self._packing = packing

    @contextmanager
    def writing(self, number: int, pieces: list[Piece]) -> Iterator[ChunkFiles]:
        """Write the file of a chunk."""
        name = f"patients-{number:06d}.ndjson{self._packing.suffix}"
        with piece(self._folder, name, self._packing, pieces) as write:
            yield ChunkFiles(bundles=lambda block: write(b"\n".join(block) + b"\n"))

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Leave the files as they are."""
        return [p for chunk in chunks for p in chunk.pieces], list(chunks)

    def tidy(self) -> None:
        """Nothing is left over."""


class JsonFiles:
    """One array of all bundles, a line each."""

    def __init__(self, folder: Folder, packing: Packing) -> None:
        self._folder = folder
        self._packing = packing

    @contextmanager
    def writing(self, number: int, pieces: list[Piece]) -> Iterator[ChunkFiles]:
        """Write the chunk's part of the array."""
        between = chain([b",\n" if number else b"[\n"], repeat(b",\n"))
        with piece(self._folder, f"{PARTS}/{number:06d}", self._packing, pieces) as write:
            yield ChunkFiles(bundles=lambda block: write(next(between) + b",\n".join(block)))

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Put the parts together, and close the array."""
        closing: list[Piece] = []
        with piece(self._folder, f"{PARTS}/closing", self._packing, closing) as write:
            write(b"\n]\n")
        parts = [p for chunk in chunks for p in chunk.pieces]
        file, places = joined(self._folder, f"patients.json{self._packing.suffix}", parts + closing)
        return [file], moved(chunks, places)

    def tidy(self) -> None:
        """Remove the parts."""
        self._folder.remove(PARTS)
