"""TLS to brokers and databases."""

from __future__ import annotations

import ssl
from pathlib import Path

from carebus_contracts.errors import ConfigurationError


def client_tls(
    ca: Path | None, certificate: Path | None = None, key: Path | None = None, *, check_hostname: bool = True
) -> ssl.SSLContext:
    """Return TLS that checks the server's certificate.

    Args:
        ca: CA bundle; the system's when left out.
        certificate: Ours, where the server asks for one.
        key: Of our certificate, without a passphrase; left out when it is in the same file.
        check_hostname: Whether the certificate must name the host.

    Raises:
        ConfigurationError: A file cannot be read or is none of these; the sentence names it.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the CA bundle {ca} cannot be used: {_why(error)}") from None
    context.check_hostname = check_hostname
    if certificate:
        try:
            # An empty passphrase: without one OpenSSL would ask for it on the terminal, and wait.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the client certificate {certificate} with the key {key or certificate} cannot be used: "
                f"{_why(error)}"
            ) from None
    return context


def _why(error: OSError) -> str:
    return error.strerror or (getattr(error, "reason", "") or type(error).__name__)
