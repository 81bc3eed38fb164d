"""Schemas of these tests' own: OpenEMR's real one, imported once a session and dropped at the end."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest
from pymysql.constants import CLIENT

from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_stack import LocalStack

Rows = list[tuple[Any, ...]]
NPI = "1234567893"
STRICT = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


class Server:
    """MariaDB, as its owner sees it."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._connection: Any = None

    def settings(self, database: str, **more: Any) -> OpenEmrSettings:
        """Settings of a loader at one schema."""
        there = self._stack.endpoints.mariadb
        return OpenEmrSettings(
            **{
                "host": there.host,
                "port": there.port,
                "user": there.user,
                "password": there.password,
                "owner_user": there.owner_user,
                "owner_password": there.owner_password,
                "database": database,
                "provider_npi": NPI,
                **more,
            }
        )

    def query(self, sql: str, *arguments: Any) -> Rows:
        """Run one statement."""
        with self._open().cursor() as cursor:
            cursor.execute(sql, arguments or None)
            return list(cursor.fetchall())

    def cursor(self) -> Any:
        """A cursor for many small statements."""
        return self._open().cursor()

    def import_file(self, database: str, file: Path) -> None:
        """Make a schema from a file of statements, as strictly as we write."""
        self.query(f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        connection = self._connect(client_flag=CLIENT.MULTI_STATEMENTS, database=database)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION sql_mode = '{STRICT}'")
            cursor.execute(file.read_text(encoding="utf-8"))
            while cursor.nextset():
                pass

    def drop(self, database: str) -> None:
        """Drop a schema."""
        self.query(f"DROP DATABASE IF EXISTS {database}")

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self, **more: Any) -> Any:
        there = self._stack.endpoints.mariadb
        return pymysql.connect(
            host=there.host,
            port=there.port,
            user=there.owner_user,
            password=there.owner_password,
            charset="utf8mb4",
            autocommit=True,
            **more,
        )


@pytest.fixture(scope="session")
def server(stack: LocalStack) -> Server:
    """MariaDB of the stack."""
    return Server(stack)


@pytest.fixture(scope="session")
def real_schema(server: Server, shared: Path) -> Iterator[str]:
    """OpenEMR's real schema, empty: to compare with, and never written to."""
    database = f"openemr_facts_{uuid4().hex[:8]}"
    server.import_file(database, shared / "openemr" / "database.sql")
    yield database
    server.drop(database)


@pytest.fixture(scope="session")
def new_schema(server: Server, shared: Path) -> Iterator[Callable[[], str]]:
    """``new_schema()`` imports OpenEMR's real schema under a new name."""
    made: list[str] = []

    def new() -> str:
        made.append(f"openemr_test_{os.getpid()}_{uuid4().hex[:8]}")
        server.import_file(made[-1], shared / "openemr" / "database.sql")
        return made[-1]

    yield new
    for database in made:
        server.drop(database)


@pytest.fixture(scope="session")
async def openemr(server: Server, new_schema: Callable[[], str]) -> OpenEmrSettings:
    """A prepared schema that most tests share, each with sources of its own."""
    settings = server.settings(new_schema())
    await OpenEmrTarget(settings).prepare()
    return settings


@pytest.fixture
async def target(openemr: OpenEmrSettings) -> AsyncIterator[OpenEmrTarget]:
    """A started target at the shared schema."""
    target = OpenEmrTarget(openemr)
    await target.start()
    yield target
    await target.stop()


@pytest.fixture
def read(server: Server, openemr: OpenEmrSettings) -> Callable[..., Rows]:
    """``read(sql, *arguments)`` at the shared schema."""

    def read(sql: str, *arguments: Any) -> Rows:
        server.query(f"USE {openemr.database}")
        return server.query(sql, *arguments)

    return read
