"""Settings of the console."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.settings import WorkerSettings


class ConsoleSettings(WorkerSettings):
    """What the console can be told."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_CONSOLE_")

    health_host: str = Field(
        default="127.0.0.1", description="Address of the HTTP API and of the health checks."
    )
    health_port: int = Field(
        default=28080, ge=0, le=65535, description="Port of the HTTP API and of the health checks."
    )
    token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of the API; required off loopback."
    )
    states_per_s: float = Field(
        default=4, gt=0, le=50, description="How often at most the state of a job is published."
    )
    keep_days: int = Field(default=90, ge=1, description="Days that a job is remembered after its end.")

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if not is_loopback(self.health_host) and not self.token.get_secret_value():
            raise ConfigurationError(
                f"CAREBUS_CONSOLE_HEALTH_HOST={self.health_host} can be reached from other machines: set "
                "CAREBUS_CONSOLE_TOKEN or CAREBUS_CONSOLE_TOKEN_FILE, or bind to 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
