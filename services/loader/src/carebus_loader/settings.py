"""Settings of a loader."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from carebus_contracts.jobs import Target
from carebus_runtime.settings import WorkerSettings


class LoaderSettings(WorkerSettings):
    """What every loader can be told; each target has settings of its own beside these."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_LOADER_")

    target: Target = Field(description="The one target that this process serves.")
    batch_subjects: int = Field(
        default=0,
        ge=0,
        le=5_000,
        description="Subjects a transaction at most; 0 takes what suits the target.",
    )
    fetch_min_bytes: int = Field(
        default=1_000_000, ge=1, description="Kafka gathers so much before it answers; small for low latency."
    )
    fetch_wait_ms: int = Field(
        default=1_000, ge=1, le=30_000, description="... but waits no longer than this."
    )
