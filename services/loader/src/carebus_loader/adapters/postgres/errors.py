"""Postgres errors in our words. Texts name tables and codes; the server's own text may hold values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from carebus_contracts.errors import (
    CareBusError,
    ConfigurationError,
    ConstraintViolated,
    SchemaFrozen,
    TargetUnavailable,
)
from carebus_loader.adapters.postgres.settings import PostgresSettings

PREPARE = "run `carebus targets prepare postgres`"
_DATA = ("21", "22", "23", "54")
"""SQLSTATE classes where the rows are at fault: cardinality, data, constraint, a limit of the program."""
_SCHEMA = ("42", "3F")
"""Undefined table or column, another type, no such key; undefined schema."""
_LOGIN = {
    "28P01": "CAREBUS_POSTGRES_PASSWORD",
    "28000": "CAREBUS_POSTGRES_USER",
    "3D000": "CAREBUS_POSTGRES_DATABASE",
}
_RIGHTS = "42501"


@contextmanager
def translated(settings: PostgresSettings, doing: str, *, starting: bool = False) -> Iterator[None]:
    """Raise our errors for those of driver and server.

    Args:
        settings: Name the server.
        doing: What was tried, for the text.
        starting: Wrong settings are only believed at start; later they are a server being changed.
    """
    try:
        yield
    except CareBusError:
        raise
    except asyncpg.PostgresError as error:
        raise _translate(settings, error, doing, starting) from None
    except (TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise TargetUnavailable(
            f"{settings.address} does not answer: {type(error).__name__}", system=settings.address
        ) from None


def _translate(
    settings: PostgresSettings, error: asyncpg.PostgresError, doing: str, starting: bool
) -> CareBusError:
    state = error.sqlstate or ""
    what = f"{state} {type(error).__name__}"
    if starting and state in _LOGIN:
        return ConfigurationError(f"{settings.address} refuses the login: check {_LOGIN[state]} ({what})")
    if state == _RIGHTS:
        text = f"{settings.address} gives {settings.user!r} too few rights for {doing}; {PREPARE} ({what})"
        return ConfigurationError(text) if starting else SchemaFrozen(text)
    if state[:2] in _SCHEMA:
        return SchemaFrozen(f"{doing}: tables are not as this version knows them; {PREPARE} ({what})")
    if state[:2] in _DATA:
        return ConstraintViolated(f"{doing}: {what}")
    return TargetUnavailable(f"{settings.address}, {doing}: {what}", system=settings.address)
