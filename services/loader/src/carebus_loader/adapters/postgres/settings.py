"""Where Postgres is, and as whom we speak to it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.settings import Settings
from carebus_runtime.tls import client_tls


class PostgresSettings(Settings):
    """Settings of the Postgres target."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_POSTGRES_", populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(default=25432, ge=1, le=65535)
    database: str = "carebus"
    omop_schema: str = Field(
        default="omop",
        validation_alias=AliasChoices("CAREBUS_POSTGRES_SCHEMA", "omop_schema"),
        description="CAREBUS_POSTGRES_SCHEMA: schema of the OMOP tables and of our ledger.",
    )
    user: str = Field(default="carebus", description="Needs rights on rows only.")
    password: SecretStr = SecretStr("")
    owner_user: str = Field(
        default="", description="Who makes schema and tables in `targets prepare`; the user when left out."
    )
    owner_password: SecretStr = SecretStr("")
    tls: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="As libpq's sslmode; use verify-full across a network."
    )
    tls_ca: Path | None = Field(default=None, description="CA bundle; the system's when left out.")
    tls_certificate: Path | None = Field(default=None, description="Client certificate, with mutual TLS.")
    tls_key: Path | None = None
    connect_timeout_s: float = Field(default=10, gt=0)
    statement_timeout_s: float = Field(
        default=300, gt=0, description="A statement that takes longer is given up, and the batch tried again."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.tls_ca or self.tls_certificate) and self.tls in ("disable", "prefer"):
            raise ConfigurationError(
                "CAREBUS_POSTGRES_TLS_CA or _TLS_CERTIFICATE is set although CAREBUS_POSTGRES_TLS is "
                f"{self.tls}: set it to verify-full"
            )
        if len(self.omop_schema.encode()) > 63 or "\0" in self.omop_schema or not self.omop_schema:
            raise ConfigurationError("CAREBUS_POSTGRES_SCHEMA is no name of a schema")
        return self

    @property
    def address(self) -> str:
        """The server as people call it."""
        return f"postgres at {self.host}:{self.port}"

    def connection(self, *, owner: bool = False) -> dict[str, Any]:
        """Keyword arguments for asyncpg's connect and create_pool."""
        as_owner = owner and bool(self.owner_user)
        password = self.owner_password if as_owner else self.password
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.owner_user if as_owner else self.user,
            "password": password.get_secret_value() or None,
            "ssl": self._ssl(),
            "timeout": self.connect_timeout_s,
            "command_timeout": self.statement_timeout_s,
            "server_settings": {"application_name": "carebus-loader"},
        }

    def _ssl(self) -> ssl.SSLContext | str | bool:
        if self.tls in ("disable", "prefer"):
            return self.tls
        context = client_tls(
            self.tls_ca, self.tls_certificate, self.tls_key, check_hostname=self.tls == "verify-full"
        )
        if self.tls == "require":
            context.verify_mode = ssl.CERT_NONE
        return context
