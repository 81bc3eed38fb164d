"""One snapshot of a Postgres schema: what tables it has, and copies of their rows in local files."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from carebus_contracts.errors import ConfigurationError, JobError, SourceUnavailable
from carebus_contracts.names import NameColumns
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_extractor.adapters.engine import identifier
from carebus_extractor.domain.columns import ALL_TABLES, check_columns, clean_name, match_columns, shortened
from carebus_extractor.domain.names_sql import is_named, no_such_table, places_of_names
from carebus_extractor.domain.table_names import NOT_CARRIED, table_named
from carebus_extractor.settings import PostgresConnection
from carebus_runtime.tls import client_tls

WHOLE_NUMBERS = ("smallint", "integer", "bigint", "numeric")
COUNTED_PAGES = 25_000
"""Tables that we do not carry are counted up to 200 MB, and beyond that estimated."""

_TABLES = """
SELECT c.relname AS name, c.relpages AS pages, greatest(c.reltuples, 0)::bigint AS about,
       has_table_privilege(c.oid, 'SELECT') AS readable,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
GROUP BY c.oid, c.relname, c.relpages, c.reltuples ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class SchemaTable:
    """One CDM table of the schema."""

    table: str
    name: str
    """SQL of its name."""
    columns: tuple[str, ...]
    types: tuple[str, ...]

    def column(self, column: str) -> str:
        """Return SQL of the field that holds a column of CDM 5.4."""
        return identifier(self.columns[match_columns(self.table, self.columns).places[column]])


@dataclass(frozen=True, slots=True)
class Schema:
    """What a schema holds."""

    tables: Mapping[str, SchemaTable]
    notes: tuple[str, ...]


class Session:
    """A read-only transaction that sees one state of the database from beginning to end."""

    def __init__(self, connection: Any, schema: str, version_ms: int) -> None:
        self._connection = connection
        self._schema = schema
        self.version_ms = version_ms
        """When the transaction began: never later than the state it sees, so that no change made
        meanwhile can be taken for older than this read."""

    async def fingerprint(self) -> str:
        """Which server, database and schema this is; not the state of its rows."""
        try:
            server = await self._connection.fetchval("SELECT system_identifier FROM pg_control_system()")
        except asyncpg.InsufficientPrivilegeError:
            server = await self._connection.fetchval(
                "SELECT coalesce(host(inet_server_addr()), '') || ':' || coalesce(inet_server_port(), 0)"
            )
        database = await self._connection.fetchval("SELECT current_database()")
        return f"postgres {server} {database} {self._schema}"

    async def schema(self) -> Schema:
        """Find the CDM tables.

        Raises:
            JobError: There is none, two claim one name, one does not fit or may not be read.
        """
        tables: dict[str, SchemaTable] = {}
        notes: list[str] = []
        strange: list[str] = []
        for row in await self._connection.fetch(_TABLES, self._schema):
            named = table_named(row["name"])
            if named is None or named.part:
                strange.append(row["name"])
                continue
            name = f"{identifier(self._schema)}.{identifier(row['name'])}"
            if named.table in NOT_CARRIED:
                notes.append(await self._not_carried(named.table, name, row))
                continue
            if not row["readable"]:
                raise JobError(
                    f"the user of the connection has no right to read {self._schema}.{row['name']}"
                )
            if named.table in tables:
                raise JobError(f"both {tables[named.table].name} and {name} are {named.table}; leave one")
            match = match_columns(named.table, row["columns"])
            check_columns(named.table, row["name"], match)
            if match.unknown:
                notes.append(f"{row['name']}: not in the CDM, so left behind: {shortened(match.unknown)}")
            _check_numbers(named.table, row)
            tables[named.table] = SchemaTable(named.table, name, tuple(row["columns"]), tuple(row["types"]))
        if strange:
            notes.append(f"no CDM table, so left behind: {shortened(strange)}")
        if "person" not in tables:
            found = f"found: {shortened(sorted(tables))}" if tables else "no CDM table was found"
            raise JobError(f"schema {self._schema!r} has no person table ({found})")
        return Schema(tables, tuple(notes))

    async def names_query(self, names: NameColumns, where: Callable[[str], str]) -> str:
        """Return the query for persons' names, with its fields in the order of ``names.columns``.

        Args:
            names: Where they are.
            where: Condition on the persons, given SQL of their id.

        Raises:
            JobError: The table, or a column of it, is not there.
        """
        rows = await self._connection.fetch(_TABLES, self._schema)
        row = next((row for row in rows if is_named(row["name"], names.table)), None)
        if row is None:
            raise no_such_table(names.table, [row["name"] for row in rows])
        columns = row["columns"]
        places = places_of_names(names, row["name"], columns)
        if (kind := row["types"][places["person_id"]]) not in WHOLE_NUMBERS:
            raise JobError(f"person_id of {row['name']} is of type {kind}; a whole number is needed")
        key = identifier(columns[places["person_id"]])
        cells = [
            f"{identifier(columns[place])}::text" for what, place in places.items() if what != "person_id"
        ]
        table = f"{identifier(self._schema)}.{identifier(row['name'])}"
        return f"SELECT {key}, {', '.join(cells)} FROM {table} WHERE {where(key)}"

    async def copy(self, query: str, path: Path) -> None:
        """Write the answer of a query to a file, in a stream."""
        await self._connection.copy_from_query(query, output=path, format="csv")

    async def value(self, query: str) -> Any:
        """Return the one value that a query answers."""
        return await self._connection.fetchval(query)

    async def _not_carried(self, table: str, name: str, row: Any) -> str:
        if not row["readable"] or row["pages"] > COUNTED_PAGES:
            return f"{table} is not carried: about {row['about']:,} rows left behind"
        rows = await self._connection.fetchval(f"SELECT count(*) FROM {name}")
        return f"{table} is not carried: {rows:,} rows left behind"


