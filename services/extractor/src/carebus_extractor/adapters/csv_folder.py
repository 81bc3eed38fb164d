"""A folder of delimited files: one file, or several numbered ones, a table; plain, gz or bz2."""

from __future__ import annotations

import bz2
import codecs
import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import CsvFolder
from carebus_contracts.names import NameColumns
from carebus_extractor.adapters.building import RawSource, RawTable, reading, take_rejected
from carebus_extractor.adapters.engine import quoted
from carebus_extractor.adapters.files import SourceFile
from carebus_extractor.adapters.staged_files import StagedFiles
from carebus_extractor.adapters.tables_of_files import files_named, gather
from carebus_extractor.domain.columns import shortened
from carebus_extractor.domain.delimited import Layout, layout_of, layout_with
from carebus_extractor.domain.names_sql import NamesPart, places_of_names
from carebus_extractor.domain.table_names import DELIMITED_SUFFIXES, stem_of, table_named
from carebus_extractor.settings import ExtractorSettings

BLOCK_BYTES = 1024 * 1024
SAMPLE_BYTES = 256 * 1024
LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""Longer lines are counted as malformed; the engine's buffer is as large as the longest line."""


class CsvSource(StagedFiles):
    """Reads a folder of delimited files."""

    kind = "csv"

    def __init__(self, omop: CsvFolder, settings: ExtractorSettings) -> None:
        super().__init__(omop.path, settings, options=omop.delimiter)
        if omop.delimiter not in ("auto", "tab") and len(omop.delimiter) != 1:
            raise JobError(f"omop.delimiter: {omop.delimiter!r} must be one character, 'tab' or 'auto'")
        self._delimiter = omop.delimiter

    def _concerned(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        return [f for f in files if stem_of(PurePosixPath(f.name).name, DELIMITED_SUFFIXES)]

    def _raw(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], work: Path
    ) -> RawSource:
        gathered = gather(files, DELIMITED_SUFFIXES)
        source = RawSource()
        for table, parts in gathered.tables.items():
            raw = source.tables[table] = RawTable(delimited=True)
            for part in parts:
                self._add(connection, raw, table, part, work)
        for table, parts in gathered.not_carried.items():
            lines = sum(_records(connection, open_text(part, work)) for part in parts)
            source.notes.append(f"{table} is not carried: {lines:,} rows left behind")
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
        named = table_named(names.table)
        parts = []
        for file in files_named(files, names.table, DELIMITED_SUFFIXES):
            text = open_text(file, work)
            if named is not None:
                layout = layout_of(named.table, text.sample, self._delimiter)
            else:
                wanted = ("person_id", *names.columns.values())
                layout = layout_with(wanted, text.sample, self._delimiter)
            places = places_of_names(names, file.name, layout.fields)
            strict = _reads_strictly(connection, text, layout)
            if text.odd_quotes and strict:
                _check_quotes(connection, text, layout)
            scan = read_csv(text, layout, strict=strict)
            parts.append(NamesPart(scan, ("VARCHAR",) * len(layout.fields), places))
        return parts

    def _add(
        self,
        connection: duckdb.DuckDBPyConnection,
        raw: RawTable,
        table: str,
        part: SourceFile,
        work: Path,
    ) -> None:
        text = open_text(part, work)
        if not text.sample.strip("\ufeff \t\r\n"):
            raise JobError(
                f"{part.name} is empty, without even a header: give it its header if {table} has no rows, "
                f"remove it to leave {table} alone, or export it again"
            )
        layout = layout_of(table, text.sample, self._delimiter, cut=text.cut)
        strict = _reads_strictly(connection, text, layout)
        for note in (layout.note, text.note, "" if strict else "its line ends differ: read leniently"):
            if note:
                raw.notes.append(f"{part.name}: {note}")
        if text.odd_quotes and strict:
            _check_quotes(connection, text, layout)
        types = ["VARCHAR"] * len(layout.fields)
        raw.add(table, part.name, read_csv(text, layout, strict=strict), layout.fields, types)


@dataclass(frozen=True, slots=True)
class Text:
    """A delimited file that the engine can read, and what a look at all its bytes told."""

    name: str
    path: str
    packed: bool
    """Still gzip, which the engine reads as it goes."""
    sample: str
    cut: bool
    """The file goes on after the sample."""
    odd_quotes: bool
    """A quote somewhere has no partner."""
    mixed_line_ends: bool
    note: str = ""


