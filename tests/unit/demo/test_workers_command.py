"""``carebus workers`` says what is wrong before it starts anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_demo import workers as worker_processes
from carebus_demo.running import workers
from carebus_demo.workers import Workers, WorkerSpec
from carebus_stack import StackError


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing option '--root'"),
        (["--root", "{folder}/none"], "does not exist"),
        (
            ["--root", "{folder}", "--replicas", "reader=2"],
            "there is no worker reader; choose from extractor",
        ),
        (["--root", "{folder}", "--replicas", "extractor"], "extractor: say how many"),
        (["--root", "{folder}", "--replicas", "extractor=0"], "extractor: say how many"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """Exit status 2, and nothing is made."""
    told = [argument.format(folder=tmp_path) for argument in arguments]

    answer = CliRunner().invoke(workers, [*told, "--dir", str(tmp_path / "dir")])

    assert answer.exit_code == 2
    assert sentence in answer.output
    assert not (tmp_path / "dir").exists()


def test_port_in_use_is_named_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another suite's workers would answer in place of ours, and ours die a moment later."""
    monkeypatch.setattr(worker_processes, "PATIENCE_S", 0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ours = Workers([WorkerSpec("console", "carebus_console", {}, port)], common={}, logs=tmp_path)

        with pytest.raises(StackError, match=rf"Port {port}, which console needs, is in use.*--port-offset"):
            ours.start()

    assert ours.processes == {}
