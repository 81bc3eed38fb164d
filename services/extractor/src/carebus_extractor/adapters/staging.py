"""The stage: a source's tables sorted once by person, in a folder that all replicas on a machine share.

``<stage_dir>/<fingerprint>/`` appears whole, by a rename, and is never changed afterwards. One process
builds it under a lock; those that read hold the lock shared, so that nobody cleans it away meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from carebus_contracts.jobs import ExtractJob
from carebus_extractor.adapters.engine import quoted
from carebus_extractor.settings import ExtractorSettings

STAGE_FORMAT = 1
"""Enters the folder's name; raise it when the way of staging changes."""
MANIFEST = "manifest.json"
REMAINS_S = 48 * 3600
"""Folders of work that nobody finished are this old when they go: killed processes leave them."""


class StagedFile(BaseModel):
    """One file of a staged table, and whose rows are in it."""

    model_config = ConfigDict(frozen=True)

    file: str
    low: int | None
    high: int | None
    nobody: bool = Field(description="Holds rows without a person, too.")

    def concerns(self, after: int | None, up_to: int | None) -> bool:
        """Whether rows of ``after < person_id <= up_to`` may be in it; nobody's belong to the open start."""
        if self.low is None or self.high is None:
            return after is None
        inside = (up_to is None or self.low <= up_to) and (after is None or self.high > after)
        return inside or (self.nobody and after is None)


class Manifest(BaseModel):
    """What a staged source is."""

    model_config = ConfigDict(frozen=True)

    cdm_version: str
    persons: int
    tables: dict[str, int] = Field(
        description="Rows of each table that the source has; none is a number, too."
    )
    left_behind: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Rows that are not in the stage, by table and reason."
    )
    repeats: tuple[str, ...] = Field(default=(), description="Tables whose record ids repeat.")
    notes: tuple[str, ...] = ()
    files: dict[str, tuple[StagedFile, ...]] = Field(
        default_factory=dict, description="Files of the tables of persons."
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """A source in the shape of the stage."""

    manifest: Manifest
    relations: Mapping[str, str]
    """SQL of each table's relation; ``_weights`` is (person_id, rows, size)."""

    folder: Path | None = None
    """Where the files are; None when the engine itself holds the rows."""

    def cdm_version(self, job: ExtractJob) -> str:
        """Return what the job says, else what the source says or shows."""
        return self.manifest.cdm_version if job.cdm_version == "auto" else job.cdm_version

    def relation(self, table: str, after: int | None, up_to: int | None) -> str | None:
        """Return SQL of the rows of a table, perhaps with others, of a range of persons; None for none."""
        if self.folder is None or table not in self.manifest.files:
            return self.relations[table]
        names = [f.file for f in self.manifest.files[table] if f.concerns(after, up_to)]
        if len(names) == len(self.manifest.files[table]):
            return self.relations[table] if names else None
        return parquet(*(self.folder / table / name for name in names)) if names else None


def stage_of(folder: Path) -> Stage:
    """Read a staged folder."""
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    names = [*manifest.tables, "_weights"]
    return Stage(manifest, {name: relation_of(folder, name) for name in names}, folder)


def relation_of(folder: Path, name: str, options: str = "") -> str:
    """Return the SQL of one staged table."""
    return parquet(folder / name / "*.parquet", options=options)


def parquet(*paths: Path, options: str = "") -> str:
    """Return SQL that scans files."""
    names = ", ".join(quoted(path) for path in paths)
    return f"read_parquet([{names}], hive_partitioning=false{options})"


@contextmanager
def staged(
    fingerprint: str, settings: ExtractorSettings, build: Callable[[Path], Manifest]
) -> Iterator[Stage]:
    """Hold the stage of a source, building it where this machine has none.

    Args:
        fingerprint: State of the source.
        settings: Where stages are, and how many are kept.
        build: Fills an empty folder and says what is in it.
    """
    settings.stage_dir.mkdir(parents=True, exist_ok=True)
    folder = settings.stage_dir / f"{fingerprint}-{STAGE_FORMAT}"
    while True:
        with _locked(folder, fcntl.LOCK_SH):
            if (folder / MANIFEST).exists():
                os.utime(folder)
                yield stage_of(folder)
                return
        # between the two locks another process may build it, or clean it away: hence the loop
        with _locked(folder, fcntl.LOCK_EX):
            if not (folder / MANIFEST).exists():
                _build(folder, build)
        clean(settings, keep=folder)


def _build(folder: Path, build: Callable[[Path], Manifest]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        manifest = build(work)
        (work / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def clean(settings: ExtractorSettings, *, keep: Path) -> None:
    """Remove the stages used longest ago, but for those that somebody reads right now, and old remains."""
    folders = [p for p in settings.stage_dir.iterdir() if p.is_dir() and p != keep]
    stages = sorted((p for p in folders if (p / MANIFEST).exists()), key=_used, reverse=True)
    for folder in stages[settings.stage_keep - 1 :]:
        with suppress(BlockingIOError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in set(folders) - set(stages):
        if time.time() - _used(folder) > REMAINS_S:
            shutil.rmtree(folder, ignore_errors=True)


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    # the lock's file stays: two processes with locks on two files of one name would both go on
    with (folder.parent / f"{folder.name}.lock").open("w") as handle:
        fcntl.flock(handle, how)
        yield
