"""Settings that would leave patient data open are refused at start."""

from __future__ import annotations

import pytest

from carebus_console.settings import ConsoleSettings
from carebus_contracts.errors import ConfigurationError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "console.example"])  # noqa: S104
def test_off_loopback_a_token_is_required(host: str) -> None:
    """The sentence names the variables."""
    with pytest.raises(ConfigurationError, match="set CAREBUS_CONSOLE_TOKEN or CAREBUS_CONSOLE_TOKEN_FILE"):
        ConsoleSettings.load(health_host=host)

    assert ConsoleSettings.load(health_host=host, token="s3cret").health_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_none_is_needed(host: str) -> None:
    """A laptop works as it is."""
    assert ConsoleSettings.load(health_host=host).token.get_secret_value() == ""
