"""``carebus targets vanished``: ids go to standard output, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from carebus_contracts.errors import TargetUnavailable
from carebus_contracts.versions import Version
from carebus_loader import command


class FakeTarget:
    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.stopped = False

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        self.stopped = True

    async def vanished(self, source: str, version: Version) -> list[int]:
        if self.fault:
            raise self.fault
        return [3, 5] if (source, version) == ("lab", Version(1234)) else []


def run(monkeypatch: pytest.MonkeyPatch, target: FakeTarget, *words: str) -> Any:
    monkeypatch.setattr(command, "open_target", lambda name: target)
    return CliRunner().invoke(
        command.targets, ["vanished", "postgres", "--source", "lab", "--since-ms", "1234", *words]
    )


def test_ids_stand_one_a_line_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target is closed afterwards."""
    target = FakeTarget()

    lines, found = run(monkeypatch, target), run(monkeypatch, target, "--json")

    assert (lines.stdout, json.loads(found.stdout)) == ("3\n5\n", [3, 5])
    assert target.stopped


def test_a_target_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, exit status 2; it is closed, too."""
    target = FakeTarget(TargetUnavailable("no answer", system="postgres"))

    answer = run(monkeypatch, target)

    assert (answer.exit_code, answer.stderr) == (2, "postgres: no answer\n")
    assert target.stopped
