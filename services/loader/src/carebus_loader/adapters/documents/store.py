"""The document store: immutable objects, the newest version wins, a manifest a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        self._floors: dict[str, Held] = {}

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

    async def write(self, batch: Sequence[DocumentDelivery]) -> list[Written]:
        """Write a batch; each person at most once in it.

        Raises:
            TargetUnavailable: The store does not answer; write the same batch again.
        """
        try:
            written = await asyncio.gather(*(self._run(lambda d=d: self._write_one(d)) for d in batch))
            await self._run(lambda: self._write_manifest(batch, written))
        except OSError as error:
            raise self._away(error) from error
        return list(written)

    def _write_one(self, delivery: DocumentDelivery) -> Written:
        document = delivery.document
        if document.retired and document.all_persons:
            return self._retire_source(delivery)
        folder = f"{self._root}/{names.person_folder(document.source, document.person_id)}"
        there = self._list(folder)
        content = "" if document.retired else document.hash
        standing = _newest(names.held(there), self._floor(document.source))
        verdict = decide(standing, delivery.version, content)
        if document.retired and standing is None:
            verdict = Verdict.WRITE
        if not delivery.dry_run and verdict in (Verdict.WRITE, Verdict.RAISE):
            self._put(folder, delivery.version, content, document.xml, verdict)
            self._remove(folder, names.superseded(self._list(folder)))
        return _written(verdict, standing, content)

    def _put(self, folder: str, version: Version, content: str, xml: str, verdict: Verdict) -> None:
        if verdict is Verdict.RAISE:
            self._pipe(folder, names.object_name(version, content, names.SUFFIX_SEEN), b"")
        elif content:
            self._pipe(folder, names.object_name(version, content, names.SUFFIX_DOCUMENT), xml.encode())
        else:
            self._pipe(folder, names.object_name(version, content, names.SUFFIX_GONE), b"")

    def _retire_source(self, delivery: DocumentDelivery) -> Written:
        """Mark every person of a source as gone, and keep a floor for those who come later."""
        source = delivery.document.source
        if delivery.dry_run:
            return Written(Result.APPLIED)
        self._pipe(f"{self._root}/{source}", names.object_name(delivery.version, "", names.SUFFIX_GONE), b"")
        self._floors.pop(source, None)
        deleted = 0
        for folder in self._persons(source):
            there = self._list(folder)
            if decide(names.held(there), delivery.version, "") in (Verdict.WRITE, Verdict.RAISE):
                deleted += 1
                self._put(folder, delivery.version, "", "", Verdict.WRITE)
                self._remove(folder, names.superseded(self._list(folder)))
        return Written(Result.APPLIED, deleted=deleted, tables={"documents": deleted})

    def _floor(self, source: str) -> Held | None:
        if source not in self._floors:
            found = names.held(self._list(f"{self._root}/{source}"))
            # A floor is rare and a look-up is not: remember that there is none, too.
            self._floors[source] = found or Held(Version(0), "")
        floor = self._floors[source]
        return floor if floor.version.v else None

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
                name = names.object_name(delivery.version, document.hash, names.SUFFIX_DOCUMENT)
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


def _newest(*found: Held | None) -> Held | None:
    return max((f for f in found if f is not None), default=None)


def _written(verdict: Verdict, standing: Held | None, content: str) -> Written:
    match verdict:
        case Verdict.STALE:
            return Written(Result.STALE)
        case Verdict.RAISE | Verdict.UNCHANGED:
            return Written(Result.UNCHANGED)
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
