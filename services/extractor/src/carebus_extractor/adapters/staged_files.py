"""What the sources that are files have in common: allowed places, fingerprints, a stage."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import duckdb

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import ExtractJob
from carebus_extractor.adapters.building import RawSource, build_stage
from carebus_extractor.adapters.engine import engine
from carebus_extractor.adapters.files import SourceFile, allowed_place, fingerprint_of
from carebus_extractor.adapters.staged_source import FileSource
from carebus_extractor.adapters.staging import Manifest, Stage, staged
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

    def _staged(self, fingerprint: str, job: ExtractJob) -> AbstractContextManager[Stage]:
        return staged(fingerprint, self._settings, lambda folder: self._build(fingerprint, folder))

    def _build(self, fingerprint: str, folder: Path) -> Manifest:
        files = self._files()
        with tempfile.TemporaryDirectory(prefix="engine-", dir=self._settings.stage_dir) as work:
            copies = self._place.local_copies(files, Path(work))
            with engine(self._settings) as connection:
                raw = self._raw(connection, copies, Path(work))
                manifest = build_stage(connection, raw, folder)
        if self.fingerprint() != fingerprint:
            raise JobError("the source's files changed while they were read; send the job again")
        return manifest
