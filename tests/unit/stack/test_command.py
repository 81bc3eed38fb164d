"""The `carebus stack` command: what it says and how it ends."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_stack.command import stack
from carebus_stack.folder import StackFolder

# Stands for docker: engine answers, compose notes its arguments and whether it got a password.
DOCKER = """\
#!/bin/sh
echo "$@" >> "$DOCKER_CALLS"
case "$*" in
  info) exit "${DOCKER_INFO:-0}" ;;
  *" ps "*) echo '{"Service":"kafka","State":"running","Health":"healthy","Image":"apache/kafka:4.1.1"}' ;;
  *" up "*) test -n "$CAREBUS_POSTGRES_PASSWORD" && test "$CAREBUS_KAFKA_PORT" = 29192 ;;
esac
"""


@pytest.fixture
def docker_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that only notes how it was called."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    calls = tmp_path / "calls"
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CALLS", str(calls))
    monkeypatch.setenv("CAREBUS_COMPOSE_FILE", str(tmp_path / "docker-compose.yml"))
    return calls


def test_the_command_is_an_entry_point() -> None:
    """The CLI finds it by group and name."""
    (found,) = entry_points(group="carebus.commands", name="stack")

    assert found.load() is stack


def test_status_of_a_folder_without_a_stack(tmp_path: Path) -> None:
    """Nothing runs, and nothing is made."""
    result = CliRunner().invoke(stack, ["status", "--dir", str(tmp_path / "none"), "--json"])

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [server["running"] for server in report["servers"].values()] == [False] * 4
    assert not (tmp_path / "none").exists()


def test_down_of_a_folder_without_a_stack(tmp_path: Path) -> None:
    """It is no error: nothing runs afterwards."""
    result = CliRunner().invoke(stack, ["down", "--wipe", "--dir", str(tmp_path / "none")])

    assert result.exit_code == 0
    assert not (tmp_path / "none").exists()


def test_a_sentence_and_status_two(tmp_path: Path) -> None:
    """What has to be put right goes to standard error."""
    result = CliRunner().invoke(stack, ["up", "--dir", str(tmp_path), "--port-offset", "90000"])

    assert result.exit_code == 2
    assert "use one between" in result.stderr


def test_an_unknown_server_is_named(tmp_path: Path) -> None:
    """--only takes the four names."""
    result = CliRunner().invoke(stack, ["status", "--only", "kafka,oracle", "--dir", str(tmp_path)])

    assert result.exit_code == 2
    assert "there is no server oracle" in result.stderr


def test_the_folder_may_come_from_the_environment(tmp_path: Path) -> None:
    """CAREBUS_STACK_DIR is the default of --dir."""
    result = CliRunner().invoke(stack, ["status", "--json"], env={"CAREBUS_STACK_DIR": str(tmp_path / "x")})

    assert json.loads(result.stdout)["directory"] == str(tmp_path / "x")


def test_docker_mode_passes_secrets_by_environment(tmp_path: Path, docker_calls: Path) -> None:
    """Ports and passwords reach compose as variables; later commands remember the mode."""
    folder = tmp_path / "s"
    arguments = ["--dir", str(folder), "--only", "kafka"]

    up = CliRunner().invoke(stack, ["up", "--docker", "--port-offset", "100", "--json", *arguments])
    status = CliRunner().invoke(stack, ["status", "--json", *arguments])
    CliRunner().invoke(stack, ["down", "--wipe", "--dir", str(folder)])

    kafka = json.loads(status.stdout)["servers"]["kafka"]
    calls = docker_calls.read_text()
    assert up.exit_code == 0, up.output
    assert (kafka["running"], kafka["version"], kafka["address"]) == (True, "4.1.1", "127.0.0.1:29192")
    assert "--project-name carebus-100 up --detach --wait kafka" in calls
    assert "--project-name carebus-100 down --volumes" in calls
    assert "password" not in calls
    assert not folder.exists()


def test_docker_that_does_not_answer(
    tmp_path: Path, docker_calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the native way."""
    monkeypatch.setenv("DOCKER_INFO", "1")

    result = CliRunner().invoke(stack, ["up", "--docker", "--dir", str(tmp_path / "s")])

    assert result.exit_code == 2
    assert "Docker does not answer" in result.stderr


def test_a_folder_holds_one_kind_of_stack(tmp_path: Path, docker_calls: Path) -> None:
    """Native data and volumes are different data: mixing them is refused."""
    folder = StackFolder(tmp_path / "s")
    folder.prepare()
    folder.remember(port_offset=0, settings="")

    result = CliRunner().invoke(stack, ["up", "--docker", "--dir", str(folder.root)])

    assert result.exit_code == 2
    assert "holds a native stack" in result.stderr
