"""Our facts about OpenEMR's tables agree with OpenEMR's, and what differs is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from carebus_contracts.errors import ConfigurationError, SchemaFrozen, TargetUnavailable
from carebus_loader.adapters.openemr import OpenEmrTarget
from carebus_loader.adapters.openemr.derived_sql import OF_FORM, OF_LIST, OF_TARGET
from carebus_loader.adapters.openemr.schema import TABLES, Column

from .conftest import Server

FORCED = {OF_FORM, OF_LIST, OF_TARGET}
"""Keys that statements ask for by name."""


def _as_facts(type_: str, nullable: str, default: str | None, extra: str) -> tuple[Any, ...]:
    plain = re.sub(r"^(tinyint|smallint|int|bigint)\(\d+\)", r"\1", type_)
    shown = None if default in (None, "NULL") else default.replace("current_timestamp()", "CURRENT_TIMESTAMP")
    return plain, nullable == "YES", shown, "auto_increment" in extra, "on update" in extra


def _of(column: Column) -> tuple[Any, ...]:
    return column.type, column.nullable, column.default, column.auto, column.touched


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_facts_agree_with_the_real_schema(server: Server, real_schema: str, table: Any) -> None:
    """Every column that we know has the real type, nullability and default, and so have the keys."""
    columns = {
        name: _as_facts(*rest)
        for name, *rest in server.query(
            "SELECT column_name, column_type, is_nullable, column_default, extra FROM "
            "information_schema.columns WHERE table_schema = %s AND table_name = %s",
            real_schema,
            table.name,
        )
    }
    keys: dict[str, tuple[bool, list[str]]] = {}
    for name, non_unique, column in server.query(
        "SELECT index_name, non_unique, column_name FROM information_schema.statistics "
        "WHERE table_schema = %s AND table_name = %s ORDER BY index_name, seq_in_index",
        real_schema,
        table.name,
    ):
        keys.setdefault(name, (not non_unique, []))[1].append(column)

    demanded = {
        n
        for n, (_, nullable, default, auto, _) in columns.items()
        if not nullable and default is None and not auto
    }

    assert {c.name: _of(c) for c in table.columns.values()} == {n: columns[n] for n in table.columns}
    assert demanded <= set(table.columns)
    assert tuple(keys.pop("PRIMARY", (True, []))[1]) == table.primary
    assert sorted(table.unique) == sorted(tuple(k) for unique, k in keys.values() if unique)
    there = {name: tuple(k) for name, (unique, k) in keys.items() if not unique}
    assert set(table.keys.values()) <= set(there.values())
    assert {n: k for n, k in table.keys.items() if n in FORCED} == {
        n: k for n, k in there.items() if n in FORCED
    }


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The name of a schema that is not there."""
    database = f"openemr_none_{uuid4().hex[:8]}"
    yield database
    server.drop(database)


async def test_prepare_makes_a_demo_once(server: Server, empty: str) -> None:
    """Without an OpenEMR our facts make its tables; the second time there is nothing to make."""
    target = OpenEmrTarget(server.settings(empty, create_schema=True))

    first = await target.prepare()
    second = await target.prepare()
    await target.start()
    await target.stop()

    assert any("ledger" in made for made in first)
    assert second == []


async def test_prepare_keeps_off_a_schema_without_openemr(server: Server, empty: str) -> None:
    """Where no OpenEMR is, nothing is made unless one asks for a demo."""
    server.query(f"CREATE DATABASE {empty}")

    with pytest.raises(ConfigurationError, match="CAREBUS_OPENEMR_CREATE_SCHEMA"):
        await OpenEmrTarget(server.settings(empty)).prepare()

    assert server.query("SELECT 1 FROM information_schema.tables WHERE table_schema = %s", empty) == []


async def test_start_asks_for_the_ledger(server: Server, real_schema: str) -> None:
    """A schema that was not prepared stops the start with the command that prepares it."""
    with pytest.raises(ConfigurationError, match="carebus targets prepare"):
        await OpenEmrTarget(server.settings(real_schema)).start()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(
            "ALTER TABLE lists DROP COLUMN external_id", r"lists.*external_id, varchar\(20\)", id="gone"
        ),
        pytest.param(
            "ALTER TABLE lists MODIFY title VARCHAR(50)", r"lists\.title is varchar\(50\)", id="narrower"
        ),
        pytest.param(
            "ALTER TABLE forms ADD COLUMN odd INT NOT NULL", r"forms\.odd demands a value", id="demanding"
        ),
        pytest.param("DROP TABLE issue_encounter", "no table issue_encounter", id="no table"),
        pytest.param("ALTER TABLE prescriptions DROP KEY uuid", r"prescriptions\.uuid", id="no unique key"),
        pytest.param("DELETE FROM sequences", "sequences has no row", id="no counter"),
    ],
)
async def test_unknown_shape_is_refused(server: Server, empty: str, change: str, named: str) -> None:
    """Another shape stops the start, and the text says which table and column and what is expected."""
    target = OpenEmrTarget(server.settings(empty, create_schema=True))
    await target.prepare()
    server.query(f"USE {empty}")
    server.query(change)

    with pytest.raises(SchemaFrozen, match=named):
        await target.start()


async def test_wrong_password_names_the_variables(server: Server, empty: str) -> None:
    """At the start it is a matter of configuration."""
    with pytest.raises(ConfigurationError, match="CAREBUS_OPENEMR_PASSWORD_FILE"):
        await OpenEmrTarget(server.settings(empty, password="wrong")).start()


async def test_server_that_does_not_answer_is_waited_for(server: Server, empty: str) -> None:
    """Nobody at the port: to be tried again."""
    with pytest.raises(TargetUnavailable, match="did not answer"):
        await OpenEmrTarget(server.settings(empty, port=1)).start()
