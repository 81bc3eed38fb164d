"""Settings fail at start with a sentence that names the variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from carebus_contracts.errors import ConfigurationError
from carebus_extractor.settings import ExtractorSettings
from carebus_generator.settings import GeneratorSettings
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_runtime.settings import KafkaSettings, WorkerSettings


def test_a_value_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's name stands in the sentence."""
    monkeypatch.setenv("CAREBUS_HEALTH_PORT", "seventy")

    with pytest.raises(ConfigurationError, match="CAREBUS_HEALTH_PORT"):
        WorkerSettings.load()


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``*_FILE`` names the file; the secret does not show when settings are printed."""
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("CAREBUS_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "secret"))

    settings = KafkaSettings.load()

    assert settings.sasl_password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variable and path stand in the sentence."""
    monkeypatch.setenv("CAREBUS_KAFKA_SASL_PASSWORD_FILE", "/nowhere/secret")

    with pytest.raises(ConfigurationError, match=r"CAREBUS_KAFKA_SASL_PASSWORD_FILE.*/nowhere/secret"):
        KafkaSettings.load()


def test_sasl_without_a_user_is_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Combinations that cannot work fail at start."""
    monkeypatch.setenv("CAREBUS_KAFKA_SECURITY", "SASL_SSL")

    with pytest.raises(ConfigurationError, match="CAREBUS_KAFKA_SASL_USERNAME"):
        KafkaSettings.load()


@pytest.mark.parametrize(
    ("variable", "load"),
    [
        ("CAREBUS_KAFKA_SSL_CA", lambda: KafkaSettings.load().ssl_ca),
        ("CAREBUS_OPENEMR_TLS_CA", lambda: OpenEmrSettings.load().tls_ca),
        ("CAREBUS_OPENEMR_SITES_FOLDER", lambda: OpenEmrSettings.load().sites_folder),
        ("CAREBUS_GENERATOR_KEY_FILE", lambda: GeneratorSettings.load().key_file),
    ],
)
def test_an_empty_variable_of_an_optional_field_is_not_set(
    variable: str, load: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a path it would be the folder that the worker runs in."""
    monkeypatch.setenv(variable, "")

    assert load() is None


def test_an_empty_variable_of_a_connection_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings within settings follow the same rule."""
    for name, value in {"HOST": "db", "DATABASE": "omop", "USER": "reader", "SSL_CA": ""}.items():
        monkeypatch.setenv(f"CAREBUS_EXTRACTOR_CONNECTIONS__LAB__{name}", value)

    assert ExtractorSettings.load().connections["lab"].ssl_ca is None


def test_an_empty_list_of_folders_stays_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who allows no folder gets none, and not the default."""
    monkeypatch.setenv("CAREBUS_EXTRACTOR_ALLOWED_ROOTS", "")

    assert ExtractorSettings.load().allowed_roots == ()
