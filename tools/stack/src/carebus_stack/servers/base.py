"""What the stack wants to know of any server."""

import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from carebus_stack.accounts import Account, reachable_data
from carebus_stack.endpoints import Endpoints
from carebus_stack.folder import StackFolder
from carebus_stack.ports import LOOPBACK, Ports

from .probes import PROBES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server is given: its stack's folder and ports, and where to tell what it does."""

    folder: StackFolder
    ports: Ports
    endpoints: Endpoints
    account: Account | None
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a server's process."""

    command: Sequence[str | Path]
    environment: Mapping[str, str]
    cwd: Path
    account: Account | None = None


class Server(ABC):
    """One server of a stack; knows its programs, data and probe, not its process."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout_s: ClassVar[float] = 30
    # A loaded CI machine needed 21 s for what takes 3 s on a quiet one.
    start_timeout_s: ClassVar[float] = 120
    drops_root: ClassVar[bool] = False
    """Whether it refuses root, so that as root it runs as another account."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    @property
    def account(self) -> Account | None:
        """The account to run as; None is our own."""
        return self.around.account if self.drops_root else None

    @property
    def data(self) -> Path:
        """Where the server keeps its files."""
        return reachable_data(self.around.folder.root / self.name, self.account)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it binds."""
        return self.around.ports.of(self.name)

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @abstractmethod
    def version(self) -> str:
        """Return the server's version."""

    @abstractmethod
    def prepare(self) -> None:
        """Fetch what it needs, and make its data folder unless it has one."""

    @abstractmethod
    def launch(self) -> Launch:
        """Return how to start it; called after `prepare`."""

    def answers(self) -> bool:
        """Return whether it serves a client now; the databases that we promise exist then."""
        return PROBES[self.name](self.around.endpoints)

    def programs(self) -> Sequence[Path]:
        """Return the programs whose shared libraries are checked when a start fails."""
        return ()

    def started(self) -> None:  # noqa: B027 - most servers leave nothing to tidy
        """Tidy up after the first answer."""

    def initialise(self, make: Callable[[Path], None]) -> None:
        """Make the data folder unless it is there: whole, or not at all.

        Args:
            make: Fills the empty folder that it is given, which then gets its final name.
        """
        data = self.data
        if data.exists():
            return
        partial = data.with_name(f"{data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)
        if self.account:
            self.account.own(partial)
        make(partial)
        partial.rename(data)
