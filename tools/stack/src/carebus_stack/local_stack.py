"""A stack in a folder: the API behind `carebus stack` and the tests."""

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from . import lifecycle
from .accounts import unprivileged_account
from .downloads import locked
from .endpoints import Endpoints, local_endpoints, settings_text
from .errors import StackError
from .folder import StackFolder, remove_if_empty
from .platforms import require_disk, require_supported_platform
from .ports import SERVERS, Ports, accepts
from .servers import SERVER_CLASSES, Server, Surroundings
from .status import ServerStatus

R = TypeVar("R")


class LocalStack:
    """Real servers on loopback, kept in one folder; they outlive this object and its process.

    Every method may be called again, and from another process: what runs is read from the folder.

    Args:
        directory: The stack's folder; made by `up`.
        port_offset: Added to every base port. None keeps the folder's last one, else 0.
        servers: Which servers this object is about.
        tell: Gets a short line for each step that may take long.
    """

    def __init__(
        self,
        directory: Path | str,
        port_offset: int | None = None,
        servers: Sequence[str] = SERVERS,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = StackFolder(Path(directory).absolute())
        remembered = self.folder.remembered()
        self.port_offset = remembered.port_offset if port_offset is None else port_offset
        self._moved = remembered.known and remembered.port_offset != self.port_offset
        self.names = _known(servers)
        ports = Ports.at(self.port_offset)
        self.endpoints: Endpoints = local_endpoints(ports, self.folder.secrets)
        around = Surroundings(
            folder=self.folder,
            ports=ports,
            endpoints=self.endpoints,
            account=unprivileged_account(),
            tell=tell or (lambda _: None),
        )
        self._all: dict[str, Server] = {n: SERVER_CLASSES[n](around) for n in SERVERS}
        self._cancelled = threading.Event()

    @property
    def directory(self) -> Path:
        """The stack's folder."""
        return self.folder.root

    @property
    def settings_file(self) -> Path:
        """The file of environment variables for services; `up` writes it."""
        return self.folder.settings_file

    def up(self) -> list[str]:
        """Start what does not run yet, all at once, and wait until everything answers.

        Returns:
            The names of the servers that were started by this call.

        Raises:
            StackError: Something has to be put right first; servers that did start keep running.
        """
        require_supported_platform()
        require_disk(self.directory)
        self._require_no_strange_data()
        self.folder.prepare()
        with locked(self.folder.lock):
            self._require_same_ports()
            text = settings_text(self.endpoints.settings())
            self.folder.remember(port_offset=self.port_offset, settings=text)
            started = self._each(self.names, self._start)
        return [name for name, new in zip(self.names, started, strict=True) if new]

    def down(self, *, wipe: bool = False) -> None:
        """Stop the servers; with `wipe` also remove their data, passwords and logs."""
        if not self.folder.remembered().known:
            return
        with locked(self.folder.lock):
            self._each(self.names, lambda name: lifecycle.stop(self._all[name]))
            if wipe:
                self._wipe()

    def start(self, name: str) -> None:
        """Start one server on its data and wait until it answers."""
        self._only(name).up()

    def stop(self, name: str) -> None:
        """Stop one server in order."""
        self._only(name).down()

    def kill(self, name: str) -> None:
        """End one server with SIGKILL, as a crash would."""
        lifecycle.kill(self._server(name))

    def restart(self, name: str) -> None:
        """Stop one server in order and start it again."""
        self.stop(name)
        self.start(name)

    def status(self) -> dict[str, ServerStatus]:
        """Return what is known of each server, by name."""
        return {name: self._status(self._all[name]) for name in self.names}

    def _start(self, name: str) -> bool:
        return lifecycle.start(self._all[name], cancelled=self._cancelled)

    def _status(self, server: Server) -> ServerStatus:
        process = lifecycle.find(server)
        return ServerStatus(
            name=server.name,
            running=process is not None,
            answering=process is not None and accepts(server.ports[0]),
            pid=process.pid if process else None,
            address=server.address,
            version=server.version(),
            data=str(server.data),
            log=str(self.folder.log(server.name)),
        )

    def _each(self, names: Sequence[str], act: Callable[[str], R]) -> list[R]:
        """Act on servers in parallel; all are let finish, then the failures are raised as one."""
        with ThreadPoolExecutor(max(1, len(names)), thread_name_prefix="stack") as pool:
            futures = [pool.submit(act, name) for name in names]
            try:
                errors = [future.exception() for future in futures]
            except KeyboardInterrupt:
                self._cancelled.set()
                raise
        failures = [error for error in errors if error is not None]
        if len(failures) > 1 and all(isinstance(error, StackError) for error in failures):
            raise StackError("\n".join(str(error) for error in failures))
        if failures:
            raise failures[0]
        return [future.result() for future in futures]

    def _only(self, name: str) -> "LocalStack":
        self._server(name)
        return LocalStack(self.directory, self.port_offset, (name,))

    def _server(self, name: str) -> Server:
        (known,) = _known((name,))
        return self._all[known]

    def _require_same_ports(self) -> None:
        if not self._moved:
            return
        running = [name for name, server in self._all.items() if lifecycle.find(server)]
        if running:
            raise StackError(
                f"{', '.join(running)} of {self.directory} run with another port offset "
                f"({self.folder.remembered().port_offset}); stop them with `carebus stack down --dir "
                f"{self.directory}` first, or leave --port-offset out."
            )

    def _require_no_strange_data(self) -> None:
        """Refuse data that no `up` in this folder made, or whose passwords were removed with it."""
        if self.folder.remembered().known:
            return
        strange = [str(server.data) for server in self._all.values() if server.data.exists()]
        if strange:
            raise StackError(
                f"{', '.join(strange)} would be this stack's data, but no stack was started in "
                f"{self.directory}; choose another --dir, or remove what is left of an earlier one."
            )

    def _wipe(self) -> None:
        """Remove what is ours by name, so that a wrong --dir costs nobody their files."""
        for name in self.names:
            server = self._all[name]
            for path in (server.data, server.data.with_name(f"{server.data.name}.partial")):
                shutil.rmtree(path, ignore_errors=True)
            remove_if_empty(server.data.parent)
        if any(lifecycle.find(server) for server in self._all.values()):
            return
        if any(server.data.exists() for server in self._all.values()):
            return
        self.folder.remove()


def _known(names: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in SERVERS]
    if unknown or not wanted:
        raise StackError(
            f"There is no server {', '.join(unknown) or 'named'}; the stack has {', '.join(SERVERS)}."
        )
    return wanted
