"""The same four servers as containers, through docker compose and the repository's file."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .downloads import locked
from .endpoints import Endpoints, local_endpoints, settings_text
from .errors import StackError
from .folder import StackFolder
from .ports import SERVERS, Ports
from .status import ServerStatus

COMPOSE_FILE = "docker-compose.yml"


def docker_answers() -> bool:
    """Return whether a Docker engine is usable from here."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=20)  # noqa: S607
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


class ComposeStack:
    """Servers in containers; the folder holds their passwords and settings, volumes hold their data.

    Args:
        directory: The stack's folder; made by `up`.
        port_offset: Added to every base port. None keeps the folder's last one, else 0.
        servers: Which servers this object is about.
    """

    def __init__(
        self, directory: Path | str, port_offset: int | None = None, servers: Sequence[str] = SERVERS
    ) -> None:
        self.folder = StackFolder(Path(directory).absolute())
        self.port_offset = self.folder.remembered().port_offset if port_offset is None else port_offset
        self.ports = Ports.at(self.port_offset)
        self.endpoints: Endpoints = local_endpoints(self.ports, self.folder.secrets)
        self.names = tuple(servers)

    @property
    def directory(self) -> Path:
        """The stack's folder."""
        return self.folder.root

    @property
    def settings_file(self) -> Path:
        """The file of environment variables for services; `up` writes it."""
        return self.folder.settings_file

    def up(self) -> list[str]:
        """Start the containers and wait until all are healthy.

        Returns:
            The names of the servers that did not run before.
        """
        if not docker_answers():
            raise StackError(
                "Docker does not answer (`docker info` fails); start it, or leave --docker out: the native "
                "stack needs none."
            )
        self.folder.prepare()
        with locked(self.folder.lock):
            text = settings_text(self.endpoints.settings())
            self.folder.remember(port_offset=self.port_offset, settings=text, mode="docker")
            before = self.status()
            self._compose("up", "--detach", "--wait", *self.names)
        return [name for name in self.names if not before[name]["running"]]

    def down(self, *, wipe: bool = False) -> None:
        """Stop and remove the containers; with `wipe` also their volumes and the folder's files."""
        if not self.directory.exists():
            return
        with locked(self.folder.lock):
            if self.names != SERVERS:
                self._compose("rm", "--stop", "--force", *(["--volumes"] if wipe else []), *self.names)
                return
            self._compose("down", *(["--volumes"] if wipe else []))
            if wipe:
                self.folder.remove()

    def status(self) -> dict[str, ServerStatus]:
        """Return what docker compose says of each server, by name."""
        listed = self._compose("ps", "--all", "--format", "json", *self.names)
        # One JSON object a line, or, before compose 2.21, one array.
        found = [json.loads(line) for line in listed.splitlines() if line.strip()]
        rows = found[0] if found and isinstance(found[0], list) else found
        by_name = {row["Service"]: row for row in rows}
        return {name: self._status(name, by_name.get(name, {})) for name in self.names}

    def _status(self, name: str, row: dict[str, str]) -> ServerStatus:
        running = row.get("State") == "running"
        return ServerStatus(
            name=name,
            running=running,
            answering=running and row.get("Health", "healthy") in ("healthy", ""),
            pid=None,
            address=f"127.0.0.1:{self.ports.of(name)[0]}",
            version=row.get("Image", "").rpartition(":")[2],
            data=f"volume {self._project}_{name}",
            log=f"docker compose --project-name {self._project} logs {name}",
        )

    @property
    def _project(self) -> str:
        # Stacks side by side need names of their own; the one at offset 0 has the plain name.
        return f"carebus-{self.port_offset}" if self.port_offset else "carebus"

    def _compose(self, *arguments: str) -> str:
        file = _compose_file()
        command = ["docker", "compose", "--file", str(file), "--project-name", self._project, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self._environment())
        if done.returncode != 0:
            reason = "\n".join(done.stderr.strip().splitlines()[-10:])
            raise StackError(f"`docker compose {arguments[0]}` failed; it says:\n{reason}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """Return ports and passwords for the file's variables: in the environment, on no command line."""
        passwords = {
            "CAREBUS_OPENEMR_ROOT_PASSWORD": "mariadb-root",
            "CAREBUS_OPENEMR_OWNER_PASSWORD": "mariadb-carebus_owner",
            "CAREBUS_OPENEMR_PASSWORD": "mariadb-carebus",
            "CAREBUS_POSTGRES_PASSWORD": "postgres-carebus",
        }
        return {
            **os.environ,
            **{variable: self.folder.password(name) for variable, name in passwords.items()},
            "CAREBUS_KAFKA_PORT": str(self.ports.kafka),
            "CAREBUS_OPENEMR_PORT": str(self.ports.mariadb),
            "CAREBUS_POSTGRES_PORT": str(self.ports.postgres),
            "CAREBUS_CLICKHOUSE_PORT": str(self.ports.clickhouse),
        }


def _compose_file() -> Path:
    """Return the compose file of the checkout that we are in."""
    if named := os.environ.get("CAREBUS_COMPOSE_FILE"):
        return Path(named)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / COMPOSE_FILE).is_file():
            return folder / COMPOSE_FILE
    raise StackError(
        f"There is no {COMPOSE_FILE} here or above; run this in a checkout of carebus, or name the file in "
        "CAREBUS_COMPOSE_FILE."
    )
