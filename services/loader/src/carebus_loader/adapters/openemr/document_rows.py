"""Rows of documents in OpenEMR's tables: as OpenEMR makes them, and as it marks those that are deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from carebus_loader.adapters.openemr.connection import Session, marks

DOCUMENTS = "documents"
"""The write of a plan, and the table."""
CATEGORY = "CCDA"
"""Name in ``categories`` under which OpenEMR ships a place for these."""
_FACTS = {
    "type": "'file_url'",
    "mimetype": "'text/xml'",
    "storagemethod": "0",
    "path_depth": "1",
    "encrypted": "0",
    "deleted": "0",
    "revision": "NOW()",
}
"""Columns that are the same in every row of ours, set whenever a row is written; as SQL."""
_ONCE = {
    "date": "NOW()",
    "owner": "NULLIF(@carebus_provider, 0)",
    "list_id": "0",
    "encounter_id": "0",
    # Its records are in the chart already. Versions of OpenEMR offer documents of this category with status 1
    # for import, which would make each patient a second time.
    "imported": "1",
    "audit_master_approval_status": "2",
}
"""Columns that are set when a row is made and then left to OpenEMR."""


class Row(NamedTuple):
    """A row that stands."""

    id: int
    deleted: bool
    hash: str
    pid: int
    """Of the folder that its file is in; a person may have given the document to another patient since."""
    file: str
    """Its name."""
    drive: bytes | None


@dataclass(frozen=True, slots=True)
class NewRow:
    """What a row is to say."""

    id: int
    uuid: bytes
    drive: bytes
    pid: int
    url: str
    cells: Mapping[str, object]
    """As the plan says them, by column."""


async def find_category(session: Session) -> int | None:
    """Return the number of the category; None when OpenEMR has none of that name."""
    found = await session.select("SELECT MIN(id) FROM categories WHERE name = %s", (CATEGORY,))
    return None if found[0][0] is None else int(found[0][0])


async def standing_rows(session: Session, uuids: Sequence[bytes], *, lock: bool = False) -> dict[bytes, Row]:
    """Return the rows of documents that have one."""
    if not uuids:
        return {}
    found = await session.select(
        "SELECT uuid, id, deleted, hash, url, drive_uuid FROM documents FORCE INDEX (uuid) "
        f"WHERE uuid IN ({marks(uuids)}) ORDER BY uuid {'FOR UPDATE' if lock else ''}",
        uuids,
    )
    return {
        uuid: Row(number, bool(deleted), digest or "", *folder_and_name(url or ""), drive)
        for uuid, number, deleted, digest, url, drive in found
    }


def folder_and_name(url: str) -> tuple[int, str]:
    """Return the patient's number and the file's name; numbers begin with 1, so 0 is no folder of ours."""
    _, folder, name = f"//{url}".rsplit("/", 2)
    return int(folder) if folder.isascii() and folder.isdigit() else 0, name


async def put_rows(
    session: Session, category: int, rows: Sequence[NewRow], standing: Mapping[bytes, Row]
) -> None:
    """Put rows, show those that OpenEMR does not show, and tell it of their uuids.

    Args:
        session: Inside of a transaction.
        category: Under which they are shown; where staff moved one that stands, it stays.
        rows: Those that stand already have the id of theirs.
        standing: Rows that stand, locked.
    """
    alike: defaultdict[tuple[bool, tuple[str, ...]], list[NewRow]] = defaultdict(list)
    for row in rows:
        alike[row.uuid in standing, tuple(row.cells)].append(row)
    for (known, told), some in alike.items():
        await _put(session, told, some, known=known)
    shown = [row.id for row in rows if row.uuid not in standing or standing[row.uuid].deleted]
    if shown:
        await session.execute(
            "INSERT IGNORE INTO categories_to_documents (category_id, document_id) VALUES "
            + ", ".join(f"({category:d}, {number:d})" for number in shown)
        )
    if former := [row.drive for row in standing.values() if row.drive]:
        await session.execute(
            f"DELETE FROM uuid_registry WHERE document_drive = 1 AND uuid IN ({marks(former)})", former
        )
    await session.execute(
        "INSERT INTO uuid_registry (uuid, table_name, table_id, document_drive, created) VALUES "
        + ", ".join(["(%s, 'documents', 'id', 0, NOW()), (%s, '', '', 1, NOW())"] * len(rows))
        + " ON DUPLICATE KEY UPDATE table_name = VALUES(table_name)",
        [uuid for row in rows for uuid in (row.uuid, row.drive)],
    )


async def take_rows_away(session: Session, numbers: Sequence[int]) -> None:
    """Mark rows as deleted, and show them nowhere."""
    ids = ", ".join(map(str, numbers))
    await session.execute(f"UPDATE documents SET deleted = 1, revision = NOW() WHERE id IN ({ids})")
    await session.execute(
        # The table has no key that begins with the document.
        "DELETE l FROM categories c STRAIGHT_JOIN categories_to_documents l FORCE INDEX (PRIMARY) "
        f"ON l.category_id = c.id AND l.document_id IN ({ids})"
    )


async def _put(session: Session, told: Sequence[str], rows: Sequence[NewRow], *, known: bool) -> None:
    """Put rows with the same columns; only those that are known may meet their own."""
    columns = ["id", "uuid", "drive_uuid", "foreign_id", "url", *told, *_FACTS, *_ONCE]
    one = ", ".join([*["%s"] * (5 + len(told)), *_FACTS.values(), *_ONCE.values()])
    changed = [c for c in columns if c not in ("id", "uuid") and c not in _ONCE]
    meeting = ", ".join(f"`{c}` = VALUES(`{c}`)" for c in changed)
    await session.execute(
        f"INSERT INTO documents ({', '.join(f'`{c}`' for c in columns)}) VALUES "
        f"{', '.join([f'({one})'] * len(rows))}{f' ON DUPLICATE KEY UPDATE {meeting}' if known else ''}",
        [
            cell
            for row in rows
            for cell in (row.id, row.uuid, row.drive, row.pid, row.url, *row.cells.values())
        ],
    )
