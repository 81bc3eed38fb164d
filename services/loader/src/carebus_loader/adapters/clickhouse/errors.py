"""ClickHouse errors in our words. Texts hold codes only; the server's own text may hold values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError

from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings
from carebus_loader.adapters.warehouse_errors import Fault, Server, error_of

PREPARE = "run `carebus targets prepare clickhouse`"
# Numbers of ClickHouse's src/Common/ErrorCodes.cpp.
_DATA = frozenset({6, 7, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 407, 636})
"""Cannot parse a cell or row, a value out of range, a null where none may be."""
_SCHEMA = frozenset({10, 16, 47, 60, 81})
"""No such column, identifier, table, database."""
_LOGIN = frozenset({192, 193, 194, 516})
_RIGHTS = frozenset({291, 497})
_CODE = re.compile(r"[Cc]ode: (\d+)")


@contextmanager
def translated(settings: ClickHouseSettings, doing: str, *, starting: bool = False) -> Iterator[None]:
    """Raise our errors for those of driver and server.

    Args:
        settings: Name the server.
        doing: What was tried, for the text.
        starting: Wrong settings are only believed at start; later they are a server being changed.
    """
    try:
        yield
    except (ClickHouseError, OSError) as error:
        code = code_of(error)
        raise error_of(
            fault_of(code),
            Server(settings.address, settings.user, PREPARE),
            doing=doing,
            what=f"code {code}" if code else "no answer",
            check="CAREBUS_CLICKHOUSE_USER and CAREBUS_CLICKHOUSE_PASSWORD",
            starting=starting,
        ) from None


def code_of(error: Exception) -> int:
    """Return the server's number for an error; 0 when it never answered."""
    if isinstance(code := getattr(error, "code", None), int) and code:
        return code
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else 0


def fault_of(code: int) -> Fault:
    """Return what a number of the server means."""
    if code in _LOGIN:
        return Fault.LOGIN
    if code in _RIGHTS:
        return Fault.RIGHTS
    if code in _SCHEMA:
        return Fault.SCHEMA
    return Fault.DATA if code in _DATA else Fault.SERVER
