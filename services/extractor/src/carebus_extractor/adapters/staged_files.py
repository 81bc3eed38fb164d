"""What the sources that are files have in common: allowed places, fingerprints, a stage."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import duckdb

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import ExtractJob
from carebus_contracts.names import NameColumns
from carebus_extractor.adapters.building import RawSource, build_stage
from carebus_extractor.adapters.engine import engine
from carebus_extractor.adapters.files import SourceFile, allowed_place, fingerprint_of
from carebus_extractor.adapters.names import build_names, names_key
from carebus_extractor.adapters.staged_source import FileSource
from carebus_extractor.adapters.staging import Manifest, Stage, staged
from carebus_extractor.domain.names_sql import NAMES, NamesPart
from carebus_extractor.settings import ExtractorSettings


class StagedFiles(FileSource):
    """Files below one place."""

    kind: ClassVar[str]
    """Names the format; enters the fingerprint."""

    def __init__(self, path: str, settings: ExtractorSettings, *, options: str = "") -> None:
        super().__init__(settings)
        self._place = allowed_place(path, settings)
        self._options = options

    @abstractmethod
    def _concerned(self, files: Sequence[SourceFile]) -> list[SourceFile]:
        """Return those files that are of this format."""

    @abstractmethod
    def _raw(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], work: Path
    ) -> RawSource:
        """Find the tables in files that can be opened here; ``work`` is a folder for what it needs."""

    def fingerprint(self) -> str:
        """State of the files right now."""
        return self._fingerprint(self._files())

    def _files(self) -> list[SourceFile]:
        return self._concerned(self._place.files())

    def _fingerprint(self, files: Sequence[SourceFile]) -> str:
        return fingerprint_of(f"{self.kind} {self._options}", files)

    @abstractmethod
    def _names(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[SourceFile],
        work: Path,
        names: NameColumns,
    ) -> list[NamesPart]:
        """Find the table of names in files that can be opened here.

        Raises:
            JobError: It, or a column of it, is not there.
        """

    @contextmanager
    def _staged(self, fingerprint: str, job: ExtractJob) -> Iterator[Stage]:
        names = job.names
        with staged(fingerprint, self._settings, lambda folder: self._build(fingerprint, folder)) as stage:
            if not isinstance(names, NameColumns):
                yield stage
                return
            # a stage of its own: other columns for names are no reason to sort all tables again
            with staged(
                f"{fingerprint}-names-{names_key(names)}",
                self._settings,
                lambda folder: self._build_names(fingerprint, names, folder),
            ) as beside:
                relations = {**stage.relations, NAMES: beside.relations[NAMES]}
                notes = (*stage.manifest.notes, *beside.manifest.notes)
                manifest = stage.manifest.model_copy(update={"notes": notes})
                yield replace(stage, relations=relations, manifest=manifest)

    def _build(self, fingerprint: str, folder: Path) -> Manifest:
        with self._opened(fingerprint) as (connection, files, work):
            return build_stage(connection, self._raw(connection, files, work), folder)

    def _build_names(self, fingerprint: str, names: NameColumns, folder: Path) -> Manifest:
        with self._opened(fingerprint) as (connection, files, work):
            parts = self._names(connection, files, work, names)
            return build_names(connection, parts, names.table, folder)

    @contextmanager
    def _opened(
        self, fingerprint: str
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, Sequence[SourceFile], Path]]:
        """Open an engine beside files that can be opened here, and see that they are still the same after."""
        files = self._files()
        with tempfile.TemporaryDirectory(prefix="engine-", dir=self._settings.stage_dir) as work:
            copies = self._place.local_copies(files, Path(work))
            with engine(self._settings) as connection:
                yield connection, copies, Path(work)
        if self.fingerprint() != fingerprint:
            raise JobError("the source's files changed while they were read; send the job again")
