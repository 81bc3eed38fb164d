"""Start a server so that it outlives us, know it again, stop it by its id.

A process id alone is not enough to know a process again: ids are reused. The pid file also keeps
when the process started, so a stranger with the same id is never taken for the server, nor killed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .accounts import Account

# A log that grew beyond this is set aside (one old one is kept) at the next start.
MAX_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A process that was started by us, here or in an earlier run."""

    pid: int
    started: str
    """Opaque; equal for the same process, different for another with the same id."""

    def is_alive(self) -> bool:
        """Return whether exactly this process still runs."""
        reap(self.pid)
        return start_token(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait_until_gone(self, *, timeout_s: float) -> bool:
        """Return whether the process ended within the time."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    pid_file: Path,
    cwd: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
) -> ServerProcess:
    """Start a server in a session of its own, writing to `log`, and note it in `pid_file`."""
    _set_aside(log)
    options: dict[str, Any] = account.popen_options() if account else {}
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
            close_fds=True,
            **options,
        )
    token = start_token(child.pid) or "gone"
    # The server is meant to outlive this object; `reap` collects it if it ends before we do.
    child.returncode = 0
    process = ServerProcess(child.pid, token)
    write_private(pid_file, json.dumps({"pid": process.pid, "started": process.started}))
    return process


def find(pid_file: Path) -> ServerProcess | None:
    """Return the live process noted in `pid_file`, or None."""
    try:
        noted = json.loads(pid_file.read_text())
        process = ServerProcess(int(noted["pid"]), str(noted["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if process.is_alive() else None


def stop(
    process: ServerProcess, *, with_signal: signal.Signals = signal.SIGTERM, timeout_s: float = 30
) -> None:
    """Ask the process to end, wait, and end it by force when it does not."""
    process.signal(with_signal)
    if not process.wait_until_gone(timeout_s=timeout_s):
        kill(process)


def kill(process: ServerProcess) -> None:
    """End the process and its descendants at once, without any chance to tidy up."""
    children = descendants(process)
    process.signal(signal.SIGKILL)
    process.wait_until_gone(timeout_s=10)
    for child in children:
        child.signal(signal.SIGKILL)
        child.wait_until_gone(timeout_s=10)


def descendants(process: ServerProcess) -> list[ServerProcess]:
    """Return the children of a live process, and theirs."""
    if not process.is_alive():
        return []
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []
    found = [(child.pid, start_token(child.pid)) for child in children]
    return [ServerProcess(pid, token) for pid, token in found if token is not None]


def living_in(folder: Path) -> list[ServerProcess]:
    """Return the processes whose working folder is `folder` (left over from a killed server)."""
    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(candidate.cwd()) == folder and (token := start_token(candidate.pid)):
                found.append(ServerProcess(candidate.pid, token))
    return found


def start_token(pid: int) -> str | None:
    """Return what tells this process from any other with the same id, or None if it is not alive.

    On Linux: the boot and the clock ticks since then, both immutable. A wall clock time would not
    do, as it moves when the machine's clock is set.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        state, threads, ticks = fields[0], int(fields[17]), fields[19]
        # Z: ended, not yet collected. Its other threads may still be ending, and hold its ports.
        gone = state in "ZX" and threads <= 1
        return None if gone else f"{_boot_id()}:{ticks}"
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.0f}"
    except psutil.Error:
        return None


def reap(pid: int) -> None:
    """Collect an ended child of ours, which else would stay in the process table."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def last_lines(log: Path, *, count: int = 15) -> str:
    """Return the end of a log file, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])


def base_environment(**more: str) -> dict[str, str]:
    """Return the few variables that a server gets: ours would change its behaviour by accident."""
    kept = ("PATH", "HOME", "TZ", "TMPDIR", "PYTHONPATH")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "HOME": "/", **inherited, "LANG": "C.UTF-8", **more}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.rename(path)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "boot"


def _set_aside(log: Path) -> None:
    with contextlib.suppress(OSError):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
