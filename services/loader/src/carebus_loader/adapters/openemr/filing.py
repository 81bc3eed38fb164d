"""Documents of charts: rows in OpenEMR's tables, contents in its folder; no statement ever holds a content.

A file's name depends on its content. It is written for good before the row that tells of it is committed,
and what that row told of before is removed afterwards: whoever dies in between leaves a file too many, and
never a row with another content. The ledger's rows are locked whenever files come or go. The file of a row
that is taken away goes before the commit, so that none outlives it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha3_512
from typing import NamedTuple, TypeVar

import msgspec

from carebus_contracts.documents import MADE_DOCUMENT
from carebus_contracts.errors import ConfigurationError, ConstraintViolated, TargetUnavailable
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import ledger
from carebus_loader.adapters.openemr.changes import Change
from carebus_loader.adapters.openemr.charts import reserve_encounters
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.errors import LockConflict
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.places import check_columns
from carebus_loader.adapters.openemr.row_index import index_lines
from carebus_loader.adapters.openemr.rows import Charted
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.adapters.openemr.sites_folder import SitesFolder, drive_uuid
from carebus_loader.domain.guard import Verdict
from carebus_loader.ports import Delivery, Written

DOCUMENTS = "documents"
"""The write of a plan, and the table."""
CATEGORY = "CCDA"
"""Name in ``categories`` under which OpenEMR ships a place for these."""
NO_SITES_FOLDER = "no_sites_folder"
"""Reason in accounts: the loader has nowhere to put documents."""
REQUIRED = "documents are required, and the loader has no CAREBUS_OPENEMR_SITES_FOLDER"
_WRITERS = 8
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
    "imported": "0",
    "encounter_id": "0",
    "audit_master_approval_status": "1",
}
"""Columns that are set when a row is made and then left to OpenEMR."""

T = TypeVar("T")
Write = Callable[[Sequence[Delivery]], Awaitable[list[Written]]]


class _Row(NamedTuple):
    """A row that stands."""

    id: int
    deleted: bool
    pid: int
    """Of the folder that its file is in; a person may have given the document to another patient since."""
    file: str
    """Its name."""
    drive: bytes | None


class _Place(NamedTuple):
    """Where files of a document may be."""

    uuid: bytes
    pid: int


@dataclass(frozen=True, slots=True)
class _Paper:
    """A document that is to be filed."""

    uuid: bytes
    pid: int
    cells: dict[str, object]
    delivery: Delivery

    @property
    def drive(self) -> bytes:
        """uuid that names its file."""
        return drive_uuid(self.uuid, str(self.cells["hash"]))

    def content(self) -> bytes:
        """Return the file.

        Raises:
            ConstraintViolated: It is not there, or is not the one that the row tells of.
        """
        content = self.delivery.plan.file(self.uuid.hex())
        if content is None:
            raise ConstraintViolated("documents: a row comes without its file")
        if len(content) != self.cells["size"] or sha3_512(content).hexdigest() != self.cells["hash"]:
            raise ConstraintViolated("documents: a file is not the one that its row tells of")
        return content


class Cleaning(NamedTuple):
    """What is to be removed once the transaction is committed."""

    subjects: Sequence[ledger.SubjectKey] = ()
    places: Sequence[_Place] = ()


NOTHING_LEFT = Cleaning()


class Filing:
    """Files documents of one site, or says that it cannot."""

    def __init__(self, settings: OpenEmrSettings) -> None:
        folder = settings.sites_folder
        self._folder = SitesFolder(folder, settings.site) if folder else None
        self._category = 0
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="documents")

    async def start(self, session: Session) -> None:
        """Look whether documents can be filed, where a folder is configured.

        Raises:
            ConfigurationError: The folder is not as it must be, or OpenEMR lacks the category.
        """
        if self._folder is None:
            return
        if fault := await self._run(self._folder.fault):
            raise ConfigurationError(
                f"CAREBUS_OPENEMR_SITES_FOLDER: {self._folder.path} cannot take documents: {fault}; name OpenEMR's "
                "folder `sites` as this process sees it, and run as a user who may write there"
            )
        found = await session.select("SELECT MIN(id) FROM categories WHERE name = %s", (CATEGORY,))
        if found[0][0] is None:
            raise ConfigurationError(
                f"OpenEMR has no category {CATEGORY} for documents; make one in Administration, Practice, "
                "Documents, or leave CAREBUS_OPENEMR_SITES_FOLDER out"
            )
        self._category = int(found[0][0])

    def stop(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)

    async def ping(self) -> None:
        """Look whether the folder is still there.

        Raises:
            TargetUnavailable: It is not.
        """
        if self._folder is not None:
            await self._run(self._folder.check)

    async def passing(self, batch: Sequence[Delivery], write: Write) -> list[Written]:
        """Write a batch; without a folder as if it said nothing of documents, and say so."""
        lacking = {at for at, d in enumerate(batch) if self._folder is None and _documents(d)}
        refused = {at for at in lacking if batch[at].filing == "required"}
        rest = [
            without_documents(d) if at in lacking else d for at, d in enumerate(batch) if at not in refused
        ]
        written = iter(await write(rest) if rest else ())
        return [
            Written(Result.REFUSED, reason=REQUIRED)
            if at in refused
            else replace(next(written), not_mapped={MADE_DOCUMENT: {NO_SITES_FOLDER: _documents(d)}})
            if at in lacking
            else next(written)
            for at, d in enumerate(batch)
        ]

    async def reserve(self, session: Session, judged: Iterable[Judgement]) -> range:
        """Take numbers for documents that have none, outside of a transaction."""
        wanted = [
            uuid for j in judged if j.verdicts.get(DOCUMENTS) is Verdict.WRITE for uuid in _uuids(j.delivery)
        ]
        missing = set(wanted) - set(await _standing(session, wanted))
        return await reserve_encounters(session, len(missing))

    async def put(self, session: Session, charted: Iterable[Charted | None], numbers: range) -> Cleaning:
        """File what changed; inside of the transaction, with the ledger's rows locked.

        Returns:
            What is to be removed once it is committed.

        Raises:
            ConstraintViolated: A row comes without its file, or with another.
            LockConflict: Somebody else files the same documents; try again.
            TargetUnavailable: The folder does not take files.
        """
        there = [c for c in charted if c is not None]
        await self.take_away(session, [c.change for c in there])
        papers = [paper for c in there for paper in _papers(c)]
        if not papers:
            return NOTHING_LEFT
        folder = self._needed()
        standing = await _standing(session, [p.uuid for p in papers], lock=True)
        more = await self._write(folder, papers)
        await self._put_rows(session, folder, papers, standing, numbers)
        former = [_Place(uuid, row.pid) for uuid, row in standing.items()]
        left = [_Place(p.uuid, p.pid) for p in papers if p.uuid in standing or p.uuid in more]
        subjects = {_key(p.delivery) for p in papers if p.uuid in standing or p.uuid in more}
        return Cleaning(sorted(subjects), sorted({*former, *left}))

    async def take_away(self, session: Session, changes: Iterable[Change]) -> None:
        """Take documents away that are gone, as OpenEMR does it; and their files, which OpenEMR keeps.

        Raises:
            TargetUnavailable: The folder does not let us.
        """
        gone = [uuid for change in changes for uuid in change.gone.get(DOCUMENTS, ())]
        standing = await _standing(session, gone, lock=True)
        if not standing:
            return
        folder = self._needed()
        ids = ", ".join(str(row.id) for row in standing.values())
        await session.execute(f"UPDATE documents SET deleted = 1, revision = NOW() WHERE id IN ({ids})")
        await session.execute(
            "DELETE l FROM categories c STRAIGHT_JOIN categories_to_documents l FORCE INDEX (PRIMARY) "
            f"ON l.category_id = c.id AND l.document_id IN ({ids})"
        )
        for uuid, row in standing.items():
            await self._run(partial(folder.remove, row.pid, uuid))

    async def clean(
        self, session: Session, judged: Iterable[Judgement], replaced: Cleaning = NOTHING_LEFT
    ) -> None:
        """Remove files that no row tells of any more; outside of a transaction.

        Args:
            session: Where.
            judged: What was delivered: of what came again, a try that died may have left files.
            replaced: What ``put`` said.

        Raises:
            TargetUnavailable: The folder does not let us; the same batch again will find them.
        """
        if self._folder is None:
            return
        again = await self._again(session, judged)
        subjects, places = {*replaced.subjects, *again.subjects}, {*replaced.places, *again.places}
        if not places:
            return
        await session.begin()
        await ledger.read_subjects(session, subjects, lock=True)
        standing = await _standing(session, [place.uuid for place in places])
        for place in places:
            row = standing.get(place.uuid)
            kept = row.file if row is not None and not row.deleted and row.pid == place.pid else ""
            await self._run(partial(self._folder.remove, place.pid, place.uuid, but=kept))
        await session.commit()

    async def _again(self, session: Session, judged: Iterable[Judgement]) -> Cleaning:
        again = [
            (_key(j.delivery), uuid)
            for j in judged
            if j.verdicts.get(DOCUMENTS) is Verdict.UNCHANGED
            for uuid in _uuids(j.delivery)
        ]
        standing = await _standing(session, [uuid for _, uuid in again])
        return Cleaning(
            [key for key, _ in again],
            [_Place(uuid, standing[uuid].pid) for _, uuid in again if uuid in standing],
        )

    async def _write(self, folder: SitesFolder, papers: Sequence[_Paper]) -> set[bytes]:
        """Write the files; return the documents of which there are others."""
        written = await asyncio.gather(
            *(self._run(partial(_write, folder, paper)) for paper in papers), return_exceptions=True
        )
        for result in written:
            if isinstance(result, BaseException):
                raise result
        return {paper.uuid for paper, more in zip(papers, written, strict=True) if more}

    async def _put_rows(
        self,
        session: Session,
        folder: SitesFolder,
        papers: Sequence[_Paper],
        standing: dict[bytes, _Row],
        numbers: range,
    ) -> None:
        fresh = iter(numbers)
        placed: list[tuple[int, _Paper]] = []
        for paper in papers:
            number = standing[paper.uuid].id if paper.uuid in standing else next(fresh, None)
            if number is None:
                raise LockConflict("the rows of documents changed", system="OpenEMR's database")
            placed.append((number, paper))
        alike: defaultdict[tuple[bool, tuple[str, ...]], list[tuple[int, _Paper]]] = defaultdict(list)
        for number, paper in placed:
            alike[paper.uuid in standing, tuple(paper.cells)].append((number, paper))
        for (known, columns), some in alike.items():
            await session.execute(*_put_sql(folder, columns, some, known=known))
        shown = [(n, p) for n, p in placed if p.uuid not in standing or standing[p.uuid].deleted]
        if shown:
            await session.execute(
                "INSERT IGNORE INTO categories_to_documents (category_id, document_id) VALUES "
                + ", ".join(f"({self._category:d}, {number:d})" for number, _ in shown)
            )
        former = [row.drive for row in standing.values() if row.drive]
        if former:
            marks = ", ".join(["%s"] * len(former))
            await session.execute(
                f"DELETE FROM uuid_registry WHERE document_drive = 1 AND uuid IN ({marks})", former
            )
        await session.execute(
            "INSERT INTO uuid_registry (uuid, table_name, table_id, document_drive, created) VALUES "
            + ", ".join(["(%s, 'documents', 'id', 0, NOW()), (%s, '', '', 1, NOW())"] * len(placed))
            + " ON DUPLICATE KEY UPDATE table_name = VALUES(table_name)",
            [uuid for _, p in placed for uuid in (p.uuid, p.drive)],
        )

    def _needed(self) -> SitesFolder:
        if self._folder is None:
            raise TargetUnavailable(
                "documents that were filed are to change or to go, and CAREBUS_OPENEMR_SITES_FOLDER is not set",
                system="CAREBUS_OPENEMR_SITES_FOLDER",
            )
        return self._folder

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def without_documents(delivery: Delivery) -> Delivery:
    """Return a delivery that says nothing of documents."""
    writes = tuple(w for w in delivery.plan.writes if w.table != DOCUMENTS)
    return replace(delivery, plan=msgspec.structs.replace(delivery.plan, writes=writes, files={}))


def _documents(delivery: Delivery) -> int:
    return sum(w.count for w in delivery.plan.writes if w.table == DOCUMENTS)


def _write(folder: SitesFolder, paper: _Paper) -> bool:
    return folder.write(paper.pid, paper.drive, paper.content())


def _papers(charted: Charted) -> Iterable[_Paper]:
    change = charted.change
    for row in change.put.get(DOCUMENTS, ()):
        columns = change.columns[DOCUMENTS]
        check_columns(DOCUMENTS, columns)
        cells = dict(zip(columns, row, strict=True))
        uuid = bytes.fromhex(str(cells.pop("uuid")))
        yield _Paper(uuid, charted.pid, cells, change.judgement.delivery)


def _uuids(delivery: Delivery) -> list[bytes]:
    return [
        uuid
        for w in delivery.plan.writes
        if w.table == DOCUMENTS
        for uuid in index_lines(DOCUMENTS, w.lines())
    ]


def _key(delivery: Delivery) -> ledger.SubjectKey:
    return delivery.plan.source, delivery.plan.subject


async def _standing(session: Session, uuids: Sequence[bytes], *, lock: bool = False) -> dict[bytes, _Row]:
    if not uuids:
        return {}
    marks = ", ".join(["%s"] * len(uuids))
    return {
        uuid: _Row(number, bool(deleted), *_folder_and_name(url), drive)
        for uuid, number, deleted, url, drive in await session.select(
            "SELECT uuid, id, deleted, url, drive_uuid "
            f"FROM documents FORCE INDEX (uuid) WHERE uuid IN ({marks}) ORDER BY uuid {'FOR UPDATE' if lock else ''}",
            uuids,
        )
    }


def _folder_and_name(url: str | None) -> tuple[int, str]:
    """Return the patient's number and the file's name; numbers begin with 1, so 0 is no folder of ours."""
    _, folder, name = f"//{url or ''}".rsplit("/", 2)
    return int(folder) if folder.isascii() and folder.isdigit() else 0, name


def _put_sql(
    folder: SitesFolder, told: Sequence[str], papers: Sequence[tuple[int, _Paper]], *, known: bool
) -> tuple[str, list[object]]:
    """Return the statement, and its arguments, that puts rows; only those that are known may meet their own."""
    columns = ["id", "uuid", "drive_uuid", "foreign_id", "url", *told, *_FACTS, *_ONCE]
    row = ", ".join([*["%s"] * (5 + len(told)), *_FACTS.values(), *_ONCE.values()])
    updated = [c for c in columns if c not in ("id", "uuid") and c not in _ONCE]
    conflict = (
        f" ON DUPLICATE KEY UPDATE {', '.join(f'`{c}` = VALUES(`{c}`)' for c in updated)}" if known else ""
    )
    return (
        f"INSERT INTO documents ({', '.join(f'`{c}`' for c in columns)}) VALUES "
        f"{', '.join([f'({row})'] * len(papers))}{conflict}",
        [
            cell
            for number, p in papers
            for cell in (number, p.uuid, p.drive, p.pid, folder.url(p.pid, p.drive), *p.cells.values())
        ],
    )
