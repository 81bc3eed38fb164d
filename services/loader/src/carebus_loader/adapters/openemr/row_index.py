"""Which rows of a subject stand at the target, and what they hold: uuid and hash of each, packed.

With it unchanged rows of a changed person are left alone, rows that are gone are found, and edits by
people can be told from what we wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import orjson

from carebus_contracts.errors import ConstraintViolated

RowIndex = dict[str, dict[bytes, bytes]]
"""By write, content hash by uuid."""

_UUID, _HASH = 16, 8
_ENTRY = _UUID + _HASH
_FIRST_CELL = slice(2, 34)


def index_lines(table: str, lines: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the hash of each row by its uuid, which is the first cell.

    Raises:
        ConstraintViolated: A row has no uuid, or two rows have the same.
    """
    try:
        index = {
            bytes.fromhex(line[_FIRST_CELL].decode("ascii")): blake2b(line, digest_size=_HASH).digest()
            for line in lines
        }
    except ValueError:
        raise ConstraintViolated(f"{table}: a row does not begin with a uuid") from None
    if len(index) != len(lines):
        raise ConstraintViolated(f"{table}: two rows have the same uuid")
    return index


def pack_index(index: Mapping[str, Mapping[bytes, bytes]]) -> bytes:
    """Write an index: the number of rows by write as a line of JSON, then uuid and hash of each row.

    Hashes are noise: compressing them costs time and gains nothing.
    """
    head = orjson.dumps({table: len(rows) for table, rows in index.items() if rows})
    body = b"".join(uuid + content for rows in index.values() for uuid, content in rows.items())
    return head + b"\n" + body


def unpack_index(packed: bytes | None) -> RowIndex:
    """Read what ``pack_index`` wrote; nothing gives nothing."""
    if not packed:
        return {}
    head, _, body = packed.partition(b"\n")
    index: RowIndex = {}
    start = 0
    for table, count in orjson.loads(head).items():
        end = start + count * _ENTRY
        index[table] = {
            body[at : at + _UUID]: body[at + _UUID : at + _ENTRY] for at in range(start, end, _ENTRY)
        }
        start = end
    return index
