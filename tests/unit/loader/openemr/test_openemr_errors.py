"""Errors of the driver become those whose reaction is right, without the values that the server quotes."""

from __future__ import annotations

import re

import pymysql.err as driver
import pytest

from carebus_contracts.errors import (
    ConfigurationError,
    ConstraintViolated,
    FatalError,
    SchemaFrozen,
    TargetUnavailable,
)
from carebus_loader.adapters.openemr import OpenEmrSettings
from carebus_loader.adapters.openemr.errors import DuplicateKey, LockConflict, translate


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        pytest.param(driver.OperationalError(2013, "Lost connection"), TargetUnavailable, "2013", id="lost"),
        pytest.param(driver.OperationalError(1040, "Too many"), TargetUnavailable, "1040", id="too many"),
        pytest.param(driver.OperationalError(1213, "Deadlock"), LockConflict, "another", id="deadlock"),
        pytest.param(driver.OperationalError(1205, "Lock wait"), LockConflict, "another", id="lock wait"),
        pytest.param(
            driver.OperationalError(1045, "denied 'u'"), TargetUnavailable, "PASSWORD", id="password"
        ),
        pytest.param(ConnectionResetError(104, "x"), TargetUnavailable, "did not answer", id="reset"),
        pytest.param(
            driver.DataError(1406, "Data too long for column 'title' at row 3"),
            ConstraintViolated,
            "too long in column title",
            id="too long",
        ),
        pytest.param(
            driver.OperationalError(
                1292, "Incorrect datetime value: 'Ann' for column `x`.`lists`.`begdate` at row 1"
            ),
            ConstraintViolated,
            "in column begdate",
            id="malformed",
        ),
        pytest.param(
            driver.DataError(1366, "Incorrect value: 'Ann' for column 'Ann' at row 1"),
            ConstraintViolated,
            r"its type \(1366\)",
            id="a column that is none of ours",
        ),
        pytest.param(
            driver.IntegrityError(1062, "Duplicate entry 'Ann' for key 'uuid'"),
            DuplicateKey,
            "key",
            id="taken",
        ),
        pytest.param(
            driver.ProgrammingError(1146, "Table 'openemr.lists' doesn't exist"),
            SchemaFrozen,
            "lacks openemr.lists",
            id="no table",
        ),
        pytest.param(driver.ProgrammingError(1064, "near 'Ann'"), FatalError, "1064", id="our own SQL"),
        pytest.param(driver.OperationalError(9999, "Ann"), TargetUnavailable, "9999", id="never heard of"),
    ],
)
def test_reaction(error: Exception, ours: type[Exception], words: str) -> None:
    """Each kind has its class, and no text of a value."""
    translated = translate(error, "OpenEMR's database at db:3306")

    assert type(translated) is ours
    assert re.search(words, str(translated))
    assert "Ann" not in str(translated)


def test_duplicate_names_its_key() -> None:
    """MySQL puts the table before it, MariaDB does not."""
    for words in ("for key 'pid'", "for key 'patient_data.pid'"):
        error = translate(driver.IntegrityError(1062, f"Duplicate entry '7' {words}"), "x")

        assert isinstance(error, DuplicateKey)
        assert error.key == "pid"


def test_wrong_password_stops_the_start() -> None:
    """Before anything was consumed it is a matter of configuration."""
    error = translate(driver.OperationalError(1045, "denied"), "x", starting=True)

    assert isinstance(error, ConfigurationError)


def test_owner_password_without_owner_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable that is missing."""
    monkeypatch.setenv("CAREBUS_OPENEMR_OWNER_PASSWORD", "secret")
    monkeypatch.delenv("CAREBUS_OPENEMR_OWNER_USER", raising=False)

    with pytest.raises(ConfigurationError, match="CAREBUS_OPENEMR_OWNER_USER") as refusal:
        OpenEmrSettings.load()

    assert "secret" not in str(refusal.value)
