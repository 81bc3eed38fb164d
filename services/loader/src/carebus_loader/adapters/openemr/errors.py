"""Driver errors as errors of ours. The server's texts quote values, so they go no further than here."""

from __future__ import annotations

import re

import pymysql.err

from carebus_contracts.errors import (
    CareBusError,
    ConfigurationError,
    ConstraintViolated,
    FatalError,
    SchemaFrozen,
    TargetUnavailable,
)
from carebus_loader.adapters.openemr.schema import TABLES


class DuplicateKey(ConstraintViolated):
    """A unique key is taken already.

    Attributes:
        key: Name of the key.
    """

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class LockConflict(TargetUnavailable):
    """Another transaction was in the way; the same again will do."""


_DUPLICATE = 1062
_LOCKS = frozenset({1205, 1213, 3572})
_CREDENTIALS = frozenset({1044, 1045, 1698, 1820, 1862})
_RIGHTS = frozenset({1142, 1143, 1227, 1370, 1410, 4166})
_SILENCE = frozenset({0, 2002, 2003, 2006, 2013, 2014, 2055})
_NO_DATABASE = 1049
_NO_TABLE_OR_COLUMN = frozenset({1146, 1054})
_LOCAL_INFILE_OFF = frozenset({1148, 3948})
_DATA = {
    1048: "a value is missing",
    1264: "a number is out of range",
    1265: "a value was truncated",
    1292: "a date or number is malformed",
    1300: "text is not valid UTF-8",
    1364: "a value is missing",
    1366: "a value does not fit its type",
    1367: "a value does not fit its type",
    1406: "text is too long",
    1411: "a value does not fit its type",
    1690: "a number is out of range",
}
_OUR_COLUMNS = {column for table in TABLES.values() for column in table.columns}
_COLUMN = re.compile(r"column [^\n]*?(\w+)[`']? at row \d+$")
_KEY = re.compile(r"for key '(?:[\w$-]+\.)?(\w+)'$")
_NAME = re.compile(r"'([\w.$-]+)'")


def translate(error: Exception, system: str, *, starting: bool = False) -> CareBusError:
    """Return our error for one of the driver's; its text holds codes and names of columns, no values.

    Args:
        error: What the driver raised.
        system: What we wait for when it is transient.
        starting: Whether nothing was consumed yet, so that a fault in the settings may stop us.
    """
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = str(error.args[1]) if len(error.args) > 1 else ""
    if not isinstance(error, pymysql.err.MySQLError) or code in _SILENCE:
        return TargetUnavailable(f"{system} did not answer ({code or type(error).__name__})", system=system)
    if known := _about_rows(code, words, system):
        return known
    if isinstance(error, pymysql.err.ProgrammingError):
        return FatalError(f"{system} does not understand a statement of ours ({code})")
    if not (advice := _advice(code)):
        return TargetUnavailable(f"{system} answered with error {code}", system=system)
    if starting:
        return ConfigurationError(f"{system}: {advice}")
    return TargetUnavailable(f"{system}: {advice}", system=system)


def _about_rows(code: int, words: str, system: str) -> CareBusError | None:
    if code == _DUPLICATE:
        key = _KEY.search(words)
        return DuplicateKey("OpenEMR's database has a row with this key already", key[1] if key else "")
    if code in _LOCKS:
        return LockConflict(f"{system}: another transaction holds the rows ({code})", system=system)
    if code in _DATA:
        return ConstraintViolated(f"OpenEMR's database refused a row: {_DATA[code]}{_where(words)} ({code})")
    if code in _NO_TABLE_OR_COLUMN:
        name = _NAME.search(words)
        return SchemaFrozen(
            f"OpenEMR's schema lacks {name[1] if name else 'a table or column'} ({code}); this version "
            "knows that of OpenEMR 7.0.4 to 8.2"
        )
    return None


def _advice(code: int) -> str:
    if code in _CREDENTIALS:
        return (
            f"the login was refused ({code}); check CAREBUS_OPENEMR_USER and CAREBUS_OPENEMR_PASSWORD or "
            "CAREBUS_OPENEMR_PASSWORD_FILE"
        )
    if code in _RIGHTS:
        return (
            f"rights are missing ({code}); the user needs SELECT, INSERT, UPDATE, DELETE and "
            "CREATE TEMPORARY TABLES on CAREBUS_OPENEMR_DATABASE"
        )
    if code == _NO_DATABASE:
        return "there is no such schema; check CAREBUS_OPENEMR_DATABASE, or run `carebus targets prepare`"
    if code in _LOCAL_INFILE_OFF:
        return "the server has local_infile off; set local_infile=1 there, rows are sent by LOAD DATA LOCAL"
    return ""


def _where(words: str) -> str:
    """Name the column, where the end of the server's text does and it is one of ours: the rest are values."""
    found = _COLUMN.search(words)
    return f" in column {found[1]}" if found and found[1] in _OUR_COLUMNS else ""
