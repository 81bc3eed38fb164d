"""Making what is missing, with owner rights: the ledger, uuids and mappings of the facility, a provider."""

from __future__ import annotations

from hashlib import blake2b

from carebus_contracts.errors import ConfigurationError
from carebus_loader.adapters.openemr.charts import named_lock
from carebus_loader.adapters.openemr.checking import LAB, LOGIN, read_columns
from carebus_loader.adapters.openemr.conflicts import CONFLICTS, CONFLICTS_DDL
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.derived_sql import after_shared, register
from carebus_loader.adapters.openemr.ledger import LEDGER, LEDGER_DDL, RAISED, RAISED_DDL
from carebus_loader.adapters.openemr.matching import MATCHES, MATCHES_DDL
from carebus_loader.adapters.openemr.places import FACILITIES, USERS
from carebus_loader.adapters.openemr.schema import TABLES
from carebus_loader.adapters.openemr.settings import OpenEmrSettings

SHIPPED_FACILITY = 3


async def prepare(settings: OpenEmrSettings) -> list[str]:
    """Make what is missing; safe to repeat, and by several at once.

    Returns:
        One sentence for each thing made.

    Raises:
        ConfigurationError: Wrong credentials, or no OpenEMR where one is expected.
    """
    done: list[str] = []
    if settings.create_schema:
        await _create_database(settings)
    session = await Session.open(settings, owner=True, starting=True)
    try:
        async with named_lock(session, settings.database, "prepare"):
            found = await read_columns(session, (*TABLES, LEDGER, RAISED, CONFLICTS, MATCHES))
            if settings.create_schema:
                done += await _create_tables(session, set(found))
            elif "patient_data" not in found:
                raise ConfigurationError(
                    f"CAREBUS_OPENEMR_DATABASE={settings.database} holds no OpenEMR; for a demo without "
                    "one set CAREBUS_OPENEMR_CREATE_SCHEMA=true"
                )
            for what, table, ddl in (
                ("ledger", LEDGER, LEDGER_DDL),
                ("record of raised versions", RAISED, RAISED_DDL),
                ("record of conflicts", CONFLICTS, CONFLICTS_DDL),
                ("record of matches", MATCHES, MATCHES_DDL),
            ):
                if table not in found:
                    await session.execute(ddl)
                    done.append(f"openemr: {what} {table}")
            done += await _introduce_facility(session, settings)
            done += await _introduce_provider(session, settings)
            done += await _introduce_lab(session, settings)
    finally:
        session.close()
    return done


async def _create_database(settings: OpenEmrSettings) -> None:
    session = await Session.open(settings, owner=True, database=False, starting=True)
    try:
        await session.execute(
            f"CREATE DATABASE IF NOT EXISTS `{settings.database}` "
            "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        )
    finally:
        session.close()


async def _create_tables(session: Session, there: set[str]) -> list[str]:
    missing = [table for name, table in TABLES.items() if name not in there]
    for table in missing:
        await session.execute(table.ddl())
    if not await session.select("SELECT 1 FROM sequences"):
        await session.execute("INSERT INTO sequences (id) VALUES (1)")
    if not await session.select("SELECT 1 FROM facility"):
        await session.execute(
            "INSERT INTO facility (id, name, pos_code) VALUES (%s, 'carebus demo clinic', 11)",
            (SHIPPED_FACILITY,),
        )
    if not await session.select("SELECT 1 FROM categories"):
        await session.execute(
            "INSERT INTO categories (id, name, parent, lft, rght) VALUES (1, 'Categories', 0, 0, 3), "
            "(13, 'CCDA', 1, 1, 2)"
        )
    return [f"openemr: {len(missing)} tables of OpenEMR, for a demo"] if missing else []


async def _introduce_facility(session: Session, settings: OpenEmrSettings) -> list[str]:
    """Give the facility a uuid, which it ships without, and the mapping under which FHIR shows it."""
    rows = await session.select("SELECT uuid FROM facility WHERE id = %s", (settings.facility_id,))
    if not rows:
        raise ConfigurationError(
            f"CAREBUS_OPENEMR_FACILITY_ID={settings.facility_id} names no row of OpenEMR's facility"
        )
    if rows[0][0] is not None:
        return []
    await session.begin()
    await session.execute(
        "UPDATE facility SET uuid = %s WHERE id = %s AND uuid IS NULL",
        (_uuid(settings.database, "facility", settings.facility_id), settings.facility_id),
    )
    this = f"facility t WHERE t.id = {settings.facility_id:d}"
    for statement in after_shared(FACILITIES, this):
        await session.execute(statement)
    await session.commit()
    return [f"openemr: uuid of facility {settings.facility_id}"]


async def _introduce_provider(session: Session, settings: OpenEmrSettings) -> list[str]:
    """Make the provider for records that name none; there is no way to log in as them."""
    if not settings.provider_npi or await session.select("SELECT 1 FROM users WHERE username = %s", (LOGIN,)):
        return []
    await session.begin()
    await session.execute(
        "INSERT INTO users (uuid, username, fname, lname, npi, authorized, active, facility_id, facility, "
        "organization, abook_type) "
        "SELECT %s, %s, %s, %s, %s, 1, 1, f.id, f.name, f.name, 'external_provider' "
        "FROM facility f WHERE f.id = %s",
        (
            _uuid(settings.database, "users", LOGIN),
            LOGIN,
            settings.provider_given,
            settings.provider_family,
            settings.provider_npi,
            settings.facility_id,
        ),
    )
    this = f"users t WHERE t.username = '{LOGIN}'"
    for statement in after_shared(USERS, this):
        await session.execute(statement)
    await session.commit()
    return [f"openemr: provider {LOGIN}"]


async def _introduce_lab(session: Session, settings: OpenEmrSettings) -> list[str]:
    """Make the laboratory that orders name; FHIR shows results of one whose director has an NPI."""
    if await session.select("SELECT 1 FROM procedure_providers WHERE name = %s", (LAB,)):
        return []
    await session.begin()
    await session.execute(
        "INSERT INTO procedure_providers (uuid, name, npi, active, lab_director) VALUES (%s, %s, %s, 1, "
        "COALESCE((SELECT MIN(id) FROM users WHERE username = %s), 0))",
        (_uuid(settings.database, "procedure_providers", LAB), LAB, settings.provider_npi, LOGIN),
    )
    this = "procedure_providers t WHERE t.name = %s"
    await session.execute(register("procedure_providers", this, key="ppid"), (LAB,))
    await session.commit()
    return [f"openemr: laboratory {LAB}"]


def _uuid(database: str, entity: str, key: object) -> bytes:
    """Return a UUIDv8 that ends in the digit 0, as all of ours that others are derived from."""
    raw = bytearray(blake2b(f"{database}/{entity}/{key}".encode(), digest_size=16).digest())
    raw[6] = 0x80 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    raw[15] &= 0xF0
    return bytes(raw)
