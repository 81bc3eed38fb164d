"""TLS files that cannot be used are named, before anything waits for a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.tls import client_tls


def test_a_missing_ca_bundle_is_named() -> None:
    """It is a fault of the settings, not of the server."""
    with pytest.raises(ConfigurationError, match=r"CA bundle /nowhere/ca\.pem .*No such file"):
        client_tls(Path("/nowhere/ca.pem"))


def test_a_file_that_is_no_ca_bundle_is_named(tmp_path: Path) -> None:
    """Text without a certificate in it."""
    (tmp_path / "ca.pem").write_text("no certificate")

    with pytest.raises(ConfigurationError, match=str(tmp_path / "ca.pem")):
        client_tls(tmp_path / "ca.pem")


def test_a_missing_client_certificate_is_named_with_its_key() -> None:
    """Either may be the one at fault."""
    with pytest.raises(ConfigurationError, match=r"/nowhere/c\.pem with the key /nowhere/k\.pem"):
        client_tls(None, Path("/nowhere/c.pem"), Path("/nowhere/k.pem"))
