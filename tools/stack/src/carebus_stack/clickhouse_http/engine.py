"""The embedded engine and its connections."""

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chdb.state import sqlitelike

# The oldest session goes when there are more; a client that stays gets a new one.
MAX_SESSIONS = 64


class Engine:
    """One engine over one folder; settings belong to a connection, so each query borrows one.

    Args:
        path: The data folder, or `:memory:`.
        size: How many queries outside of sessions run at a time.
    """

    def __init__(self, path: str, *, size: int) -> None:
        self._path = path
        self._free: list[Any] = []
        self._sessions: OrderedDict[str, tuple[Any, threading.Lock]] = OrderedDict()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(size)
        self._busy = 0
        self._idle = threading.Condition()
        self._keep = self._connect()  # the engine lives while one connection is open
        self.version: str = self._keep.query("SELECT version()", "TSVRaw").bytes().decode().strip()

    def create_database(self, name: str) -> None:
        """Make a database unless it is there."""
        self._keep.query(f"CREATE DATABASE IF NOT EXISTS {quoted_name(name)}", "Null")

    @contextlib.contextmanager
    def connection(
        self, *, session: str | None, database: str | None, settings: Mapping[str, str]
    ) -> Iterator[Any]:
        """Lend a connection with these settings; they do not stay on it.

        Args:
            session: Queries of one session share a connection, and so temporary tables.
            database: The current database; None is `default`, or the session's own.
            settings: Query settings by name.
        """
        with self._counted(), self._borrowed(session) as lease:
            applied: list[str] = []
            try:
                if database:
                    lease.connection.query(f"USE {quoted_name(database)}", "Null")
                for name, value in settings.items():
                    lease.connection.query(f"SET {quoted_name(name)} = {quoted_text(value)}", "Null")
                    applied.append(name)
                yield lease.connection
            finally:
                to_default = bool(database) and session is None
                lease.spoiled = not _reset(lease.connection, applied, to_default=to_default)

    def close(self, *, timeout_s: float = 20) -> None:
        """Wait for running queries, then close every connection, which closes the engine."""
        deadline = time.monotonic() + timeout_s
        with self._idle:
            while self._busy and time.monotonic() < deadline:
                self._idle.wait(0.1)
        with self._lock:
            sessions = [connection for connection, _ in self._sessions.values()]
            for connection in [*self._free, *sessions, self._keep]:
                connection.close()

    def _connect(self) -> Any:
        return sqlitelike.Connection(self._path)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    @contextlib.contextmanager
    def _borrowed(self, session: str | None) -> Iterator["_Lease"]:
        if session is not None:
            connection, lock = self._session(session)
            with lock:
                yield _Lease(connection)
            return
        with self._slots:
            with self._lock:
                connection = self._free.pop() if self._free else None
            lease = _Lease(connection or self._connect())
            try:
                yield lease
            finally:
                if lease.spoiled:
                    lease.connection.close()
                else:
                    with self._lock:
                        self._free.append(lease.connection)

    def _session(self, name: str) -> tuple[Any, threading.Lock]:
        with self._lock:
            if name not in self._sessions:
                if len(self._sessions) >= MAX_SESSIONS:
                    self._drop_an_idle_session()
                self._sessions[name] = (self._connect(), threading.Lock())
            self._sessions.move_to_end(name)
            return self._sessions[name]

    def _drop_an_idle_session(self) -> None:
        for name, (connection, lock) in self._sessions.items():
            if lock.acquire(blocking=False):
                del self._sessions[name]
                connection.close()
                return


@dataclass(slots=True)
class _Lease:
    connection: Any
    spoiled: bool = False
    """Set when the connection could not be brought back to its defaults: never lend it again."""


def quoted_name(name: str) -> str:
    """Return an identifier in backticks."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def quoted_text(value: str) -> str:
    """Return a string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _reset(connection: Any, settings: Sequence[str], *, to_default: bool) -> bool:
    try:
        if settings:
            names = ", ".join(f"{quoted_name(name)} = DEFAULT" for name in settings)
            connection.query(f"SET {names}", "Null")
        if to_default:
            connection.query("USE default", "Null")
    except Exception:
        return False
    return True
