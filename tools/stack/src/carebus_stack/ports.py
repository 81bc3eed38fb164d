"""Where the servers listen, all on loopback.

The base ports are below 32768: above it lies the range from which clients get their ports, and
one start in twelve died because some client happened to hold the server's.
"""

import errno
import socket
import time
from dataclasses import dataclass

import psutil

from .errors import StackError

LOOPBACK = "127.0.0.1"
KAFKA, KAFKA_CONTROLLER = 29092, 29093
MARIADB, POSTGRES, CLICKHOUSE = 23306, 25432, 28123
# The highest base port plus this stays below 32768.
MAX_OFFSET = 32767 - KAFKA_CONTROLLER


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one stack."""

    kafka: int
    kafka_controller: int
    mariadb: int
    postgres: int
    clickhouse: int

    @classmethod
    def at(cls, offset: int) -> "Ports":
        """Return the base ports, all shifted by `offset`."""
        lowest, highest = 1024 - MARIADB, MAX_OFFSET
        if not lowest <= offset <= highest:
            raise StackError(
                f"A port offset of {offset} leaves the range 1024-32767; use one between "
                f"{lowest} and {highest}."
            )
        return cls(
            kafka=KAFKA + offset,
            kafka_controller=KAFKA_CONTROLLER + offset,
            mariadb=MARIADB + offset,
            postgres=POSTGRES + offset,
            clickhouse=CLICKHOUSE + offset,
        )

    def of(self, server: str) -> tuple[int, ...]:
        """Return the ports that one server binds, the one for clients first."""
        port: int = getattr(self, server)
        return (port, self.kafka_controller) if server == "kafka" else (port,)


def is_free(port: int) -> bool:
    """Return whether a server could bind `port` on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As servers do: a connection that lingers in TIME_WAIT is no obstacle, a listener is.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def accepts(port: int, *, timeout_s: float = 0.5) -> bool:
    """Return whether something accepts connections on `port` of loopback."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def require_free(server: str, ports: tuple[int, ...], *, patience_s: float = 0) -> None:
    """Raise a sentence naming the first port that `server` cannot bind, and who has it.

    Args:
        server: Who wants to listen.
        ports: Where.
        patience_s: How long to wait for a holder that is just about to end.
    """
    deadline = time.monotonic() + patience_s
    for port in ports:
        while not is_free(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        if not is_free(port):
            raise StackError(
                f"Port {port}, which {server} needs, is in use{_holder(port)}; stop what uses it "
                "or shift all ports with --port-offset, such as `--port-offset 100`."
            )


# No two ports of stacks whose offsets differ by multiples of this are the same.
OFFSET_STEP = 11


def free_offset(*, start: int = 1001) -> int:
    """Return the first offset from `start` on at which every port of a stack is free."""
    for offset in range(start, MAX_OFFSET, OFFSET_STEP):
        ports = Ports.at(offset)
        every = {port for server in SERVERS for port in ports.of(server)}
        if all(is_free(port) for port in every):
            return offset
    raise StackError("No free ports are left for another stack; stop one with `carebus stack down`.")


SERVERS = ("kafka", "mariadb", "postgres", "clickhouse")


def _holder(port: int) -> str:
    """Return ` by process 812 (java)` when the machine lets us know, else an empty text."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr[1:] == (port,):
                if connection.pid:
                    return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
                return " by another user's process"
    except (psutil.Error, OSError):
        pass
    return ""
