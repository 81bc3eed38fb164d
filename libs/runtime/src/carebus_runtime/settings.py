"""Settings that every worker has; each service adds its own fields to a subclass."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.tls import client_tls


class Settings(BaseSettings):
    """Base of all settings classes: frozen, from the environment, secrets also from ``<NAME>_FILE``.

    An empty variable of a field that may be None is one that is not set: a deployment that passes
    ``${CA:-}`` on does not mean the folder that we run in, which is what an empty path is.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_nested_delimiter="__")

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        prefix = str(cls.model_config.get("env_prefix", ""))
        for name, field in cls.model_fields.items():
            variable = f"{prefix}{name}_file".upper()
            if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ())) and (
                path := os.environ.get(variable)
            ):
                try:
                    values[name] = Path(path).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise ConfigurationError(
                        f"{variable} names a file that cannot be read: {path} ({error.strerror})"
                    ) from None
        return values

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return without_empty(cls, values)

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the environment.

        Raises:
            ConfigurationError: One sentence that names each variable at fault.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            prefix = str(cls.model_config.get("env_prefix", "")).upper()
            faults = "; ".join(
                f"{prefix}{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)
            )
            raise ConfigurationError(f"settings do not fit: {faults}") from None


def without_empty(kind: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without empty ones of fields that may be None."""
    optional = {name for name, field in kind.model_fields.items() if NoneType in get_args(field.annotation)}
    return {name: value for name, value in values.items() if value != "" or name not in optional}


class KafkaSettings(Settings):
    """How to reach Kafka."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_KAFKA_")

    bootstrap: str = Field(default="127.0.0.1:29092", description="host:port, several parted by commas.")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_ca: Path | None = Field(default=None, description="CA bundle; the system's when left out.")
    ssl_certificate: Path | None = Field(default=None, description="Client certificate, with mutual TLS.")
    ssl_key: Path | None = None

    claim_check_url: str = Field(
        default="file://.carebus/blobs", description="fsspec URL of the store for payloads over the limit."
    )
    subject_key: SecretStr = Field(
        default=SecretStr("carebus"), description="Key of the hash in ce_subject; set your own."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.security.startswith("SASL") and not self.sasl_username:
            raise ConfigurationError(
                "CAREBUS_KAFKA_SASL_USERNAME is empty although CAREBUS_KAFKA_SECURITY asks for SASL"
            )
        return self

    def client(self) -> dict[str, Any]:
        """Keyword arguments for any aiokafka client."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security,
        }
        if self.security.endswith("SSL"):
            arguments["ssl_context"] = self.ssl_context()
        if self.security.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        return arguments

    def ssl_context(self) -> ssl.SSLContext:
        """TLS that checks the broker's name against the CA.

        Raises:
            ConfigurationError: A file cannot be used.
        """
        return client_tls(self.ssl_ca, self.ssl_certificate, self.ssl_key)


class WorkerSettings(Settings):
    """What every worker can be told. Defaults start on a local stack."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_")

    health_host: str = Field(default="127.0.0.1", description="Address of /livez, /readyz and /metrics.")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 serves no health endpoints.")
    grace_s: float = Field(default=25, gt=0, description="Seconds that a batch in hand gets after SIGTERM.")
    retry_first_s: float = Field(default=0.5, gt=0, description="First delay after a transient error.")
    retry_longest_s: float = Field(default=15, gt=0, description="Delays double up to this.")
    undecodable_limit: int = Field(
        default=200, ge=1, description="So many unreadable messages in a row halt the worker."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP traces endpoint; empty sends no traces.")
