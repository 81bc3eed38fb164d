"""The Postgres target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from carebus_contracts.errors import TargetUnavailable
from carebus_contracts.versions import Version
from carebus_loader.adapters.postgres import schema
from carebus_loader.adapters.postgres.comparing import compare
from carebus_loader.adapters.postgres.errors import translated
from carebus_loader.adapters.postgres.ledger import Ledger, Overtaken
from carebus_loader.adapters.postgres.loading import load
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.ports import Delivery, Written

_ATTEMPTS = 5
"""Times that a batch begins again when others meet its subjects first; then it waits its turn."""


class PostgresTarget:
    """Writes plans of OMOP rows to Postgres.

    Effect once: data and ledger change in one transaction that first locks the ledger entries of its
    subjects, in key order. A batch costs a fixed number of round trips, not one a row or subject.
    """

    name = "postgres"

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._pool: Any = None

    async def start(self) -> None:
        """Connect, and check the schema.

        Raises:
            ConfigurationError: Wrong credentials or database, or nothing is prepared.
            SchemaFrozen: The tables are not the ones that we know.
            TargetUnavailable: It does not answer.
        """
        with translated(self._settings, "start", starting=True):
            # One connection writes, the other answers pings meanwhile.
            pool = await asyncpg.create_pool(**self._settings.connection(), min_size=1, max_size=2)
            try:
                async with pool.acquire() as connection:
                    await schema.check(connection, self._settings)
            except BaseException:
                await pool.close()
                raise
        self._pool = pool

    async def stop(self) -> None:
        """Close all connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def ping(self) -> None:
        """Answer whether the server does.

        Raises:
            TargetUnavailable: It does not.
        """
        with translated(self._settings, "ping"):
            await self._started().fetchval("SELECT 1", timeout=self._settings.connect_timeout_s)

    def grants(self, user: str) -> list[str]:
        """Return the statements that give a user the rights of a loader."""
        return schema.grants(self._settings, user)

    async def prepare(self) -> list[str]:
        """Make schema, tables and ledger with owner rights; safe to repeat, and for two at once."""
        with translated(self._settings, "prepare", starting=True):
            connection = await asyncpg.connect(**self._settings.connection(owner=True))
            try:
                return await schema.make(connection, self._settings)
            finally:
                await connection.close()

    async def write(self, batch: Sequence[Delivery]) -> list[Written]:
        """Write a batch in one transaction; deliveries with ``dry_run`` are only compared.

        Raises:
            ConstraintViolated: A row in here is refused for good.
            TargetUnavailable: Try the same batch again later.
            SchemaFrozen: The tables changed under us.
        """
        wet = [d for d in batch if not d.dry_run]
        dry = [d for d in batch if d.dry_run]
        done = {id(d): w for d, w in zip(dry, await self._compare(dry), strict=True)}
        done |= {id(d): w for d, w in zip(wet, await self._load(wet), strict=True)}
        return [done[id(d)] for d in batch]

    async def vanished(self, source: str, version: Version) -> list[int]:
        """Return the persons of whom nothing is as new as a version."""
        with translated(self._settings, "vanished persons"):
            async with self._started().acquire() as connection:
                return await Ledger(connection, self._settings.omop_schema).vanished_ids(source, version)

    async def _compare(self, batch: Sequence[Delivery]) -> list[Written]:
        if not batch:
            return []
        with translated(self._settings, "dry run"):
            async with (
                self._started().acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                return await compare(connection, self._settings, batch)

    async def _load(self, batch: Sequence[Delivery]) -> list[Written]:
        if not batch:
            return []
        for _ in range(_ATTEMPTS):
            try:
                with translated(self._settings, "batch"):
                    async with self._started().acquire() as connection, connection.transaction():
                        return await load(connection, self._settings, batch)
            except Overtaken:
                continue
        raise TargetUnavailable("other loaders write the same subjects", system=self._settings.address)

    def _started(self) -> Any:
        if self._pool is None:
            raise TargetUnavailable("postgres target is not started", system=self._settings.address)
        return self._pool
