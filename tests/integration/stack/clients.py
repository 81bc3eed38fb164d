"""What a real client of each server does: keep one value, and read it back."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pymysql
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from carebus_stack import Endpoints


async def keep_in_kafka(endpoints: Endpoints, value: str) -> None:
    """Produce one message to a topic made for it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])  # a second time is an error code, not raised
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=endpoints.kafka.bootstrap, enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("kept", value.encode())
    await producer.stop()


async def kept_in_kafka(endpoints: Endpoints) -> list[str]:
    """Read the topic from its start, as a group that commits."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=endpoints.kafka.bootstrap, group_id="reader", enable_auto_commit=False
    )
    await consumer.start()
    place = TopicPartition("kept", 0)
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    end = (await consumer.end_offsets([place]))[place]
    values: list[str] = []
    while await consumer.position(place) < end:
        found = await consumer.getmany(timeout_ms=500)
        values += [record.value.decode() for records in found.values() for record in records]
    await consumer.commit({place: end})
    await consumer.stop()
    return values


async def keep_in_mariadb(endpoints: Endpoints, value: str) -> None:
    """The owner makes a table, the user writes to it."""
    with log_in_to_mariadb(endpoints, owner=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (value VARCHAR(80))")
    with log_in_to_mariadb(endpoints) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES (%s)", (value,))
        connection.commit()


async def kept_in_mariadb(endpoints: Endpoints) -> list[str]:
    """Read the table."""
    with log_in_to_mariadb(endpoints) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT value FROM kept")
        return [value for (value,) in cursor.fetchall()]


async def keep_in_postgres(endpoints: Endpoints, value: str) -> None:
    """Make a table and write to it."""
    connection = await _postgres(endpoints)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def kept_in_postgres(endpoints: Endpoints) -> list[str]:
    """Read the table."""
    connection = await _postgres(endpoints)
    rows = await connection.fetch("SELECT value FROM kept")
    await connection.close()
    return [row["value"] for row in rows]


async def keep_in_clickhouse(endpoints: Endpoints, value: str) -> None:
    """Make a table and write to it."""
    ask(endpoints, "CREATE TABLE IF NOT EXISTS kept (value String) ENGINE MergeTree ORDER BY value")
    ask(endpoints, f'INSERT INTO kept FORMAT JSONCompactEachRow\n["{value}"]')


async def kept_in_clickhouse(endpoints: Endpoints) -> list[str]:
    """Read the table."""
    return ask(endpoints, "SELECT value FROM kept").splitlines()


def ask(endpoints: Endpoints, body: str | bytes, **parameters: str) -> str:
    """Return the text of ClickHouse's answer."""
    status, text, _ = answer(endpoints, body, **parameters)
    assert status == 200, text
    return text


def answer(endpoints: Endpoints, body: Any, **parameters: str) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of ClickHouse's answer; an iterable body goes in chunks."""
    endpoint = endpoints.clickhouse
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=30)
    query = urlencode({"database": endpoint.database, **parameters})
    chunked = not isinstance(body, (str, bytes))
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    connection.request("POST", f"/?{query}", body=body, headers=headers, encode_chunked=chunked)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, dict(response.getheaders())


KEEP = {
    "kafka": (keep_in_kafka, kept_in_kafka),
    "mariadb": (keep_in_mariadb, kept_in_mariadb),
    "postgres": (keep_in_postgres, kept_in_postgres),
    "clickhouse": (keep_in_clickhouse, kept_in_clickhouse),
}


def log_in_to_mariadb(endpoints: Endpoints, *, owner: bool = False) -> pymysql.Connection:
    endpoint = endpoints.mariadb
    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.owner_user if owner else endpoint.user,
        password=endpoint.owner_password if owner else endpoint.password,
        database=endpoint.database,
        charset="utf8mb4",
    )


async def _postgres(endpoints: Endpoints) -> asyncpg.Connection:
    endpoint = endpoints.postgres
    return await asyncpg.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
    )
