"""The ClickHouse target."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.versions import Version
from carebus_loader.adapters.clickhouse import schema, sql
from carebus_loader.adapters.clickhouse.connection import Connection, not_started
from carebus_loader.adapters.clickhouse.loading import load
from carebus_loader.adapters.clickhouse.row_versions import row_version
from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings
from carebus_loader.ports import Delivery, Written


class ClickHouseTarget:
    """Writes plans of OMOP rows to ClickHouse, which has no transactions.

    Effect once: every row carries the version of its plan, and the scope table says which version of
    a subject's rows counts. It is written last, in one insert, and the views read through it: a batch
    shows whole or not at all, and the same batch again, at any time, ends in the same state.
    """

    name = "clickhouse"

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._narrow_dates = False

    async def start(self) -> None:
        """Connect, and check tables and views.

        Raises:
            ConfigurationError: Wrong credentials, or nothing is prepared.
            SchemaFrozen: The tables are not the ones that we know.
            TargetUnavailable: It does not answer.
        """
        connection = await Connection.open(self._settings)
        try:
            await schema.check(connection)
            self._narrow_dates = await schema.has_narrow_dates(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def stop(self) -> None:
        """Close all connections."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def ping(self) -> None:
        """Answer whether the server does.

        Raises:
            TargetUnavailable: It does not.
        """
        await self._started().rows("SELECT 1", "ping")

    def grants(self, user: str) -> list[str]:
        """Return the statements that give a user the rights of a loader."""
        return schema.grants(self._settings, user)

    async def prepare(self) -> list[str]:
        """Make database, tables and views with owner rights, and delete rows that no longer count.

        Safe to repeat, and for two at once.
        """
        connection = await Connection.open(self._settings, owner=True)
        try:
            return [*await schema.make(connection), *await schema.tidy(connection)]
        finally:
            await connection.close()

    async def write(self, batch: Sequence[Delivery]) -> list[Written]:
        """Write a batch; deliveries with ``dry_run`` are only compared.

        Counts of changed subjects are by number: of a table that changes all rows are written anew.

        Raises:
            ConstraintViolated: A row in here is refused for good; nothing of the batch shows.
            TargetUnavailable: Try the same batch again later.
            SchemaFrozen: The tables changed under us.
        """
        done: dict[int, Written] = {}
        for dry_run in (True, False):
            if part := [d for d in batch if d.dry_run is dry_run]:
                written = await load(self._started(), part, narrow_dates=self._narrow_dates, dry_run=dry_run)
                done |= {id(d): w for d, w in zip(part, written, strict=True)}
        return [done[id(d)] for d in batch]

    async def vanished(self, source: str, version: Version) -> list[int]:
        """Return the persons of whom nothing is as new as a version."""
        connection = self._started()
        query = sql.vanished(connection.database, source, row_version(version))
        return sorted(key for (key,) in await connection.rows(query, "vanished persons"))

    def _started(self) -> Connection:
        if self._connection is None:
            raise not_started(self._settings)
        return self._connection
