"""What ``--about`` says of settings."""

from __future__ import annotations

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from carebus_runtime.about import about
from carebus_runtime.settings import Settings


class LabSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="CAREBUS_LAB_")

    port: int = Field(default=7, description="Where it listens.")
    password: SecretStr = Field(default=SecretStr("hush"), description="Its key.")
    target: str


def test_settings_are_named_with_type_default_meaning_and_source() -> None:
    """A value from the environment is said to be from there, and not shown."""
    said = about([LabSettings], {"CAREBUS_LAB_PORT": "99"})

    assert "CAREBUS_LAB_PORT  (int; default: 7; from: environment)\n    Where it listens." in said
    assert "CAREBUS_LAB_TARGET  (str; default: none; from: not set)" in said
    assert "99" not in said


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        ({}, "default"),
        ({"CAREBUS_LAB_PASSWORD": "s3cret"}, "environment"),
        ({"CAREBUS_LAB_PASSWORD_FILE": "/run/s3cret"}, "file"),
    ],
)
def test_secrets_are_never_shown(environment: dict[str, str], source: str) -> None:
    """Neither the default nor the value, nor the file's name."""
    said = about([LabSettings], environment)

    assert f"CAREBUS_LAB_PASSWORD  (str, secret; default: none; from: {source})" in said
    assert "hush" not in said
    assert "s3cret" not in said
