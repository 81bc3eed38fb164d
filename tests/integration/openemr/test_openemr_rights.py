"""A loader with just the rights that `carebus targets grants openemr` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pymysql
import pytest

from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.plans import read_plan
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_loader.adapters.openemr import OpenEmrTarget
from support.omop_bundles import SYNTHEA27NJ, bundles
from support.target_suite import put

from .conftest import Server
from .hand_made import a_retirement, whole

CONVERT = Conversion(documents=DocumentSettings(), openemr=MappingSettings())
REFUSED = (1142, 1143)
"""ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR."""


async def test_loader_with_least_rights_loads_and_cannot_change_tables(
    server: Server, new_schema: Callable[[], str], tmp_path: Path
) -> None:
    """It writes, rewrites and retires charts in OpenEMR's real schema; DROP, ALTER and others are refused."""
    database, user, password = new_schema(), f"least_{uuid4().hex[:8]}", uuid4().hex
    (tmp_path / "default" / "documents").mkdir(parents=True)
    owner = OpenEmrTarget(server.settings(database, sites_folder=tmp_path))
    await owner.prepare()
    server.query(f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
    try:
        for statement in owner.grants(user):
            server.query(statement)
        settings = server.settings(
            database, user=user, password=password, owner_user="", owner_password="", sites_folder=tmp_path
        )
        bundle = decode_person(next(bundles(SYNTHEA27NJ)))
        document = read_plan(CONVERT(bundle, "openemr", filed=True) or b"")
        target = OpenEmrTarget(settings)
        await target.start()
        try:
            first = await put(target, whole("least", 1))
            again = await put(target, whole("least", 1), v=2)
            retired = await put(target, a_retirement("least", 1), v=3)
            filed = await put(target, document)
            unfiled = await put(target, a_retirement(document.source, bundle.person_id), v=2)
        finally:
            await target.stop()
        connection = pymysql.connect(
            host=settings.host, port=settings.port, user=user, password=password, database=database
        )
        with connection, connection.cursor() as cursor:
            for statement in (
                "DROP TABLE patient_data",
                "ALTER TABLE patient_data ADD COLUMN x INT",
                "TRUNCATE TABLE carebus_subject",
                "CREATE TABLE mine (id INT)",
                "SELECT * FROM globals",
                "UPDATE users SET username = 'admin'",
                "UPDATE users SET password = 'x'",
                "UPDATE users SET google_signin_email = 'x'",
                "DELETE FROM users",
                "DELETE FROM categories",
            ):
                with pytest.raises(pymysql.err.OperationalError) as refused:
                    cursor.execute(statement)
                assert refused.value.args[0] in REFUSED, statement
    finally:
        server.query(f"DROP USER {user}@'%'")

    assert [w.result.value for w in (first, again, retired)] == ["applied", "unchanged", "applied"]
    assert [w.tables["documents"] for w in (filed, unfiled)] == [1, 1]
