"""Requests to the server, each in a thread: the driver blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import clickhouse_connect
import orjson

from carebus_contracts.errors import TargetUnavailable
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.errors import translated
from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings

T = TypeVar("T")

_READ = {"output_format_json_quote_64bit_integers": 0, "max_query_size": 16 << 20}
_INSERT = {
    # The plan's timestamps have a T in them; a date that is none is an error and not 1900-01-01.
    "date_time_input_format": "best_effort",
    "date_time_overflow_behavior": "throw",
    "input_format_null_as_default": 0,
    # The offset is committed after this returns, so the rows must be there then.
    "async_insert": 0,
}


class Connection:
    """One client; requests may run side by side."""

    def __init__(self, settings: ClickHouseSettings, client: Any) -> None:
        self.settings = settings
        self.database = settings.database
        self._client = client
        self._slots = asyncio.Semaphore(settings.parallel)

    @classmethod
    async def open(cls, settings: ClickHouseSettings, *, owner: bool = False) -> Connection:
        """Connect, which asks the server for its version."""

        def connect() -> Any:
            return clickhouse_connect.get_client(**settings.client(owner=owner))

        with translated(settings, "start", starting=True):
            return cls(settings, await asyncio.to_thread(connect))

    async def close(self) -> None:
        """Close the client."""
        await asyncio.to_thread(self._client.close)

    async def rows(self, query: str, doing: str, *, starting: bool = False) -> list[list[Any]]:
        """Return the answer of a query as lists of cells."""

        def read() -> bytes:
            answer: bytes = self._client.raw_query(query, settings=_READ, fmt="JSONCompactEachRow")
            return answer

        text = await self._run(read, doing, starting)
        rows: list[list[Any]] = orjson.loads(b"[%b]" % text.strip().replace(b"]\n[", b"],["))
        return rows

    async def command(self, statement: str, doing: str, *, starting: bool = False, **settings: Any) -> None:
        """Run a statement that answers nothing."""
        await self._run(lambda: self._client.command(statement, settings=settings), doing, starting)

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[bytes]) -> None:
        """Insert JSON rows; they may come as several texts."""
        body = b",\n".join(rows)

        def insert() -> None:
            self._client.raw_insert(
                sql.place(self.database, table), columns, body, settings=_INSERT, fmt="JSONCompactEachRow"
            )

        async with self._slots:
            await self._run(insert, f"rows of {table}", False)

    async def _run(self, work: Callable[[], T], doing: str, starting: bool) -> T:
        with translated(self.settings, doing, starting=starting):
            return await asyncio.to_thread(work)


def not_started(settings: ClickHouseSettings) -> TargetUnavailable:
    """Return the error of a target that is used before its start."""
    return TargetUnavailable("clickhouse target is not started", system=settings.address)
