"""Which rows of a subject stand at the target, and what they hold: uuid and two hashes of each, packed.

The first hash is of the row's text in its plan: with it unchanged rows of a changed person are left alone,
and rows that are gone are found. The second is of the row as the database shows it (``as_written``):
with it edits by people are told from what we wrote.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from carebus_contracts.errors import ConstraintViolated

_UUID, _HASH = 16, 8
_ENTRY = _UUID + 2 * _HASH
_FIRST_CELL = slice(2, 34)
UNKNOWN = bytes(_HASH)
"""Second hash of a row that people had changed when we last would have written it."""


class IndexedRows(dict[bytes, bytes]):
    """Both hashes of each row of one write, by uuid."""

    def __init__(self, rows: Any = (), columns: tuple[str, ...] = ()) -> None:
        super().__init__(rows)
        self.columns = columns
        """Columns of the plan that was written, ``uuid`` first."""


RowIndex = dict[str, IndexedRows]
"""By write."""


def index_lines(table: str, lines: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the hash of each row's text by its uuid, which is the first cell.

    Raises:
        ConstraintViolated: A row has no uuid, or two rows have the same.
    """
    try:
        index = {unhexlify(line[_FIRST_CELL]): blake2b(line, digest_size=_HASH).digest() for line in lines}
    except ValueError:
        raise ConstraintViolated(f"{table}: a row does not begin with a uuid") from None
    if len(index) != len(lines):
        raise ConstraintViolated(f"{table}: two rows have the same uuid")
    return index


def text_hash(entry: bytes) -> bytes:
    """Return the hash of the row's text in its plan."""
    return entry[:_HASH]


def written_hash(entry: bytes) -> bytes:
    """Return the hash of the row's cells as they were written."""
    return entry[_HASH:]


def pack_index(index: Mapping[str, IndexedRows]) -> bytes:
    """Write an index: the number of rows and the columns by write as a line of JSON, then the entries.

    Hashes are noise: compressing them costs time and gains nothing.
    """
    head = orjson.dumps({table: [len(rows), ",".join(rows.columns)] for table, rows in index.items() if rows})
    body = b"".join(uuid + entry for rows in index.values() for uuid, entry in rows.items())
    return head + b"\n" + body


def unpack_index(packed: bytes | None) -> RowIndex:
    """Read what ``pack_index`` wrote; nothing gives nothing."""
    if not packed:
        return {}
    head, _, body = packed.partition(b"\n")
    index: RowIndex = {}
    start = 0
    for table, (count, columns) in orjson.loads(head).items():
        end = start + count * _ENTRY
        rows = {body[at : at + _UUID]: body[at + _UUID : at + _ENTRY] for at in range(start, end, _ENTRY)}
        index[table] = IndexedRows(rows, tuple(columns.split(",")) if columns else ())
        start = end
    return index
