"""What a stack says of a server."""

from typing import TypedDict


class ServerStatus(TypedDict):
    """One server, running or not."""

    name: str
    running: bool
    answering: bool
    """Whether it accepts connections; `up` asks more than this."""
    pid: int | None
    address: str
    version: str
    data: str
    log: str
