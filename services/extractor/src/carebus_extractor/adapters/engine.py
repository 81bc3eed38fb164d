"""The engine: DuckDB with little memory, a folder for what does not fit, and no way out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from carebus_extractor.settings import ExtractorSettings

MAX_TEMP_GIB = 200
"""So much disk may sorting use; without a limit the engine takes nine tenths of what is free."""


@contextmanager
def engine(settings: ExtractorSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine of its own; its folder is gone afterwards, whatever happened."""
    settings.stage_dir.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="engine-", dir=settings.stage_dir)
    connection = duckdb.connect(
        config={
            "memory_limit": f"{settings.engine_memory_mb}MB",
            "threads": settings.engine_threads,
            "temp_directory": folder,
            "max_temp_directory_size": f"{MAX_TEMP_GIB}GiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute("CREATE SCHEMA staged")
        yield connection
    finally:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)


def quoted(name: str | Path) -> str:
    """Return a text literal."""
    text = str(name)
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'
