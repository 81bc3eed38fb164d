"""The folder of one stack: what lies where."""

import contextlib
import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from .processes import write_private

PASSWORDS = ("mariadb-root", "mariadb-carebus_owner", "mariadb-carebus", "postgres-carebus")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the last `up` noted in a folder."""

    known: bool
    """False when there was no `up` yet."""
    port_offset: int
    mode: str
    """`native` or `docker`."""


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
        if not self.root.exists():
            self.root.mkdir(parents=True)
            # Entered, not listed, by others: as root, two servers run as another account. A folder
            # that was there before is not ours to open or close.
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

    def remember(self, *, port_offset: int, settings: str, mode: str = "native") -> None:
        """Note ports and mode for later commands, and write the settings file for services."""
        noted = {"port_offset": port_offset, "mode": mode}
        write_private(self.root / "stack.json", json.dumps(noted) + "\n")
        write_private(self.settings_file, settings)

    def remembered(self) -> Remembered:
        """Return what the last start in this folder noted; the defaults when there was none."""
        try:
            noted = json.loads((self.root / "stack.json").read_text())
            return Remembered(True, int(noted["port_offset"]), str(noted.get("mode", "native")))
        except (OSError, ValueError, KeyError, TypeError):
            return Remembered(False, 0, "native")

    def remove(self) -> None:
        """Remove what we wrote, by name, so that a wrong --dir costs nobody their files."""
        for folder in (self.logs, self.secrets, self.run):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("carebus.env", "stack.json", ".lock"):
            (self.root / name).unlink(missing_ok=True)
        remove_if_empty(self.root)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder unless something is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
