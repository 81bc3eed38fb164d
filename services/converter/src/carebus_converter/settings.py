"""Settings of the converter."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from carebus_runtime.settings import WorkerSettings


class ConverterSettings(WorkerSettings):
    """What the converter can be told."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_CONVERTER_")

    batch_persons: int = Field(default=100, ge=1, le=2_000, description="Bundles converted and sent at once.")
    fetch_min_bytes: int = Field(
        default=100_000, ge=1, description="Kafka gathers so much before it answers."
    )
    fetch_wait_ms: int = Field(default=300, ge=1, le=30_000, description="... but waits no longer than this.")
    names_key: SecretStr = Field(
        default=SecretStr(""), description="Key of the pseudonyms: whoever lacks it cannot link them to ids."
    )
    organization: str = Field(default="carebus", description="Author and custodian in documents.")
