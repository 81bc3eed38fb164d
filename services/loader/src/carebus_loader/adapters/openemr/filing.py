"""Documents of charts: rows in OpenEMR's tables, contents in its folder; no statement ever holds a content.

A file's name depends on its content. It is written for good before the row that tells of it is committed,
and what that row told of before is removed afterwards: whoever dies in between leaves a file too many, and
never a row with another content. The ledger's rows are locked whenever files come or go. The file of a row
that is taken away goes before the commit, so that none outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha3_512
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from carebus_contracts.documents import MADE_DOCUMENT
from carebus_contracts.errors import ConfigurationError, ConstraintViolated, TargetUnavailable
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import ledger
from carebus_loader.adapters.openemr.changes import Change
from carebus_loader.adapters.openemr.charts import reserve_encounters
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.document_rows import (
    CATEGORY,
    DOCUMENTS,
    NewRow,
    find_category,
    put_rows,
    standing_rows,
    take_rows_away,
)
from carebus_loader.adapters.openemr.errors import LockConflict
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.places import check_columns
from carebus_loader.adapters.openemr.row_index import index_lines
from carebus_loader.adapters.openemr.rows import Charted
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.adapters.openemr.sites_folder import SitesFolder, drive_uuid
from carebus_loader.domain.guard import Verdict
from carebus_loader.ports import Delivery, Written
from carebus_runtime.logs import Log

log = Log(__name__)

NO_SITES_FOLDER = "no_sites_folder"
"""Reason in accounts: the loader has nowhere to put documents."""
REQUIRED = "documents are required, and the loader has no CAREBUS_OPENEMR_SITES_FOLDER"
_WRITERS = 8

T = TypeVar("T")
Write = Callable[[Sequence[Delivery]], Awaitable[list[Written]]]


class _Place(NamedTuple):
    """Where files of a document may be."""

    uuid: bytes
    pid: int


class Cleaning(NamedTuple):
    """What is to be removed once the transaction is committed."""

    subjects: Iterable[ledger.SubjectKey] = ()
    places: Iterable[_Place] = ()


NOTHING_LEFT = Cleaning()


@dataclass(frozen=True, slots=True)
class _Paper:
    """A document as a plan has it, and the patient whose it is."""

    uuid: bytes
    pid: int
    cells: dict[str, object]
    delivery: Delivery

    @classmethod
    def of(cls, delivery: Delivery, pid: int, columns: tuple[str, ...], row: Sequence[object]) -> _Paper:
        """Read a row.

        Raises:
            UnsupportedContract: It has columns that we know nothing of.
        """
        check_columns(DOCUMENTS, columns)
        uuid, *cells = row
        return cls(bytes.fromhex(str(uuid)), pid, dict(zip(columns[1:], cells, strict=True)), delivery)

    @property
    def drive(self) -> bytes:
        """uuid that names its file."""
        return drive_uuid(self.uuid, str(self.cells["hash"]))

    def write(self, folder: SitesFolder) -> bool:
        """Write the file; return whether there are others of the document.

        Raises:
            ConstraintViolated: The plan has no such file, or not the one that its row tells of.
            TargetUnavailable: The folder does not take it.
        """
        content = self.delivery.plan.file(self.uuid.hex())
        if content is None:
            raise ConstraintViolated("documents: a row comes without its file")
        if len(content) != self.cells["size"] or sha3_512(content).hexdigest() != self.cells["hash"]:
            raise ConstraintViolated("documents: a file is not the one that its row tells of")
        return folder.write(self.pid, self.drive, content)

    def restore(self, folder: SitesFolder) -> bool:
        """Write the file if it is lost; return whether it was."""
        if folder.has(self.pid, self.drive):
            return False
        self.write(folder)
        return True


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
        if fault := await asyncio.to_thread(self._folder.fault):
            raise ConfigurationError(
                f"CAREBUS_OPENEMR_SITES_FOLDER: {self._folder.path} cannot take documents: {fault}; name "
                "OpenEMR's folder `sites` as this process sees it, and run as a user who may write there"
            )
        if (category := await find_category(session)) is None:
            raise ConfigurationError(
                f"OpenEMR has no category {CATEGORY} for documents; make one in Administration, Practice, "
                "Documents, or leave CAREBUS_OPENEMR_SITES_FOLDER out"
            )
        self._category = category

    def stop(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)

    async def ping(self) -> None:
        """Look whether the folder is still there.

        Raises:
            TargetUnavailable: It is not.
        """
        if self._folder is not None:
            await asyncio.to_thread(self._folder.check)

    async def passing(self, batch: Sequence[Delivery], write: Write) -> list[Written]:
        """Write a batch; without a folder as if it said nothing of documents, and say so."""
        lacking = {at for at, d in enumerate(batch) if self._folder is None and _documents(d)}
        refused = {at for at in lacking if batch[at].filing == "required"}
        rest = [_without(d) if at in lacking else d for at, d in enumerate(batch) if at not in refused]
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
        wanted = [uuid for j in _of(judged, Verdict.WRITE) for uuid in _uuids(j.delivery)]
        missing = set(wanted) - set(await standing_rows(session, wanted))
        return await reserve_encounters(session, len(missing))

    async def put(
        self,
        session: Session,
        judged: Sequence[Judgement],
        charted: Iterable[Charted | None],
        numbers: range,
    ) -> Cleaning:
        """File what changed; inside of the transaction, with the ledger's rows locked.

        Args:
            session: Where.
            judged: All that was delivered: the file of a row that stays as it is is put back if it is lost.
            charted: What changed.
            numbers: For documents that have none.

        Returns:
            What is to be removed once it is committed.

        Raises:
            ConstraintViolated: A row comes without its file, or with another.
            LockConflict: Somebody else files the same documents; try again.
            TargetUnavailable: The folder does not take files.
        """
        there = [c for c in charted if c is not None]
        papers = [
            _Paper.of(c.change.judgement.delivery, c.pid, c.change.columns[DOCUMENTS], row)
            for c in there
            for row in c.change.put.get(DOCUMENTS, {}).values()
        ]
        left = await self._put(session, papers, numbers) if papers else NOTHING_LEFT
        await self._restore(session, judged)
        await self.take_away(session, [c.change for c in there])
        return left

    async def take_away(self, session: Session, changes: Iterable[Change]) -> None:
        """Take documents away that are gone, as OpenEMR does it; and their files, which OpenEMR keeps.

        Raises:
            TargetUnavailable: The folder does not let us.
        """
        gone = [uuid for change in changes for uuid in change.gone.get(DOCUMENTS, ())]
        if standing := await standing_rows(session, gone, lock=True):
            folder = self._needed()
            await take_rows_away(session, [row.id for row in standing.values()])
            await self._all(partial(folder.remove, row.pid, uuid) for uuid, row in standing.items())

    async def clean(
        self, session: Session, judged: Iterable[Judgement], replaced: Cleaning = NOTHING_LEFT
    ) -> None:
        """Remove files that no row tells of any more; outside of a transaction.

        Args:
            session: Where.
            judged: All that was delivered: of what came again, a try that died may have left files.
            replaced: What ``put`` said.

        Raises:
            TargetUnavailable: The folder does not let us; the same batch again will find them.
        """
        if self._folder is None:
            return
        again = [
            (_key(j.delivery), uuid) for j in _of(judged, Verdict.UNCHANGED) for uuid in _uuids(j.delivery)
        ]
        standing = await standing_rows(session, [uuid for _, uuid in again])
        places = {*replaced.places, *(_Place(uuid, row.pid) for uuid, row in standing.items())}
        if not places:
            return
        await session.begin()
        await ledger.read_subjects(session, {*replaced.subjects, *(key for key, _ in again)}, lock=True)
        standing = await standing_rows(session, [place.uuid for place in places])
        removals = []
        for place in places:
            row = standing.get(place.uuid)
            kept = row.file if row is not None and not row.deleted and row.pid == place.pid else ""
            removals.append(partial(self._folder.remove, place.pid, place.uuid, but=kept))
        await self._all(removals)
        await session.commit()

    async def _put(self, session: Session, papers: Sequence[_Paper], numbers: range) -> Cleaning:
        folder, fresh = self._needed(), iter(numbers)
        standing = await standing_rows(session, [p.uuid for p in papers], lock=True)
        others = await self._all(partial(p.write, folder) for p in papers)
        rows = []
        for p in papers:
            number = standing[p.uuid].id if p.uuid in standing else next(fresh, None)
            if number is None:
                raise LockConflict("the rows of documents changed", system="OpenEMR's database")
            rows.append(NewRow(number, p.uuid, p.drive, p.pid, folder.url(p.pid, p.drive), p.cells))
        await put_rows(session, self._category, rows, standing)
        left = [p for p, more in zip(papers, others, strict=True) if more or p.uuid in standing]
        former = {_Place(uuid, row.pid) for uuid, row in standing.items()}
        return Cleaning({_key(p.delivery) for p in left}, former | {_Place(p.uuid, p.pid) for p in left})

    async def _restore(self, session: Session, judged: Iterable[Judgement]) -> None:
        if self._folder is None:
            return
        told = {
            bytes.fromhex(row[0]): (j.delivery, write.columns, row)
            for j in _of(judged, Verdict.RAISE)
            for write in j.delivery.plan.writes
            if write.table == DOCUMENTS
            for row in write.records()
        }
        papers = []
        for uuid, there in (await standing_rows(session, list(told))).items():
            delivery, columns, row = told[uuid]
            paper = _Paper.of(delivery, there.pid, columns, row)
            if not there.deleted and there.file == str(UUID(bytes=paper.drive)):
                papers.append(paper)
        restored = sum(await self._all(partial(paper.restore, self._folder) for paper in papers))
        if restored:
            log.warning("lost_documents_restored", documents=restored)

    def _needed(self) -> SitesFolder:
        if self._folder is None:
            raise TargetUnavailable(
                "documents that were filed are to change or to go, and CAREBUS_OPENEMR_SITES_FOLDER is not set",
                system="CAREBUS_OPENEMR_SITES_FOLDER",
            )
        return self._folder

    async def _all(self, works: Iterable[Callable[[], T]]) -> list[T]:
        """Do all of it, some at a time; the first fault is raised when the rest has ended, too."""
        loop = asyncio.get_running_loop()
        done = await asyncio.gather(
            *(loop.run_in_executor(self._pool, work) for work in works), return_exceptions=True
        )
        results: list[T] = []
        for one in done:
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results


def _of(judged: Iterable[Judgement], verdict: Verdict) -> Iterable[Judgement]:
    return (j for j in judged if j.verdicts.get(DOCUMENTS) is verdict)


def _documents(delivery: Delivery) -> int:
    return sum(w.count for w in delivery.plan.writes if w.table == DOCUMENTS)


def _without(delivery: Delivery) -> Delivery:
    writes = tuple(w for w in delivery.plan.writes if w.table != DOCUMENTS)
    return replace(delivery, plan=msgspec.structs.replace(delivery.plan, writes=writes, files={}))


def _uuids(delivery: Delivery) -> list[bytes]:
    writes = (w for w in delivery.plan.writes if w.table == DOCUMENTS)
    return [uuid for w in writes for uuid in index_lines(DOCUMENTS, w.lines())]


def _key(delivery: Delivery) -> ledger.SubjectKey:
    return delivery.plan.source, delivery.plan.subject
