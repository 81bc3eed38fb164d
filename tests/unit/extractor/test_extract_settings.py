"""Settings of the extractor, as they come from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from carebus_contracts.errors import ConfigurationError
from carebus_extractor.settings import ExtractorSettings

PREFIX = "CAREBUS_EXTRACTOR_CONNECTIONS__LAB_OMOP__"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection in the environment."""
    for name, value in {"HOST": "db1", "PORT": "5433", "DATABASE": "cdm", "USER": "reader"}.items():
        monkeypatch.setenv(PREFIX + name, value)


def test_connections_have_names(lab: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is a part of the variable; the password shows nowhere."""
    monkeypatch.setenv(PREFIX + "PASSWORD", "geheim")

    settings = ExtractorSettings.load()

    assert settings.connections["lab_omop"].port == 5433
    assert settings.connections["lab_omop"].secret() == "geheim"
    assert "geheim" not in repr(settings)


def test_password_may_stand_in_a_file(lab: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is read when it is needed, so that it may be changed meanwhile."""
    file = tmp_path / "password"
    monkeypatch.setenv(PREFIX + "PASSWORD_FILE", str(file))
    connection = ExtractorSettings.load().connections["lab_omop"]

    with pytest.raises(ConfigurationError, match="password_file of the connection to db1 cannot be read"):
        connection.secret()
    file.write_text("geheim\n")

    assert connection.secret() == "geheim"


def test_two_passwords_are_refused(lab: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can say which one counts."""
    monkeypatch.setenv(PREFIX + "PASSWORD", "geheim")
    monkeypatch.setenv(PREFIX + "PASSWORD_FILE", "/run/secrets/lab")

    with pytest.raises(ConfigurationError, match="has both a password and a password_file"):
        ExtractorSettings.load()


def test_roots_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colons stand in URLs."""
    monkeypatch.setenv("CAREBUS_EXTRACTOR_ALLOWED_ROOTS", "/data, s3://hospital/cdm ,")

    assert ExtractorSettings.load().allowed_roots == ("/data", "s3://hospital/cdm")


def test_variable_at_fault_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a host is of no use."""
    monkeypatch.setenv(PREFIX + "USER", "reader")

    with pytest.raises(ConfigurationError, match="CAREBUS_EXTRACTOR_CONNECTIONS__LAB_OMOP__HOST"):
        ExtractorSettings.load()
