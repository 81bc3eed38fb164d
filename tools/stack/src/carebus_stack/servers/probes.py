"""Ask each kind of server whether it serves a client now; works on containers just as well."""

import asyncio
import contextlib
import http.client
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from carebus_stack.endpoints import (
    ClickHouseEndpoint,
    Endpoints,
    KafkaEndpoint,
    MariaDbEndpoint,
    PostgresEndpoint,
)
from carebus_stack.ports import accepts

# Of the internal topics. The default of 50 costs seconds at the first use.
COORDINATOR_PARTITIONS = 8


def kafka_serves(endpoint: KafkaEndpoint) -> bool:
    """Return whether every group can find its coordinator, loaded.

    A fresh broker makes its internal topics at the first question for a coordinator, and answers
    the first clients with "not available"; so we ask first.
    """
    return accepts(_port(endpoint.bootstrap)) and asyncio.run(_coordinators_ready(endpoint.bootstrap))


def mariadb_serves(endpoint: MariaDbEndpoint) -> bool:
    """Return whether the owner can log in to the OpenEMR schema."""
    import pymysql  # noqa: PLC0415 - `down` need not pay for it

    if not accepts(endpoint.port):
        return False
    try:
        connection = pymysql.connect(
            host=endpoint.host,
            port=endpoint.port,
            user=endpoint.owner_user,
            password=endpoint.owner_password,
            database=endpoint.database,
            connect_timeout=3,
            read_timeout=5,
        )
    except (pymysql.MySQLError, OSError):
        return False
    connection.close()
    return True


def postgres_serves(endpoint: PostgresEndpoint) -> bool:
    """Return whether the user can log in to its database, which is made when it is not there."""
    return accepts(endpoint.port) and asyncio.run(_can_log_in(endpoint))


def clickhouse_serves(endpoint: ClickHouseEndpoint) -> bool:
    """Return whether a query comes back."""
    # Not urllib, which would ask a proxy named in the environment for loopback.
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5)
    try:
        connection.request("POST", "/", body=b"SELECT 1")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


PROBES: Mapping[str, Callable[[Endpoints], bool]] = MappingProxyType(
    {
        "kafka": lambda endpoints: kafka_serves(endpoints.kafka),
        "mariadb": lambda endpoints: mariadb_serves(endpoints.mariadb),
        "postgres": lambda endpoints: postgres_serves(endpoints.postgres),
        "clickhouse": lambda endpoints: clickhouse_serves(endpoints.clickhouse),
    }
)


def wait_for(condition: Callable[[], bool], *, timeout_s: float, poll_s: float = 0.1) -> bool:
    """Return whether the condition came true within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


async def _coordinators_ready(bootstrap: str) -> bool:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - 0.3 s that `down` need not pay
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    # Consecutive last characters hash to consecutive partitions, so these names visit them all.
    groups = [f"carebus-stack-probe-{n}" for n in range(COORDINATOR_PARTITIONS)]
    try:
        await client.start()
        await client.find_coordinator("carebus-stack-probe", coordinator_type=1)
        await asyncio.gather(*(client.list_consumer_group_offsets(group) for group in groups))
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
    return True


async def _can_log_in(endpoint: PostgresEndpoint) -> bool:
    import asyncpg  # noqa: PLC0415 - `down` need not pay for it

    async def connect(database: str) -> Any:
        return await asyncpg.connect(
            host=endpoint.host,
            port=endpoint.port,
            user=endpoint.user,
            password=endpoint.password,
            database=database,
            timeout=5,
            ssl=False,
        )

    try:
        try:
            connection = await connect(endpoint.database)
        except asyncpg.InvalidCatalogNameError:
            connection = await connect("postgres")
            with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'CREATE DATABASE "{endpoint.database}"')
        await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return False
    return True


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
