"""One connection to the database: strict, quiet about values, and with LOAD DATA from memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import aiomysql
import pymysql.err
from aiomysql.connection import MySQLResult

from carebus_contracts.errors import ConstraintViolated
from carebus_loader.adapters.openemr.errors import translate
from carebus_loader.adapters.openemr.settings import OpenEmrSettings

STRICT = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
SETTINGS = {
    "sql_mode": f"'{STRICT}'",
    # Warnings quote values: let the server count them and keep none.
    "max_error_count": "0",
    "innodb_lock_wait_timeout": "30",
}
MARIADB_SETTINGS = {
    # Our joins go from few rows to many by a unique key. While tables grow quickly, statistics lag behind,
    # and the server would rather read whole tables into join buffers: minutes instead of milliseconds.
    "join_cache_level": "0",
}
MYSQL_SETTINGS = {"optimizer_switch": "'block_nested_loop=off'"}
_PACKET = 256 * 1024


def marks(values: Collection[object]) -> str:
    """Return a mark for each value, as the list after IN has it."""
    return ", ".join(["%s"] * len(values))


class _Memory(MySQLResult):  # type: ignore[misc]
    """Answers LOAD DATA LOCAL from memory. No file is ever opened, whatever a server asks for."""

    async def _read_load_local_packet(self, first_packet: Any) -> None:
        connection = self.connection
        data, connection.outgoing = connection.outgoing, b""
        for start in range(0, len(data), _PACKET):
            connection.write_packet(data[start : start + _PACKET])
            await connection._writer.drain()
        connection.write_packet(b"")
        answer = await connection._read_packet()
        self._read_ok_packet(answer)


class _Cursor(aiomysql.Cursor):  # type: ignore[misc]
    async def _show_warnings(self, conn: Any) -> None:
        """Leave warnings where they are: the driver would print them, and they quote values."""


class _Connection(aiomysql.Connection):  # type: ignore[misc]
    outgoing = b""

    async def _read_query_result(self, unbuffered: bool = False) -> None:
        self._result = None
        result = _Memory(self)
        await result.read()
        self._result = result
        self._affected_rows = result.affected_rows
        if result.server_status is not None:
            self.server_status = result.server_status


class Session:
    """A connection with our session settings. Every driver error leaves it as one of ours."""

    def __init__(self, settings: OpenEmrSettings, connection: _Connection, *, starting: bool) -> None:
        self._system = settings.system
        self._connection = connection
        self.starting = starting
        """Whether nothing was consumed yet, so that a fault in the settings may stop us."""

    @classmethod
    async def open(
        cls, settings: OpenEmrSettings, *, owner: bool = False, database: bool = True, starting: bool = False
    ) -> Session:
        """Connect.

        Args:
            settings: Where to.
            owner: Whether as the owner, who may create tables.
            database: Whether to enter the schema, which must exist then.
            starting: Whether a fault in the settings may stop us.
        """
        as_owner = owner and bool(settings.owner_user)
        password = settings.owner_password if as_owner else settings.password
        connection = _Connection(
            host=settings.host,
            port=settings.port,
            user=settings.owner_user if as_owner else settings.user,
            password=password.get_secret_value(),
            db=settings.database if database else None,
            charset="utf8mb4",
            autocommit=True,
            local_infile=True,
            connect_timeout=settings.connect_timeout_s,
            ssl=settings.tls(),
            program_name="carebus-loader",
        )
        try:
            await connection._connect()
        except (pymysql.err.MySQLError, OSError, TimeoutError) as error:
            raise translate(error, settings.system, starting=starting) from None
        session = cls(settings, connection, starting=starting)
        await session.execute(_session_settings(settings))
        # Gap locks would make two loaders that insert neighbours wait for each other.
        await session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return session

    async def execute(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of affected rows."""
        return (await self._run(sql, arguments))[0]

    def ready(self, sql: str, arguments: Sequence[Any]) -> str:
        """Return the text of a statement, to be run later without arguments."""
        try:
            return str(_Cursor(self._connection).mogrify(sql, tuple(arguments)))
        except UnicodeEncodeError:
            raise ConstraintViolated("text is not valid UTF-8") from None

    async def select(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return (await self._run(sql, arguments))[1]

    async def insert_id(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        """Run a statement and return LAST_INSERT_ID of it."""
        await self._run(sql, arguments)
        return int(self._connection.insert_id())

    async def load(self, sql: str, lines: Sequence[str]) -> bool:
        """Run a LOAD DATA LOCAL that reads these lines.

        Returns:
            Whether all rows went in as they are. The server turns every error into a warning here, and
            drops or bends the row; then the caller must roll back.
        """
        if not lines:
            return True
        self._connection.outgoing = ("\n".join(lines) + "\n").encode()
        affected, _ = await self._run(sql, ())
        result = self._connection._result
        return affected == len(lines) and result is not None and not result.warning_count

    async def begin(self) -> None:
        """Start a transaction."""
        await self.execute("START TRANSACTION")

    async def commit(self) -> None:
        """Commit."""
        await self.execute("COMMIT")

    async def rollback(self) -> None:
        """Roll back."""
        await self.execute("ROLLBACK")

    def close(self) -> None:
        """Drop the connection; the server rolls back what was open."""
        self._connection.close()

    async def _run(self, sql: str, arguments: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
        try:
            async with self._connection.cursor(_Cursor) as cursor:
                await cursor.execute(sql, tuple(arguments) or None)
                rows = list(await cursor.fetchall()) if cursor.description else []
                return cursor.rowcount, rows
        except (pymysql.err.MySQLError, OSError, asyncio.IncompleteReadError) as error:
            raise translate(error, self._system, starting=self.starting) from None
        except UnicodeEncodeError:
            raise ConstraintViolated("text is not valid UTF-8") from None


def _session_settings(settings: OpenEmrSettings) -> str:
    """Return one SET for both servers, each of which reads the other's part as a comment."""
    # The server must not go on with a statement, and hold its locks, when we have given it up.
    mariadb = {**MARIADB_SETTINGS, "max_statement_time": f"{settings.write_timeout_s:g}"}
    common, only_mariadb, only_mysql = (
        ", ".join(f"SESSION {name} = {value}" for name, value in some.items())
        for some in (SETTINGS, mariadb, MYSQL_SETTINGS)
    )
    return f"SET {common} /*M!100101 , {only_mariadb} */ /*!80000 , {only_mysql} */"
