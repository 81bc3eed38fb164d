"""Processes are known again by more than their id."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from carebus_stack.processes import (
    MAX_LOG_BYTES,
    ServerProcess,
    base_environment,
    find,
    kill,
    last_lines,
    spawn,
    start_token,
    stop,
    write_private,
)

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
STUBBORN = [SLEEP[0], "-c", "import signal; signal.signal(15, signal.SIG_IGN); " + SLEEP[2]]


def started(tmp_path: Path, command: list[str]) -> ServerProcess:
    """A process that has said it is ready."""
    log = tmp_path / "p.log"
    process = spawn(
        command, log=log, pid_file=tmp_path / "p.pid", cwd=tmp_path, environment=base_environment()
    )
    deadline = time.monotonic() + 20
    while "ready" not in last_lines(log) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_a_spawned_process_is_found_and_stopped(tmp_path: Path) -> None:
    """The pid file is enough to find it; after stop it is gone, from the process table too."""
    process = started(tmp_path, SLEEP)

    found = find(tmp_path / "p.pid")
    stop(process)

    assert found == process
    assert find(tmp_path / "p.pid") is None
    assert start_token(process.pid) is None


def test_a_spawned_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in our terminal does not reach it."""
    process = started(tmp_path, SLEEP)

    session = os.getsid(process.pid)
    kill(process)

    assert session == process.pid


def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    """Stop ends by force after its time."""
    process = started(tmp_path, STUBBORN)

    stop(process, timeout_s=0.3)

    assert not process.is_alive()


def test_another_process_with_the_same_id_is_not_touched(tmp_path: Path) -> None:
    """Our own id under another start time is nobody, and gets no signal."""
    stranger = ServerProcess(os.getpid(), "another:1")
    (tmp_path / "p.pid").write_text(json.dumps({"pid": os.getpid(), "started": "another:1"}))

    stranger.signal(signal.SIGKILL)

    assert not stranger.is_alive()
    assert find(tmp_path / "p.pid") is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": "x"}', "12"])
def test_a_broken_pid_file_means_no_process(tmp_path: Path, text: str) -> None:
    """Whatever stands there, nothing is raised."""
    (tmp_path / "p.pid").write_text(text)

    assert find(tmp_path / "p.pid") is None


def test_a_large_log_is_set_aside_at_start(tmp_path: Path) -> None:
    """One old log is kept."""
    (tmp_path / "p.log").write_bytes(b"x" * (MAX_LOG_BYTES + 1))

    kill(started(tmp_path, SLEEP))

    assert (tmp_path / "p.log.1").stat().st_size == MAX_LOG_BYTES + 1
    assert last_lines(tmp_path / "p.log") == "ready"


def test_last_lines_of_a_log(tmp_path: Path) -> None:
    """The end, and nothing for a file that is not there."""
    (tmp_path / "l").write_text("\n".join(str(n) for n in range(100)))

    assert last_lines(tmp_path / "l", count=2) == "98\n99"
    assert last_lines(tmp_path / "absent") == ""


def test_private_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Mode 0600, and no partial file is left."""
    before = os.umask(0)
    try:
        write_private(tmp_path / "secret", "x")
    finally:
        os.umask(before)

    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_servers_get_few_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes a server by accident, such as JAVA_TOOL_OPTIONS or PGDATA, is not passed on."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    monkeypatch.setenv("PGDATA", "/elsewhere")

    assert set(base_environment(LD_LIBRARY_PATH="/l")) & {"JAVA_TOOL_OPTIONS", "PGDATA"} == set()
    assert base_environment(LD_LIBRARY_PATH="/l")["LD_LIBRARY_PATH"] == "/l"
