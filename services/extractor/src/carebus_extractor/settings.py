"""Settings of the extractor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.settings import WorkerSettings, without_empty


class PostgresConnection(BaseModel):
    """A Postgres database that jobs may name; a job never holds an address or a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1)
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1, description="Needs SELECT on the schema's tables and nothing else.")
    password: SecretStr = SecretStr("")
    password_file: Path | None = Field(default=None, description="Holds the password, in its place.")
    ssl: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    ssl_ca: Path | None = Field(default=None, description="CA bundle; the system's when left out.")
    connect_timeout_s: float = Field(default=10, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return without_empty(cls, values)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.password_file and self.password.get_secret_value():
            raise ConfigurationError(
                f"the connection to {self.host} has both a password and a password_file: give one"
            )
        return self

    def secret(self) -> str:
        """The password.

        Raises:
            ConfigurationError: Its file cannot be read.
        """
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"password_file of the connection to {self.host} cannot be read: "
                f"{self.password_file} ({error.strerror})"
            ) from None


class ExtractorSettings(WorkerSettings):
    """What an extractor can be told."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_EXTRACTOR_")

    allowed_roots: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("data",),
        description="Folders and fsspec URLs, parted by commas, under which jobs may read.",
    )
    connections: dict[str, PostgresConnection] = Field(
        default_factory=dict, description="Databases by name: CAREBUS_EXTRACTOR_CONNECTIONS__<NAME>__HOST."
    )
    stage_dir: Path = Field(
        default=Path(".carebus/stage"),
        description="Where sources are sorted once; shared by all replicas on a machine.",
    )
    stage_keep: int = Field(
        default=3, ge=1, description="Staged sources to keep; the ones used last are kept."
    )
    slice_persons: int = Field(
        default=1_000, ge=1, le=100_000, description="Persons a slice, where the job does not say."
    )
    slice_rows: int = Field(default=250_000, ge=1, description="Rows a slice; a person is never cut in two.")
    window_slices: int = Field(default=8, ge=1, description="Unfinished slices of one job at a time.")
    slice_mb: int = Field(
        default=64, ge=1, description="Megabytes of bundles a slice, about; a person is never cut in two."
    )
    window_mb: int = Field(
        default=256,
        ge=1,
        description="Megabytes of bundles in unfinished slices of one job, however many slices that is.",
    )
    engine_memory_mb: int = Field(
        default=128, ge=64, description="Memory of the engine that sorts and reads; beyond it uses disk."
    )
    engine_threads: int = Field(default=1, ge=1, le=64, description="Threads of the engine.")

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _parted_by_commas(cls, value: Any) -> Any:
        return tuple(r.strip() for r in value.split(",") if r.strip()) if isinstance(value, str) else value
