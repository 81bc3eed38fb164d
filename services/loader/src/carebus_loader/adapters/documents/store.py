"""The document store: immutable objects, the newest version wins, a manifest a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any

import fsspec
import orjson

from carebus_contracts.errors import ConfigurationError, TargetUnavailable
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.documents.settings import DocumentsSettings
from carebus_loader.domain import document_names as names
from carebus_loader.domain.guard import Held, Verdict, decide
from carebus_loader.ports import DocumentDelivery, Written

MANIFESTS = "_manifests"
DOCUMENT = "document"
"""The one table, so to speak, that a person has here."""


class DocumentStore:
    """Writes documents under ``<root>/<source>/<shard>/person-<id>/`` (see ``domain.document_names``).

    A crash between two objects leaves a prefix of the batch; the batch comes again and finds those
    unchanged. Two writers of one person converge, as the greatest name is what stands.
    """

    name = "documents"

    def __init__(self, settings: DocumentsSettings) -> None:
        self._settings = settings
        self._fs: Any = None
        self._root = ""
        self._pool = ThreadPoolExecutor(settings.parallel, thread_name_prefix="documents")

    async def start(self) -> None:
        """Make the root folder.

        Raises:
            ConfigurationError: The URL means nothing, or the folder cannot be written.
        """
        try:
            self._fs, self._root = fsspec.url_to_fs(self._settings.url, auto_mkdir=True)
            await self._run(lambda: self._fs.makedirs(self._root, exist_ok=True))
        except (ValueError, ImportError, PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ConfigurationError(
                f"CAREBUS_DOCUMENTS_URL={self._settings.url} cannot be used: {type(error).__name__}; "
                "name a folder that this user may write, or a URL whose fsspec driver is installed"
            ) from error
        except OSError as error:
            raise self._away(error) from error

    async def stop(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)

    async def ping(self) -> None:
        """Look at the root folder.

        Raises:
            TargetUnavailable: It does not answer.
        """
        try:
            there = await self._run(lambda: self._fs.exists(self._root))
        except OSError as error:
            raise self._away(error) from error
        if not there:
            raise TargetUnavailable("the document folder is gone", system="document store")

    async def prepare(self) -> list[str]:
        """Make the root folder; there is nothing else to make."""
        await self.start()
        return [f"documents: folder {self._root}"]

    async def vanished(self, source: str, version: Version) -> list[int]:
        """Return the persons whose newest document, or word about it, is older than a version."""
        try:
            return await self._run(lambda: self._vanished(source, version))  # type: ignore[no-any-return]
        except OSError as error:
            raise self._away(error) from error

    async def write(self, batch: Sequence[DocumentDelivery]) -> list[Written]:
        """Write a batch; each person at most once in it.

        Raises:
            TargetUnavailable: The store does not answer; write the same batch again.
        """
        documents = [d for d in batch if not _is_retirement(d)]
        sources = sorted({d.document.source for d in documents})
        try:
            done = {id(d): await self._run(lambda d=d: self._retire(d)) for d in batch if _is_retirement(d)}
            floors = await self._floors(sources)
            written = await asyncio.gather(
                *(self._run(lambda d=d: self._write_one(d, floors[d.document.source])) for d in documents)
            )
            # Who retires meanwhile may have looked at a person before we wrote: one of us sees the other.
            raised = await self._floors(sources)
            await asyncio.gather(
                *(
                    self._run(lambda d=d: self._take_back(d, raised[d.document.source]))
                    for d in documents
                    if raised[d.document.source] != floors[d.document.source] and not d.dry_run
                )
            )
            done |= {id(d): w for d, w in zip(documents, written, strict=True)}
            await self._run(lambda: self._write_manifest(batch, [done[id(d)] for d in batch]))
        except OSError as error:
            raise self._away(error) from error
        return [done[id(d)] for d in batch]

    def _write_one(self, delivery: DocumentDelivery, floors: names.Floors) -> Written:
        document, version = delivery.document, delivery.version
        folder = self._folder(delivery)
        there = names.newest(self._list(folder))
        silenced = floors.void(delivery.job_id, version)
        content = "" if document.retired or silenced else document.hash
        standing = names.in_force(there, floors)
        verdict = decide(standing, version, content)
        if document.retired and standing is None:
            verdict = Verdict.WRITE
        if not delivery.dry_run and verdict in (Verdict.WRITE, Verdict.RAISE):
            self._put(folder, delivery, content, verdict)
            self._remove(folder, names.superseded(self._list(folder)))
        written = _written(verdict, standing, content)
        return replace(written, result=Result.STALE) if silenced else written

    def _put(self, folder: str, delivery: DocumentDelivery, content: str, verdict: Verdict) -> None:
        if verdict is Verdict.RAISE:
            suffix, data = names.SUFFIX_SEEN, b""
        elif content:
            suffix, data = names.SUFFIX_DOCUMENT, delivery.document.xml.encode()
        else:
            suffix, data = names.SUFFIX_GONE, b""
        self._pipe(folder, names.object_name(delivery.version, content, suffix, delivery.job_id), data)

    def _retire(self, delivery: DocumentDelivery) -> Written:
        """Mark persons of a source as gone, all or those of one job, and keep a floor for later ones."""
        document, version = delivery.document, delivery.version
        source, of_job = document.source, document.of_job
        floors = names.floors(self._list(f"{self._root}/{source}"))
        known = floors.jobs.get(of_job) if of_job else floors.source and floors.source.version
        if known is not None and version < known:
            return Written(Result.STALE)
        if of_job:
            floors = floors._replace(jobs={**floors.jobs, of_job: version})
        else:
            floors = floors._replace(source=Held(version, ""))
        if not delivery.dry_run:
            floor = names.object_name(version, "", names.SUFFIX_GONE, of_job)
            self._pipe(f"{self._root}/{source}", floor, b"")
        deleted = sum(
            self._mark_gone(folder, floors, dry_run=delivery.dry_run) for folder in self._persons(source)
        )
        result = Result.APPLIED if deleted or known != version else Result.UNCHANGED
        return Written(result, deleted=deleted, tables={"documents": deleted}, persons=deleted)

    def _take_back(self, delivery: DocumentDelivery, floors: names.Floors) -> None:
        self._mark_gone(self._folder(delivery), floors, dry_run=False)

    def _vanished(self, source: str, version: Version) -> list[int]:
        floors = names.floors(self._list(f"{self._root}/{source}"))
        standing = {
            folder: names.in_force(names.newest(self._list(folder)), floors)
            for folder in self._persons(source)
        }
        return sorted(
            int(folder.rpartition("/")[2].removeprefix(names.PERSON))
            for folder, held in standing.items()
            if held is not None and held.hash and held.version < version
        )

    def _mark_gone(self, folder: str, floors: names.Floors, *, dry_run: bool) -> bool:
        """Take the document of a person that floors make void; whether one stood there."""
        there = self._list(folder)
        last = names.newest(there)
        counts = names.in_force(last, floors)
        if last is None or not last.hash or counts is None or counts.hash:
            return False
        if not dry_run:
            # A job's word is void as of when it was said, so that no older one of another job counts.
            gone = names.object_name(counts.version, "", names.SUFFIX_GONE, last.job_id)
            self._pipe(folder, gone, b"")
            old = (name for name in there if name != gone and (e := names.parse_name(name)) and e <= last)
            self._remove(folder, old)
        return True

    async def _floors(self, sources: Iterable[str]) -> dict[str, names.Floors]:
        return {
            source: await self._run(lambda s=source: names.floors(self._list(f"{self._root}/{s}")))
            for source in sources
        }

    def _folder(self, delivery: DocumentDelivery) -> str:
        return f"{self._root}/{names.person_folder(delivery.document.source, delivery.document.person_id)}"

    def _persons(self, source: str) -> Iterable[str]:
        for shard in self._folders(f"{self._root}/{source}"):
            yield from self._folders(shard)

    def _folders(self, folder: str) -> list[str]:
        try:
            return sorted(e["name"] for e in self._fs.ls(folder, detail=True) if e["type"] == "directory")
        except FileNotFoundError:
            return []

    def _list(self, folder: str) -> list[str]:
        try:
            return [path.rsplit("/", 1)[-1] for path in self._fs.ls(folder, detail=False)]
        except FileNotFoundError:
            return []

    def _pipe(self, folder: str, name: str, data: bytes) -> None:
        """Write one object so that it appears whole or not at all."""
        path = f"{folder}/{name}"
        if "file" in self._fs.protocol:
            self._fs.makedirs(folder, exist_ok=True)
            part = f"{folder}/.{name}.part"
            self._fs.pipe_file(part, data)
            self._fs.mv(part, path)
        else:
            self._fs.pipe_file(path, data)

    def _remove(self, folder: str, stale: Iterable[str]) -> None:
        for name in stale:
            try:
                self._fs.rm_file(f"{folder}/{name}")
            except FileNotFoundError:  # another owner was quicker
                continue

    def _write_manifest(self, batch: Sequence[DocumentDelivery], written: Sequence[Written]) -> None:
        """List the documents that this batch wrote, one JSON line each; named by its content."""
        lines: dict[str, list[bytes]] = {}
        for delivery, outcome in zip(batch, written, strict=True):
            document = delivery.document
            if outcome.inserted + outcome.updated and not delivery.dry_run:
                name = names.object_name(
                    delivery.version, document.hash, names.SUFFIX_DOCUMENT, delivery.job_id
                )
                lines.setdefault(document.source, []).append(
                    orjson.dumps(
                        {
                            "person_id": document.person_id,
                            "document_id": document.document_id,
                            "object": f"{names.person_folder(document.source, document.person_id)}/{name}",
                            "sha256": sha256(document.xml.encode()).hexdigest(),
                        }
                    )
                )
        for source, entries in lines.items():
            body = b"\n".join(sorted(entries)) + b"\n"
            self._pipe(f"{self._root}/{MANIFESTS}/{source}", f"{sha256(body).hexdigest()[:32]}.ndjson", body)

    async def _run(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _away(self, error: OSError) -> TargetUnavailable:
        return TargetUnavailable(
            f"the document store did not answer: {type(error).__name__}", system="document store"
        )


def _is_retirement(delivery: DocumentDelivery) -> bool:
    return delivery.document.retired and delivery.document.all_persons


def _written(verdict: Verdict, standing: Held | None, content: str) -> Written:
    match verdict:
        case Verdict.STALE:
            return Written(Result.STALE)
        case Verdict.RAISE | Verdict.UNCHANGED:
            return Written(Result.UNCHANGED, verdicts={DOCUMENT: verdict})
        case Verdict.WRITE if not content:
            gone = 1 if standing is not None and standing.hash else 0
            return Written(Result.APPLIED, deleted=gone, tables={"documents": gone})
        case Verdict.WRITE:
            changed = standing is not None and bool(standing.hash)
            return Written(
                Result.APPLIED,
                inserted=0 if changed else 1,
                updated=1 if changed else 0,
                tables={"documents": 1},
            )
