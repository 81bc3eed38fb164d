"""A data set as files: chunks in any order and by any worker, put together when all are there.

A chunk is done when its record is there, which is written after its files. So who is killed leaves
nothing that counts, and doing a chunk again replaces the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from carebus_contracts.errors import InvalidMessage, JobError
from carebus_generator.adapters.folders import Folder, folder_at
from carebus_generator.adapters.manifests import (
    MANIFEST,
    RECORDS,
    ChunkRecord,
    Format,
    MadeFrom,
    Manifest,
    Piece,
    read_manifest,
)
from carebus_generator.adapters.packing import Packing
from carebus_generator.domain.digest import added, data_set_hash
from carebus_generator.domain.omop import OmopChunk, Surroundings

Beside = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """The files of a chunk, while it is written: what they take, a few patients at a time."""

    rows: Callable[[OmopChunk], object] = lambda _: None
    bundles: Callable[[Sequence[bytes]], object] = lambda _: None


class Layout(Protocol):
    """How chunks become files."""

    def writing(self, number: int, pieces: list[Piece]) -> AbstractContextManager[ChunkFiles]:
        """Open the files of a chunk; at the end of the block they are there, and in ``pieces``.

        Raises:
            JobError: They cannot be written.
        """

    def finish(self, chunks: Sequence[ChunkRecord]) -> tuple[list[Piece], list[ChunkRecord]]:
        """Put files together; return all of them, and the chunks with their final places."""

    def tidy(self) -> None:
        """Remove what is no longer needed; the manifest is there."""


class ChunkInWork:
    """A chunk that is written: rows of some of its patients, then their bundles, until all are there.

    Memory is that of what is given at a time. Where the chunk is done already, nothing is written.
    """

    def __init__(self, files: ChunkFiles) -> None:
        self._files = files
        self.counts: Counter[str] = Counter()
        self.digests: list[str] = []
        self.record: ChunkRecord
        """There at the end."""

    def rows(self, part: OmopChunk) -> None:
        """Take the rows of the next patients."""
        self.counts.update(part.counts)
        self._files.rows(part)

    def bundles(self, block: Sequence[bytes], digest: str) -> None:
        """Take the next bundles of these patients, and their part of the data-set hash."""
        self.digests.append(digest)
        self._files.bundles(block)


class Sink:
    """Writes one data set to one folder."""

    def __init__(
        self, folder: Folder, made_from: MadeFrom, form: Format, packing: Packing, layout: Layout
    ) -> None:
        self._folder = folder
        self._made_from = made_from
        self._format: Format = form
        self._packing = packing
        self._layout = layout

    @contextmanager
    def writing(self, number: int, first: int, patients: int) -> Iterator[ChunkInWork]:
        """Write a chunk, and its record at the end of the block; a chunk that is done is left as it is.

        Args:
            number: The chunk's number, from 0.
            first: Index of its first patient.
            patients: How many it has.

        Raises:
            JobError: It cannot be written.
        """
        if done := self._done(number, first, patients):
            chunk = ChunkInWork(ChunkFiles())
            chunk.record = done
            yield chunk
            return
        pieces: list[Piece] = []
        with self._layout.writing(number, pieces) as files:
            chunk = ChunkInWork(files)
            yield chunk
        chunk.record = ChunkRecord(
            chunk=number,
            first=first,
            patients=patients,
            counts=dict(chunk.counts),
            digest=added(chunk.digests),
            pieces=tuple(pieces),
            fingerprint=self._fingerprint,
        )
        with self._folder.new(_record_name(number)) as file:
            file.write(chunk.record.to_json())

    def _done(self, number: int, first: int, patients: int) -> ChunkRecord | None:
        """Return the record of a chunk that is done.

        Files of a finished chunk are never written again: encrypted ones would have other bytes.
        """
        found: ChunkRecord | None = None
        if self._folder.has(_record_name(number)):
            found = self._record(_record_name(number))
        elif manifest := self.finished():
            found = next((record for record in manifest.chunks if record.chunk == number), None)
        else:
            return None
        if found is None or (found.first, found.patients) != (first, patients):
            raise JobError(
                f"{self._folder.url} holds chunks of another size; go on with that size, or choose an empty folder"
            )
        return found

    def records(self) -> list[ChunkRecord]:
        """Return the chunks that are done, ascending.

        Raises:
            JobError: The folder holds another data set.
        """
        return [self._record(name) for name in self._folder.names(RECORDS)]

    def _record(self, name: str) -> ChunkRecord:
        with self._folder.open(name) as file:
            text = file.read()
        try:
            record = ChunkRecord.from_json(text)
        except InvalidMessage:
            raise JobError(
                f"{name} in {self._folder.url} is damaged; remove it and run again, its chunk is then made anew"
            ) from None
        if record.fingerprint != self._fingerprint:
            raise self._another()
        return record

    def finished(self) -> Manifest | None:
        """Return the manifest, if the data set is complete.

        Raises:
            JobError: The folder holds another data set, or this one in another format.
        """
        if not self._folder.has(MANIFEST):
            return None
        manifest = read_manifest(self._folder)
        same = (manifest.made_from, manifest.format, manifest.compression, manifest.key_id)
        if same != (self._made_from, self._format, self._packing.compression, self._key_id):
            raise self._another()
        return manifest

    def finish(self, records: Sequence[ChunkRecord], beside: Beside = dict) -> Manifest:
        """Put the files together, and write the manifest; done again, it is the same.

        Args:
            records: Of all chunks, in any order; none are needed when the data set is complete.
            beside: Makes files that stand beside the data set and are no part of it, by name.

        Raises:
            JobError: Patients are missing or doubled, or files cannot be written.
        """
        if manifest := self.finished():
            self._tidy()
            return manifest
        chunks = sorted(records, key=lambda record: record.first)
        self._check(chunks)
        files, chunks = self._layout.finish(chunks)
        counts: dict[str, int] = {}
        for record in chunks:
            for table, rows in record.counts.items():
                counts[table] = counts.get(table, 0) + rows
        manifest = Manifest(
            data_set_hash=data_set_hash(self._made_from.patients, added(r.digest for r in chunks)),
            made_from=self._made_from,
            format=self._format,
            compression=self._packing.compression,
            key_id=self._key_id,
            counts=counts,
            files=tuple(files),
            chunks=tuple(record.model_copy(update={"fingerprint": ""}) for record in chunks),
        )
        for name, content in beside().items():
            with self._folder.new(name) as file:
                file.write(content)
        with self._folder.new(MANIFEST) as file:
            file.write(manifest.model_dump_json(exclude_none=True, indent=1).encode() + b"\n")
        self._tidy()
        return manifest

    def _tidy(self) -> None:
        # the records go last: while they are there, somebody may have to come back
        self._layout.tidy()
        self._folder.remove(RECORDS)

    def sweep(self) -> None:
        """Remove what killed writers left behind; only for who knows that nobody writes here now."""
        self._folder.sweep()

    @property
    def _fingerprint(self) -> str:
        """Of the data set and its form: chunks of others do not fit."""
        parts = (self._made_from.fingerprint, self._format, self._packing.compression, self._key_id or "")
        return sha256("\0".join(parts).encode()).hexdigest()

    @property
    def _key_id(self) -> str | None:
        return self._packing.key.id.hex() if self._packing.key else None

    def _check(self, chunks: Sequence[ChunkRecord]) -> None:
        total = self._made_from.patients
        ends = [0, *(record.first + record.patients for record in chunks)]
        starts = [*(record.first for record in chunks), total]
        if gap := next(((end, start) for end, start in zip(ends, starts, strict=True) if end != start), None):
            raise JobError(
                f"the chunks in {self._folder.url} do not fit together at patient {min(gap):,}: were they made "
                "with several chunk sizes? Empty the folder and run again"
            )

    def _another(self) -> JobError:
        return JobError(
            f"{self._folder.url} holds another data set, or this one in another form; choose an empty folder"
        )


def _record_name(number: int) -> str:
    return f"{RECORDS}/{number:06d}.json"


def open_sink(
    url: str, made_from: MadeFrom, surroundings: Surroundings, *, form: Format, packing: Packing
) -> Sink:
    """Return a sink for a folder.

    Raises:
        JobError: The URL cannot be used here.
    """
    folder = folder_at(url)
    layout: Layout
    match form:
        case "ndjson" | "json":
            from carebus_generator.adapters.json_files import JsonFiles, NdjsonFiles  # noqa: PLC0415

            layout = NdjsonFiles(folder, packing) if form == "ndjson" else JsonFiles(folder, packing)
        case "csv":
            from carebus_generator.adapters.csv_files import CsvFiles  # noqa: PLC0415

            layout = CsvFiles(folder, packing, surroundings)
        case "parquet":
            # imported here only: pyarrow alone takes 60 MB
            from carebus_generator.adapters.parquet_files import ParquetFiles  # noqa: PLC0415

            packing = Packing(key=packing.key)  # Parquet compresses by itself, column by column
            layout = ParquetFiles(folder, packing, surroundings)
    return Sink(folder, made_from, form, packing, layout)
