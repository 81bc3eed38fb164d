"""What a warehouse's complaint means for us, once its code is understood; the server's text may hold values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from carebus_contracts.errors import (
    CareBusError,
    ConfigurationError,
    ConstraintViolated,
    SchemaFrozen,
    TargetUnavailable,
)


class Fault(Enum):
    """Who or what is at fault."""

    LOGIN = auto()
    """The server does not know us."""
    RIGHTS = auto()
    """We may not do this."""
    SCHEMA = auto()
    """Tables are not as this version knows them."""
    DATA = auto()
    """The rows."""
    SERVER = auto()
    """It is away, busy, or being changed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, as errors name it."""

    address: str
    user: str
    prepare: str
    """What to run where tables or rights are missing."""


def error_of(
    fault: Fault, server: Server, *, doing: str, what: str, check: str = "", starting: bool = False
) -> CareBusError:
    """Return our error.

    Args:
        fault: What the server's code means.
        server: The server.
        doing: What was tried.
        what: Code of the server, or the type of the driver's error.
        check: The settings to look at, where the login is refused.
        starting: Wrong settings are only believed at start; later they are a server being changed.
    """
    match fault:
        case Fault.LOGIN if starting:
            return ConfigurationError(f"{server.address} refuses the login: check {check} ({what})")
        case Fault.RIGHTS:
            text = f"{server.address} gives {server.user!r} too few rights for {doing}; {server.prepare} ({what})"
            return ConfigurationError(text) if starting else SchemaFrozen(text)
        case Fault.SCHEMA:
            return SchemaFrozen(
                f"{doing}: tables are not as this version knows them; {server.prepare} ({what})"
            )
        case Fault.DATA:
            return ConstraintViolated(f"{doing}: {what}")
        case Fault.SERVER | Fault.LOGIN:
            return TargetUnavailable(f"{server.address}, {doing}: {what}", system=server.address)
        case _:
            assert_never(fault)
