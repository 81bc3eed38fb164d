"""What codes of Postgres and ClickHouse come to: who is at fault decides the reaction, and no text of theirs stays."""

from __future__ import annotations

import pytest

from carebus_contracts.errors import (
    CareBusError,
    ConfigurationError,
    ConstraintViolated,
    SchemaFrozen,
    TargetUnavailable,
)
from carebus_loader.adapters.clickhouse import errors as clickhouse
from carebus_loader.adapters.postgres import errors as postgres
from carebus_loader.adapters.warehouse_errors import Fault, Server, error_of

SERVER = Server("postgres at db:5432", "loader", "run `prepare`")


@pytest.mark.parametrize(
    ("fault", "starting", "kind", "text"),
    [
        (Fault.LOGIN, True, ConfigurationError, "db:5432 refuses the login: check THE_USER (42)"),
        (Fault.LOGIN, False, TargetUnavailable, "db:5432, rows of person: 42"),
        (Fault.RIGHTS, True, ConfigurationError, "'loader' too few rights for rows of person; run `prepare`"),
        (Fault.RIGHTS, False, SchemaFrozen, "'loader' too few rights for rows of person; run `prepare`"),
        (Fault.SCHEMA, False, SchemaFrozen, "rows of person: tables are not as this version knows them"),
        (Fault.DATA, False, ConstraintViolated, "rows of person: 42"),
        (Fault.SERVER, True, TargetUnavailable, "db:5432, rows of person: 42"),
    ],
)
def test_a_fault_has_its_reaction(fault: Fault, starting: bool, kind: type[CareBusError], text: str) -> None:
    """Wrong settings stop a loader that starts, and one that runs waits for their change."""
    error = error_of(fault, SERVER, doing="rows of person", what="42", check="THE_USER", starting=starting)

    assert type(error) is kind
    assert text in str(error)


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        pytest.param("28P01", Fault.LOGIN, id="invalid_password"),
        pytest.param("3D000", Fault.LOGIN, id="invalid_catalog_name"),
        pytest.param("42501", Fault.RIGHTS, id="insufficient_privilege"),
        pytest.param("42P01", Fault.SCHEMA, id="undefined_table"),
        pytest.param("22001", Fault.DATA, id="string_data_right_truncation"),
        pytest.param("23505", Fault.DATA, id="unique_violation"),
        pytest.param("57P01", Fault.SERVER, id="admin_shutdown"),
        pytest.param("53300", Fault.SERVER, id="too_many_connections"),
        pytest.param("", Fault.SERVER, id="none"),
    ],
)
def test_states_of_postgres(state: str, fault: Fault) -> None:
    """PostgreSQL's documentation, appendix A."""
    assert postgres.fault_of(state) is fault


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        pytest.param(516, Fault.LOGIN, id="AUTHENTICATION_FAILED"),
        pytest.param(497, Fault.RIGHTS, id="ACCESS_DENIED"),
        pytest.param(60, Fault.SCHEMA, id="UNKNOWN_TABLE"),
        pytest.param(27, Fault.DATA, id="CANNOT_PARSE_INPUT_ASSERTION_FAILED"),
        pytest.param(241, Fault.SERVER, id="MEMORY_LIMIT_EXCEEDED"),
        pytest.param(0, Fault.SERVER, id="none"),
    ],
)
def test_codes_of_clickhouse(code: int, fault: Fault) -> None:
    """ClickHouse's ErrorCodes.cpp."""
    assert clickhouse.fault_of(code) is fault
