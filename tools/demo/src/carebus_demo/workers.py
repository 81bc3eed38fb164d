"""Worker processes on this machine, as a supervisor would run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from carebus_contracts.errors import CareBusError
from carebus_stack.ports import require_free

PATIENCE_S = 5
"""A worker that was told to end a moment ago may still hold its port."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One process: a module to run, and what it is told beside the common settings."""

    name: str
    module: str
    settings: Mapping[str, str]
    health_port: int


class WorkerDied(CareBusError):
    """A worker left before it was ready."""


class Workers:
    """Starts, kills and stops worker processes; each logs to a file of its own."""

    def __init__(self, specs: Sequence[WorkerSpec], *, common: Mapping[str, str], logs: Path) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._common = dict(common)
        self._logs = logs
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, names: Sequence[str] | None = None) -> None:
        """Start workers; see ``wait_ready``.

        Raises:
            StackError: Somebody else listens on a port that one needs; the others' answers would be taken
                for ours. Nothing was started.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        for name in names or self.specs:
            require_free(name, (self.specs[name].health_port,), patience_s=PATIENCE_S)
        for name in names or self.specs:
            spec = self.specs[name]
            with self.log(name).open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", spec.module],
                    env=self._environment(spec),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def wait_ready(self, timeout_s: float = 60, names: Sequence[str] | None = None) -> None:
        """Wait until the workers answer that they are ready.

        Raises:
            WorkerDied: One left, or is not ready in time; the text names its log and last words.
        """
        deadline = time.monotonic() + timeout_s
        for name in names or self.processes:
            while (fault := self._fault(name)) is not None:
                if self.processes[name].poll() is not None or time.monotonic() > deadline:
                    raise WorkerDied(f"{name} is not ready ({fault}); {self._last_words(name)}")
                time.sleep(0.1)

    def kill(self, name: str) -> None:
        """End a worker with SIGKILL, as a crash would."""
        self.processes[name].kill()
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        """Start a worker that is gone."""
        self.start([name])

    def stop(self, timeout_s: float = 40) -> dict[str, int]:
        """Ask all to drain, and wait.

        Returns:
            Exit statuses by name; one that had to be killed has -9.
        """
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        statuses = {name: process.returncode for name, process in self.processes.items()}
        self.processes.clear()
        return statuses

    def log(self, name: str) -> Path:
        """Log file of a worker."""
        return self._logs / f"{name}.log"

    def _environment(self, spec: WorkerSpec) -> dict[str, str]:
        base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        service = spec.module.removeprefix("carebus_").upper()
        health = {f"CAREBUS_{service}_HEALTH_PORT": str(spec.health_port)}
        # glibc gives each thread an arena that it rarely gives back; two are enough for these workers.
        base["MALLOC_ARENA_MAX"] = "2"
        return base | self._common | health | dict(spec.settings)

    def _fault(self, name: str) -> str | None:
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{self.specs[name].health_port}/readyz", timeout=5, trust_env=False
            )
        except httpx.TransportError:
            return "no answer"
        return None if answer.status_code == 200 else str(answer.json().get("fault"))

    def _last_words(self, name: str) -> str:
        path = self.log(name)
        lines = path.read_text(errors="replace").splitlines()[-3:] if path.exists() else []
        return f"its log is {path}" + (f" and ends: {' | '.join(lines)}" if lines else "")
