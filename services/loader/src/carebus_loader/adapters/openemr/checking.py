"""Whether the schema at the server is the one that we know, and a session that is ready to write."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from carebus_contracts.errors import ConfigurationError, SchemaFrozen
from carebus_loader.adapters.openemr.conflicts import CONFLICTS
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.ledger import LEDGER, LEDGER_COLUMNS, RAISED
from carebus_loader.adapters.openemr.matching import MATCHES
from carebus_loader.adapters.openemr.row_sql import temporary_tables
from carebus_loader.adapters.openemr.schema import (
    READ_FOR_DOCUMENTS,
    TABLES,
    WRITTEN,
    WRITTEN_FOR_DOCUMENTS,
    Column,
    Table,
)
from carebus_loader.adapters.openemr.settings import OpenEmrSettings

LOGIN = "carebus"
"""Username in ``users`` of the provider for records that name none; nobody can log in with it."""
LAB = "carebus: results of the source"
"""Name in ``procedure_providers`` of the laboratory that orders and results are of."""
_PREPARE = "run `carebus targets prepare openemr`"
_WIDTH = re.compile(r"^(tinyint|smallint|mediumint|int|bigint)\(\d+\)")
_VARCHAR = re.compile(r"^varchar\((\d+)\)$")


class Found(NamedTuple):
    """One column at the server."""

    type: str
    nullable: bool
    has_default: bool

    @property
    def plain_type(self) -> str:
        """The type without display widths, which MySQL 8 dropped."""
        return _WIDTH.sub(r"\1", self.type.lower())


async def check_schema(session: Session, settings: OpenEmrSettings) -> None:
    """Compare tables and ledger with what we know.

    Raises:
        ConfigurationError: The schema was not prepared, or a setting names nothing in it.
        SchemaFrozen: A table or column is not as we know it; the text says which and what is expected.
    """
    documents = (*WRITTEN_FOR_DOCUMENTS, *READ_FOR_DOCUMENTS) if settings.sites_folder else ()
    known = (*WRITTEN, *documents)
    found = await read_columns(session, (*known, LEDGER, RAISED, CONFLICTS, MATCHES))
    if not any(table in found for table in WRITTEN):
        raise ConfigurationError(
            f"CAREBUS_OPENEMR_DATABASE={settings.database} holds no OpenEMR: install OpenEMR there, or for a "
            f"demo set CAREBUS_OPENEMR_CREATE_SCHEMA=true and {_PREPARE}"
        )
    for what, table in (
        ("ledger", LEDGER),
        ("record of raised versions", RAISED),
        ("record of conflicts", CONFLICTS),
        ("record of matches", MATCHES),
    ):
        if table not in found:
            raise ConfigurationError(f"the {what} {table} is not there yet: {_PREPARE}")
    if faults := list(differences(found, (TABLES[name] for name in known))):
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise SchemaFrozen(f"OpenEMR's schema is not the one of 7.0.4 to 8.2: {'; '.join(faults[:3])}{more}")
    if lacking := LEDGER_COLUMNS - set(found[LEDGER]):
        raise SchemaFrozen(f"the ledger {LEDGER} lacks {sorted(lacking)[0]}: it is of another version")
    for table in known:
        if "uuid" in TABLES[table].columns and not await _is_unique(session, table, "uuid"):
            raise SchemaFrozen(f"OpenEMR's {table}.uuid is expected to have a unique key")
    if not await session.select("SELECT 1 FROM facility WHERE id = %s", (settings.facility_id,)):
        raise ConfigurationError(
            f"CAREBUS_OPENEMR_FACILITY_ID={settings.facility_id} names no row of OpenEMR's facility"
        )
    if not await session.select("SELECT 1 FROM sequences"):
        raise SchemaFrozen("OpenEMR's table sequences has no row; it ships with one")
    if not (await session.select("SELECT @@local_infile"))[0][0]:
        raise ConfigurationError(
            f"{settings.system} has local_infile off; set local_infile=1 there, as rows are sent by "
            "LOAD DATA LOCAL"
        )


async def open_session(settings: OpenEmrSettings, *, starting: bool = False) -> Session:
    """Connect, and make ready what statements refer to: ``@carebus_*`` and the staging tables."""
    session = await Session.open(settings, starting=starting)
    try:
        await session.execute(
            "SET @carebus_user = %s, @carebus_npi = %s, @carebus_facility = %s, "
            "@carebus_facility_name = (SELECT name FROM facility WHERE id = %s), "
            "@carebus_provider = COALESCE((SELECT MIN(id) FROM users WHERE username = %s), 0), "
            "@carebus_lab = COALESCE((SELECT MIN(ppid) FROM procedure_providers WHERE name = %s), 0)",
            (LOGIN, settings.default_npi, settings.facility_id, settings.facility_id, LOGIN, LAB),
        )
        for statement in temporary_tables():
            await session.execute(statement)
    except BaseException:
        session.close()
        raise
    session.starting = False
    return session


async def read_columns(session: Session, tables: Iterable[str]) -> dict[str, dict[str, Found]]:
    """Return the columns of those tables that are there."""
    names = list(tables)
    rows = await session.select(
        "SELECT table_name, column_name, column_type, is_nullable, column_default, extra "
        "FROM information_schema.columns WHERE table_schema = DATABASE() "
        f"AND table_name IN ({marks(names)})",
        names,
    )
    found: defaultdict[str, dict[str, Found]] = defaultdict(dict)
    for table, column, kind, nullable, default, extra in rows:
        set_by_server = default is not None or "auto_increment" in extra.lower()
        found[table][column] = Found(kind, nullable == "YES", set_by_server)
    return dict(found)


def differences(found: dict[str, dict[str, Found]], tables: Iterable[Table]) -> Iterable[str]:
    """Yield what is not as we know it, a clause each."""
    for table in tables:
        there = found.get(table.name)
        if there is None:
            yield f"there is no table {table.name}"
            continue
        for column in table.columns.values():
            if column.name not in there:
                yield f"{table.name} has no column {column.name}, {column.type} is expected"
            elif not _fits(there[column.name], column):
                is_now = there[column.name].plain_type
                yield f"{table.name}.{column.name} is {is_now}, {column.type} is expected"
        for name, column_found in there.items():
            if name not in table.columns and not (column_found.nullable or column_found.has_default):
                yield f"{table.name}.{name} demands a value, and this version knows none"


def _fits(found: Found, expected: Column) -> bool:
    there, ours = _VARCHAR.match(found.plain_type), _VARCHAR.match(expected.type)
    if there and ours:
        return int(there[1]) >= int(ours[1])
    return found.plain_type == expected.type


async def _is_unique(session: Session, table: str, column: str) -> bool:
    """Return whether one key of this column alone is unique."""
    found = await session.select(
        "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "AND table_name = %s AND non_unique = 0 GROUP BY index_name "
        "HAVING COUNT(*) = 1 AND MAX(column_name) = %s",
        (table, column),
    )
    return bool(found) or table == "uuid_mapping"
