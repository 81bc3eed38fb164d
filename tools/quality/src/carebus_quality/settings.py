"""Where the targets are: the loaders' settings, as far as reading needs them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from carebus_runtime.settings import Settings
from carebus_runtime.tls import client_tls


class PostgresSettings(Settings):
    """Where Postgres is."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_POSTGRES_", populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(default=25432, ge=1, le=65535)
    database: str = "carebus"
    omop_schema: str = Field(
        default="omop", validation_alias=AliasChoices("CAREBUS_POSTGRES_SCHEMA", "omop_schema")
    )
    user: str = "carebus"
    password: SecretStr = SecretStr("")
    tls: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    tls_ca: Path | None = None
    statement_timeout_s: float = Field(default=300, gt=0)

    def connection(self) -> dict[str, Any]:
        """Keyword arguments for asyncpg's connect."""
        tls: ssl.SSLContext | str = self.tls
        if self.tls in ("verify-ca", "verify-full"):
            tls = client_tls(self.tls_ca, check_hostname=self.tls == "verify-full")
        return {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password.get_secret_value() or None,
            "ssl": tls,
            "command_timeout": self.statement_timeout_s,
            "server_settings": {"application_name": "carebus-quality", "default_transaction_read_only": "on"},
        }


class ClickHouseSettings(Settings):
    """Where ClickHouse is."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_CLICKHOUSE_")

    host: str = "127.0.0.1"
    port: int = Field(default=28123, ge=1, le=65535)
    database: str = "carebus"
    user: str = "default"
    password: SecretStr = SecretStr("")
    tls: Literal["disable", "require", "verify-full"] = "disable"
    tls_ca: Path | None = None
    statement_timeout_s: float = Field(default=300, gt=0)

    def client(self) -> dict[str, Any]:
        """Keyword arguments for clickhouse-connect's client."""
        return {
            "host": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password.get_secret_value(),
            "secure": self.tls != "disable",
            "verify": self.tls == "verify-full",
            "ca_cert": str(self.tls_ca) if self.tls_ca else None,
            "send_receive_timeout": int(self.statement_timeout_s),
            "autogenerate_session_id": False,
        }