def open_text(file: SourceFile, work: Path) -> Text:
    """Look at a whole file once, in a stream; write a UTF-8 copy where the engine could not read it.

    Raises:
        JobError: It cannot be read to its end.
    """
    path = Path(file.path)
    with path.open("rb") as head:
        magic = head.read(4)
    packed = "gz" if magic.startswith(b"\x1f\x8b") else "bz2" if magic.startswith(b"BZh") else ""
    with _blocks(path, packed, file.name) as blocks:
        look = _Look()
        for block in blocks:
            look.at(block)
    encoding = look.encoding
    target = path
    if packed == "bz2" or encoding != "utf-8":
        with (
            _blocks(path, packed, file.name) as blocks,
            tempfile.NamedTemporaryFile(dir=work, suffix=".csv", delete=False) as copy,
        ):
            target = Path(copy.name)
            decoder = codecs.getincrementaldecoder(encoding)(errors="carebus-latin-1")
            for block in blocks:
                copy.write(decoder.decode(block).encode())
            copy.write(decoder.decode(b"", final=True).encode())
        packed = ""
    return Text(
        file.name,
        str(target),
        packed == "gz",
        look.sample.decode(encoding, errors="replace"),
        look.size > len(look.sample),
        look.quotes % 2 == 1,
        0 < look.crlf < look.lf,
        "" if encoding == "utf-8" else f"is not UTF-8, read as {encoding}",
    )


def _latin_1(error: UnicodeError) -> tuple[str, int]:
    """Read the five bytes that Windows leaves undefined the way latin-1 does."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("carebus-latin-1", _latin_1)


class _Look:
    """What the bytes of a file tell while they stream by."""

    def __init__(self) -> None:
        self.sample = b""
        self.size = self.quotes = self.lf = self.crlf = 0
        self._utf_8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()

    def at(self, block: bytes) -> None:
        """Take in the next block."""
        if len(self.sample) < SAMPLE_BYTES:
            self.sample += block[: SAMPLE_BYTES - len(self.sample)]
        self.size += len(block)
        self.quotes += block.count(b'"')
        self.lf += block.count(b"\n")
        self.crlf += block.count(b"\r\n")
        if self._utf_8:
            try:
                self._utf_8.decode(block)
            except UnicodeDecodeError:
                self._utf_8 = None

    @property
    def encoding(self) -> str:
        """UTF-8 where all bytes are, else what Windows calls Western."""
        if self.sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        return "utf-8" if self._utf_8 else "cp1252"


@contextmanager
def _blocks(path: Path, packed: str, name: str) -> Iterator[Iterator[bytes]]:
    openers: dict[str, Callable[[Path], Any]] = {"gz": gzip.open, "bz2": bz2.open}
    try:
        with openers[packed](path) if packed else path.open("rb") as stream:
            yield iter(lambda: stream.read(BLOCK_BYTES), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JobError(f"{name} cannot be read: its compressed data end early or are damaged") from error
    except OSError as error:
        why = error.strerror or "its compressed data are damaged"
        raise JobError(f"{name} cannot be read: {why}") from error


def read_csv(text: Text, layout: Layout, *, strict: bool) -> str:
    """Return the SQL that scans a file as text; lines that are no rows go to the table of rejects."""
    columns = ", ".join(f"'r{n}': 'VARCHAR'" for n in range(len(layout.fields)))
    return (
        f"read_csv({quoted(text.path)}, delim={quoted(layout.delimiter)}, quote='\"', escape='\"', "
        f"header=false, skip=1, columns={{{columns}}}, auto_detect=false, strict_mode={strict}, "
        f"ignore_errors=true, store_rejects=true, rejects_limit=0, parallel=false, "
        f"compression='{'gzip' if text.packed else 'none'}', "
        f"max_line_size={LONGEST_LINE_BYTES}, buffer_size={LONGEST_LINE_BYTES})"
    )


def _reads_strictly(connection: duckdb.DuckDBPyConnection, text: Text, layout: Layout) -> bool:
    """Say whether the engine's strict reader understands the file; it refuses mixed line ends."""
    if not text.mixed_line_ends:
        return True
    try:
        _counted(connection, read_csv(text, layout, strict=True))
    except duckdb.InvalidInputException:
        return False
    return True


def _check_quotes(connection: duckdb.DuckDBPyConnection, text: Text, layout: Layout) -> None:
    """See that no quote swallows the rest of the file, which the engine would not mention.

    Raises:
        JobError: One does.
    """
    with reading(text.name):
        strict = _counted(connection, read_csv(text, layout, strict=True))
        lenient = _counted(connection, read_csv(text, layout, strict=False))
    if lenient > strict:
        raise JobError(f"{text.name} cannot be read: a quote is opened and never closed")


def _counted(connection: duckdb.DuckDBPyConnection, scan: str) -> int:
    """Return the number of rows and of rejected lines."""
    row = connection.execute(f"SELECT count(*) FROM {scan}").fetchone()
    return (row[0] if row else 0) + take_rejected(connection)


def _records(connection: duckdb.DuckDBPyConnection, text: Text) -> int:
    """Return the number of rows of a file whose columns do not matter."""
    with reading(text.name):
        return _counted(connection, read_csv(text, Layout(",", (None,)), strict=False))