def _check_numbers(table: str, row: Any) -> None:
    """See that the columns which slices are cut by can be compared."""
    keys = ("person_id", *ALL_TABLES[table].key, "cost_event_id") if table in PERSON_TABLES else ()
    for column, kind in zip(row["columns"], row["types"], strict=True):
        if clean_name(column) in keys and kind not in WHOLE_NUMBERS:
            raise JobError(
                f"{clean_name(column)} of {row['name']} is of type {kind}; a whole number is needed"
            )


@asynccontextmanager
async def session(name: str, settings: PostgresConnection, schema: str) -> AsyncIterator[Session]:
    """Connect, and hold one snapshot.

    Raises:
        JobError: The server refuses us, or what we ask.
        SourceUnavailable: It does not answer.
    """
    system = f"postgres at {settings.host}:{settings.port}"
    try:
        connection = await asyncpg.connect(
            host=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.user,
            password=settings.secret() or None,
            ssl=_tls(settings),
            timeout=settings.connect_timeout_s,
            server_settings={
                "application_name": "carebus-extractor",
                "timezone": "UTC",
                "datestyle": "ISO, YMD",
                "default_transaction_read_only": "on",
            },
        )
    except ConfigurationError as error:
        raise JobError(f"connection {name!r}: {error}") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise JobError(f"connection {name!r}: the server refuses the user or its password") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise JobError(f"connection {name!r}: the server has no database {settings.database!r}") from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SourceUnavailable(
            f"{system} does not answer ({type(error).__name__})", system=system
        ) from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            now = await connection.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
            yield Session(connection, schema, int(now))
    except asyncpg.InsufficientPrivilegeError as error:
        raise JobError(f"connection {name!r}: its user lacks a right to read in schema {schema!r}") from error
    except (
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
    ) as error:
        raise SourceUnavailable(f"{system} went away ({type(error).__name__})", system=system) from error
    except asyncpg.PostgresError as error:
        # the server's own words may hold values
        raise JobError(f"connection {name!r}: a query failed ({type(error).__name__})") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise SourceUnavailable(f"{system} went away ({type(error).__name__})", system=system) from error
    finally:
        await connection.close(timeout=5)


def _tls(settings: PostgresConnection) -> ssl.SSLContext | str:
    if settings.ssl not in ("verify-ca", "verify-full"):
        return settings.ssl
    return client_tls(settings.ssl_ca, check_hostname=settings.ssl == "verify-full")
