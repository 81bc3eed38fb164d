"""Data sets in files read back: as the bundles that they were made from, whatever their format."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from carebus_contracts.errors import JobError
from carebus_generator.adapters.folders import Folder, folder_at
from carebus_generator.adapters.manifests import MANIFEST, ChunkRecord, Manifest, Piece, read_manifest
from carebus_generator.adapters.packing import Packing, unpacked

READ_BYTES = 256 * 1024

Read = tuple[ChunkRecord, Iterator[list[bytes]]]
"""A chunk, and its bundles some at a time."""


class DataSetFiles:
    """A complete data set."""

    def __init__(self, folder: Folder, manifest: Manifest, packing: Packing) -> None:
        self.folder = folder
        self.manifest = manifest
        self._packing = packing

    @classmethod
    def at(cls, url: str, key_file: Path | None = None) -> DataSetFiles:
        """Return the data set of a folder, or of a manifest in it.

        Raises:
            JobError: There is no manifest, or the files are encrypted and the key is missing or another.
        """
        above, _, name = url.rpartition("/")
        folder, manifest = (
            (folder_at(above or "."), name) if name.endswith(".json") else (folder_at(url), MANIFEST)
        )
        found = read_manifest(folder, manifest)
        key = None
        if found.key_id is not None:
            from carebus_generator.adapters.encryption import Key  # noqa: PLC0415 - 6 MB

            if key_file is None:
                raise JobError(f"{url} is encrypted; name the file of its key with --key-file")
            key = Key.read(key_file)
            if key.id.hex() != found.key_id:
                raise JobError(f"{url} was encrypted with another key than that of {key_file}")
        return cls(folder, found, Packing(found.compression, key))

    def chunks(self, wanted: Sequence[ChunkRecord] | None = None) -> Iterator[Read]:
        """Yield all chunks in order, or those wanted; take the bundles of one before the next.

        Raises:
            JobError: Files are missing, changed or cut.
        """
        chunks = self.manifest.chunks if wanted is None else wanted
        match self.manifest.format:
            case "ndjson":
                for chunk in chunks:
                    yield chunk, self._lines(chunk)
            case "json":
                for chunk in chunks:
                    yield chunk, self._entries(chunk)
            case "csv" | "parquet":
                # imported here only: pyarrow alone takes 60 MB
                from carebus_generator.adapters.table_files import (  # noqa: PLC0415
                    bundle_writer,
                    bundles_of_tables,
                )

                writer = bundle_writer(self)
                for chunk in chunks:
                    yield chunk, bundles_of_tables(self, chunk, writer)

    @contextmanager
    def text(self, piece: Piece) -> Iterator[BinaryIO]:
        """Open the text of some bytes of a file."""
        with self.folder.open(piece.path) as file:
            file.seek(piece.offset)
            below = cast(BinaryIO, io.BufferedReader(_Window(file, piece.bytes), READ_BYTES))
            with unpacked(below, self._packing, piece.path) as text:
                yield text

    def _lines(self, chunk: ChunkRecord) -> Iterator[list[bytes]]:
        for piece in chunk.pieces:
            with self.text(piece) as text:
                yield from _blocks(line.removesuffix(b"\n") for line in text)

    def _entries(self, chunk: ChunkRecord) -> Iterator[list[bytes]]:
        for piece in chunk.pieces:
            with self.text(piece) as text:
                lines = (line.removesuffix(b"\n").removesuffix(b",") for line in text)
                yield from _blocks(line for line in lines if line not in {b"", b"["})


class _Window(io.RawIOBase):
    """The next bytes of a file, as a file of its own."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as the bytes go."""
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


_BLOCK = 200


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    for line in lines:
        block.append(line)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block
