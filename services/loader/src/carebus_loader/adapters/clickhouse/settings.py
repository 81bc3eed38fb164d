"""Where ClickHouse is, and as whom we speak to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.settings import Settings

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")


class ClickHouseSettings(Settings):
    """Settings of the ClickHouse target."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_CLICKHOUSE_")

    host: str = "127.0.0.1"
    port: int = Field(default=28123, ge=1, le=65535, description="Port of the HTTP interface.")
    database: str = Field(default="carebus", description="Holds tables, views and our bookkeeping.")
    user: str = Field(default="default", description="Needs SELECT and INSERT only.")
    password: SecretStr = SecretStr("")
    owner_user: str = Field(
        default="", description="Who makes the tables in `targets prepare`; the user when left out."
    )
    owner_password: SecretStr = SecretStr("")
    tls: Literal["disable", "require", "verify-full"] = Field(
        default="disable", description="Use verify-full across a network; require checks no certificate."
    )
    tls_ca: Path | None = Field(default=None, description="CA bundle; the system's when left out.")
    tls_certificate: Path | None = Field(default=None, description="Client certificate, with mutual TLS.")
    tls_key: Path | None = None
    connect_timeout_s: float = Field(default=10, gt=0)
    statement_timeout_s: float = Field(
        default=300, gt=0, description="A request that takes longer is given up, and the batch tried again."
    )
    parallel: int = Field(default=4, ge=1, le=16, description="Tables that a batch inserts into at once.")
    tidy_after_s: int = Field(
        default=3600,
        ge=0,
        description="`targets prepare` deletes rows that have not counted for so long; above any retry.",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.tls != "verify-full" and (self.tls_ca or self.tls_certificate):
            raise ConfigurationError(
                "CAREBUS_CLICKHOUSE_TLS_CA or _TLS_CERTIFICATE is set although CAREBUS_CLICKHOUSE_TLS is "
                f"{self.tls}: set it to verify-full"
            )
        if not _NAME.match(self.database):
            raise ConfigurationError("CAREBUS_CLICKHOUSE_DATABASE is no name of letters, digits, _ and -")
        return self

    @property
    def address(self) -> str:
        """The server as people call it."""
        return f"clickhouse at {self.host}:{self.port}"

    def client(self, *, owner: bool = False) -> dict[str, Any]:
        """Keyword arguments for clickhouse_connect.get_client."""
        as_owner = owner and bool(self.owner_user)
        password = self.owner_password if as_owner else self.password
        return {
            "host": self.host,
            "port": self.port,
            "username": self.owner_user if as_owner else self.user,
            "password": password.get_secret_value(),
            "secure": self.tls != "disable",
            "verify": self.tls == "verify-full",
            "ca_cert": str(self.tls_ca) if self.tls_ca else None,
            "client_cert": str(self.tls_certificate) if self.tls_certificate else None,
            "client_cert_key": str(self.tls_key) if self.tls_key else None,
            "connect_timeout": self.connect_timeout_s,
            "send_receive_timeout": self.statement_timeout_s,
            "client_name": "carebus-loader",
            # Requests run side by side; sessions would forbid that.
            "autogenerate_session_id": False,
        }
