"""Postgres errors in our words. Texts name tables and codes; the server's own text may hold values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.warehouse_errors import Fault, Server, error_of

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
    server = Server(settings.address, settings.user, PREPARE)
    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        what = f"{state} {type(error).__name__}"
        check = _LOGIN.get(state, "")
        raise error_of(
            fault_of(state), server, doing=doing, what=what, check=check, starting=starting
        ) from None
    except (TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        raise error_of(Fault.SERVER, server, doing=doing, what=f"no answer, {type(error).__name__}") from None


def fault_of(state: str) -> Fault:
    """Return what an SQLSTATE means."""
    if state in _LOGIN:
        return Fault.LOGIN
    if state == _RIGHTS:
        return Fault.RIGHTS
    if state[:2] in _SCHEMA:
        return Fault.SCHEMA
    return Fault.DATA if state[:2] in _DATA else Fault.SERVER
