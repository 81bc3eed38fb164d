"""Settings of the generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from carebus_runtime.settings import WorkerSettings


class GeneratorSettings(WorkerSettings):
    """What a generator can be told."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_GENERATOR_")

    allowed_roots: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("data",),
        description="Folders and fsspec URLs, parted by commas, under which jobs may write files.",
    )
    key_file: Path | None = Field(
        default=None, description="32 bytes with which files are encrypted, where a job asks for it."
    )
    slice_patients: int = Field(
        default=4_000,
        ge=100,
        le=1_000_000,
        description="Patients a slice, rounded up to whole chunks: a second or two of one core, so that jobs "
        "take turns often.",
    )
    window_slices: int = Field(
        default=6,
        ge=2,
        description="Unfinished slices of all jobs at a time, about; each job has two at least.",
    )
    window_mb: int = Field(
        default=256, ge=1, description="Megabytes of records in unfinished slices of one job."
    )
    scenarios_kept: int = Field(default=32, ge=1, description="Compiled scenarios to keep in memory.")

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _parted_by_commas(cls, value: Any) -> Any:
        return tuple(r.strip() for r in value.split(",") if r.strip()) if isinstance(value, str) else value
