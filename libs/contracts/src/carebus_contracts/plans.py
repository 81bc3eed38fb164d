"""Plans: what a target is to hold about one subject. The loader owns SQL; a plan has none.

The rows of a plan are written one a line and sorted, which makes them comparable by bytes. On the
hot path nobody makes an object of a row: ``encode_plan`` takes row text, ``read_plan`` leaves it raw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import orjson
from pydantic import Field

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.model import WireModel
from carebus_contracts.versions import content_hash

Cell = str | int | float | bool | None
WriteKind = Literal["replace_scope", "upsert", "tombstone"]
ALL_SUBJECTS = "*"
"""Subject of a retired source: every subject of it that is older than the plan."""
ALL_PERSONS = "person/*"
"""Subject of vanished persons: every person of a source of whom nothing is as new as the plan."""


class TableWrite(WireModel):
    """What one table is to hold about the subject.

    ``replace_scope``: exactly these rows, all others of the subject go. ``upsert``: these rows among
    others, row by row; only for rows that belong to no person. ``tombstone``: none, for good.
    """

    kind: WriteKind
    table: str
    hash: str = Field(description="content_hash of columns and rows; equal means there is nothing to do.")
    count: int
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    of: dict[str, int] = Field(
        default_factory=dict,
        description="Source rows in here by OMOP table; empty means ``count`` rows of ``table``. A source row is "
        "counted in one write: rows that are there because of those of another have 0.",
    )


class SharedRow(WireModel):
    """A row that belongs to no person and that rows of a plan refer to by its uuid.

    It is a statement about a subject of its own, with the version of the plan that brings it.
    """

    subject: str = Field(description="provider/<id> or care_site/<id>.")
    write: TableWrite


class DmlPlan(WireModel):
    """All writes of one subject at one target."""

    target: str
    source: str
    subject: str = Field(
        description="person/<id>, <table>/<chunk>, * for the whole source, or person/* for the persons of whom nothing "
        "is as new as the plan."
    )
    writes: tuple[TableWrite, ...]
    not_mapped: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Source rows that became nothing here, by table and reason."
    )
    lacking: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Of these the rows that a mapping of their concept would have placed, by table and concept.",
    )
    match: str = Field(
        default="",
        description="The number by which a target may know this person: PERSON.person_source_value.",
    )
    of_job: str = Field(default="", description="With subject *: only subjects that this job wrote last.")
    files: dict[str, str] = Field(
        default_factory=dict, description="Contents of the files that rows tell of, by uuid of the row."
    )
    refers: tuple[SharedRow, ...] = Field(
        default=(),
        description="Rows of other subjects that rows in here refer to; those come first that others refer to.",
    )


class PlannedTable(msgspec.Struct, frozen=True, gc=False):
    """A write with its rows still text; the fields are those of ``TableWrite``."""

    kind: WriteKind
    table: str
    hash: str
    count: int
    columns: tuple[str, ...] = ()
    rows: msgspec.Raw = msgspec.Raw(b"[]")
    of: dict[str, int] = {}

    @property
    def source_rows(self) -> dict[str, int]:
        """Source rows in here by OMOP table."""
        return self.of or {self.table: self.count}

    def lines(self) -> list[bytes]:
        """Each row as JSON text ``[...]``.

        ``encode_plan`` writes a row a line, and JSON text has no bare newline, so splitting is safe
        where the number of lines is the number of rows; any other layout is parsed.
        """
        if not self.count:
            return []
        text = bytes(memoryview(self.rows))
        lines = text[2:-2].split(b",\n")
        if len(lines) == self.count and text[:2] == b"[\n" and text[-2:] == b"\n]":
            return lines
        return [orjson.dumps(row) for row in self.records()]

    def records(self) -> list[list[Any]]:
        """The rows as lists of cells."""
        rows: list[list[Any]] = orjson.loads(memoryview(self.rows))
        if len(rows) != self.count or any(len(row) != len(self.columns) for row in rows):
            raise InvalidMessage(f"{self.table}: rows do not fit count and columns")
        return rows


class PlannedShare(msgspec.Struct, frozen=True, gc=False):
    """A row of another subject; the fields are those of ``SharedRow``."""

    subject: str
    write: PlannedTable


class ReadPlan(msgspec.Struct, frozen=True):
    """A plan as loaders read it; the fields are those of ``DmlPlan``."""

    target: str
    source: str
    subject: str
    writes: tuple[PlannedTable, ...]
    not_mapped: dict[str, dict[str, int]] = {}
    lacking: dict[str, dict[str, int]] = {}
    match: str = ""
    of_job: str = ""
    files: dict[str, msgspec.Raw] = {}
    refers: tuple[PlannedShare, ...] = ()

    def file(self, uuid: str) -> bytes | None:
        """Return the file of a row by the row's uuid; None when the plan brings none.

        Raises:
            InvalidMessage: The file is no text.
        """
        if (text := self.files.get(uuid)) is None:
            return None
        try:
            return msgspec.json.decode(text, type=str).encode()
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeEncodeError):
            raise InvalidMessage("files: a file is no text") from None

    @property
    def retires(self) -> bool:
        """Whether the plan is about all subjects, or all persons, of a source."""
        return self.subject in (ALL_SUBJECTS, ALL_PERSONS)

    @property
    def person_id(self) -> int | None:
        """The person, when the subject is one."""
        kind, _, key = self.subject.partition("/")
        return int(key) if kind == "person" and not self.retires else None


_DECODER = msgspec.json.Decoder(ReadPlan)


def read_plan(value: bytes) -> ReadPlan:
    """Read a plan without making objects of its rows.

    Raises:
        InvalidMessage: The bytes are no plan; the text names the place, never a value.
    """
    try:
        return _DECODER.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec's texts name types and paths, and a value only where it is none of an enumeration.
        raise InvalidMessage(re.sub(r"value .* - at ", "value - at ", str(error), flags=re.DOTALL)) from None


def encode_write(
    table: str,
    columns: Sequence[str],
    lines: Sequence[bytes],
    *,
    kind: WriteKind = "replace_scope",
    of: Mapping[str, int] | None = None,
) -> bytes:
    """Write what a table is to hold from rows that are JSON text already, in their final order.

    ``of`` says which source rows these are, for the account; the hash is of the rows alone.
    """
    head = _head(table, tuple(columns))
    rows = b"[\n%b\n]" % b",\n".join(lines) if lines else b"[]"
    digest = content_hash(head, rows)
    return b'{"kind":"%b","hash":"%b","count":%d,%b,"rows":%b%b}' % (
        kind.encode(),
        digest.encode(),
        len(lines),
        head,
        rows,
        b',"of":%b' % orjson.dumps(of) if of else b"",
    )


def encode_plan(
    *,
    target: str,
    source: str,
    subject: str,
    writes: Sequence[bytes],
    not_mapped: Mapping[str, Mapping[str, int]] | None = None,
    lacking: Mapping[str, Mapping[str, int]] | None = None,
    match: str = "",
    files: Mapping[str, str] | None = None,
    refers: Sequence[bytes] = (),
) -> bytes:
    """Write a plan from the text of its writes (see ``encode_write``); it is the same for all warehouses.

    ``refers`` are rows of other subjects, from ``encode_shared``.
    """
    tail = b',"not_mapped":%b' % orjson.dumps(not_mapped) if not_mapped else b""
    if lacking:
        tail += b',"lacking":%b' % orjson.dumps(lacking)
    if match:
        tail += b',"match":%b' % orjson.dumps(match)
    if files:
        tail += b',"files":%b' % orjson.dumps(files)
    if refers:
        tail += b',"refers":[%b]' % b",".join(refers)
    return b'{"target":"%b","source":"%b","subject":"%b","writes":[%b]%b}' % (
        target.encode(),
        source.encode(),
        subject.encode(),
        b",".join(writes),
        tail,
    )


def encode_shared(subject: str, write: bytes) -> bytes:
    """Write a row of another subject from the text of its write (see ``encode_write``)."""
    return b'{"subject":%b,"write":%b}' % (orjson.dumps(subject), write)


_HEADS: dict[tuple[str, tuple[str, ...]], bytes] = {}


def _head(table: str, columns: tuple[str, ...]) -> bytes:
    if (head := _HEADS.get((table, columns))) is None:
        head = b'"table":%b,"columns":%b' % (orjson.dumps(table), orjson.dumps(columns))
        _HEADS[table, columns] = head
    return head
