"""The account that servers run as when we are root.

Postgres refuses to run as root and MariaDB does so with a warning, so as root both drop to an
unprivileged account. That account usually cannot enter /root or a private temporary folder, so
their programs and data move to a place that it can reach.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StackError
from .platforms import running_as_root

SHARED_PROGRAMS = Path("/var/cache/carebus/programs")
SHARED_DATA = Path("/var/lib/carebus")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of the machine."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that drop to this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Return whether this account can enter `folder`; asks the kernel, so ACLs count too."""
        return self._succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])

    def can_run(self, program: Path) -> bool:
        """Return whether this account can execute `program` and read the files beside it."""
        script = 'test -x "$1" && test -r "$1"'
        return self._succeeds(["/bin/sh", "-c", script, "sh", str(program)])

    def own(self, path: Path) -> None:
        """Give `path`, and all below it, to this account."""
        os.chown(path, self.uid, self.gid)
        if path.is_dir():
            for child in path.rglob("*"):
                os.chown(child, self.uid, self.gid, follow_symlinks=False)

    def _succeeds(self, command: list[str]) -> bool:
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", **self.popen_options())
        return done.returncode == 0


def unprivileged_account() -> Account | None:
    """Return the account to drop to, or None when we are an ordinary user already."""
    if not running_as_root():
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError(
            "Postgres and MariaDB refuse to run as root and there is no account `nobody` to drop "
            "to; run `carebus stack` as an ordinary user."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable_programs(
    folder: Path, probe: Path, account: Account | None, *, beside: Mapping[str, Path] | None = None
) -> Path:
    """Return `folder`, or a copy of it that the account can execute.

    Args:
        folder: A tree of programs.
        probe: A program inside the tree, relative to it.
        account: Who will run it; None is ourselves, who can.
        beside: Further folders that a copy takes in, by the name that they get in it.
    """
    if account is None or account.can_run(folder / probe):
        return folder
    key = hashlib.sha256(f"{folder}:{(folder / probe).stat().st_mtime_ns}".encode()).hexdigest()
    copy = SHARED_PROGRAMS / f"{folder.name}-{key[:12]}"
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.{os.getpid()}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, partial, symlinks=True)
        for name, more in (beside or {}).items():
            shutil.copytree(more, partial / name, symlinks=True)
        _open_for_reading(partial)
        partial.rename(copy)
    if not account.can_run(copy / probe):
        raise StackError(
            f"The account {account.name} cannot run {copy / probe}; run `carebus stack` as an "
            f"ordinary user, or `chmod -R a+rX {SHARED_PROGRAMS}`."
        )
    return copy


def programs_home(preferred: Path, account: Account | None) -> Path:
    """Return where to put programs so that the account can execute them.

    Args:
        preferred: The place in our own cache; it need not exist.
        account: Who will run them; None is ourselves.
    """
    if account is None or account.can_enter(_nearest_existing(preferred)):
        return preferred
    return SHARED_PROGRAMS


def reachable_data(folder: Path, account: Account | None) -> Path:
    """Return where data meant for `folder` can live so that the account reaches it.

    Args:
        folder: The wanted place, such as `<stack>/postgres`; it need not exist.
        account: Who will read and write it; None is ourselves.
    """
    if account is None or account.can_enter(_nearest_existing(folder.parent)):
        return folder
    key = hashlib.sha256(str(folder.parent).encode()).hexdigest()[:12]
    return SHARED_DATA / f"{folder.parent.name.lstrip('.')}-{key}" / folder.name


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _open_for_reading(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode & 0o777
        opened = mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0)
        path.chmod(opened)
