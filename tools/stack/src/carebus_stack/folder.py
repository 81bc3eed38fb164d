"""The folder of one stack: what lies where."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from .processes import write_private

PASSWORDS = ("mariadb-root", "mariadb-carebus_owner", "mariadb-carebus", "postgres-carebus")


@dataclass(frozen=True, slots=True)
class StackFolder:
    """Paths below one stack's folder, and the little that is remembered there."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log file a server."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """One password a file, mode 0600."""
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Pid files and rendered configuration."""
        return self.root / "run"

    @property
    def settings_file(self) -> Path:
        """The environment of services that use this stack."""
        return self.root / "carebus.env"

    @property
    def lock(self) -> Path:
        """Held while servers are started or stopped."""
        return self.root / ".lock"

    def log(self, server: str) -> Path:
        """The log file of one server."""
        return self.logs / f"{server}.log"

    def pid_file(self, server: str) -> Path:
        """The pid file of one server."""
        return self.run / f"{server}.pid"

    def prepare(self) -> None:
        """Create the folders and any password that is not there yet."""
        # Entered, not listed, by others: as root, two servers run as another account.
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for folder in (self.logs, self.secrets, self.run):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
        for name in PASSWORDS:
            file = self.secrets / name
            if not file.exists():
                write_private(file, secrets.token_urlsafe(24) + "\n")

    def password(self, name: str) -> str:
        """Return a password made by `prepare`."""
        return (self.secrets / name).read_text().strip()

    def remember(self, *, port_offset: int, settings: str) -> None:
        """Note the ports for later commands, and write the settings file for services."""
        write_private(self.root / "stack.json", json.dumps({"port_offset": port_offset}) + "\n")
        write_private(self.settings_file, settings)

    def remembered_offset(self) -> int | None:
        """Return the port offset of the last start in this folder."""
        try:
            return int(json.loads((self.root / "stack.json").read_text())["port_offset"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
