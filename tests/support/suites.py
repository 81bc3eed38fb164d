"""Running suites of real workers against real servers, each with target stores of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from carebus_console.domain.report import report_of
from carebus_contracts.jobs import JobState
from carebus_demo.preparing import prepare
from carebus_demo.suite import CONSOLE_PORT, suite
from carebus_demo.workers import Workers
from carebus_stack import LocalStack

FINAL = ("completed", "failed", "cancelled", "rejected")


@dataclass(slots=True)
class RunningSuite:
    """Workers, the console in front of them, and where their targets are."""

    workers: Workers
    client: httpx.Client
    settings: dict[str, str]
    folder: Path

    def submit(self, job: Mapping[str, Any]) -> str:
        """Submit a job that is to be admitted."""
        answer = self.client.post("/jobs", json=dict(job))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def state(self, job_id: str) -> dict[str, Any]:
        """Return the state of a job."""
        return dict(self.client.get(f"/jobs/{job_id}").raise_for_status().json())

    def wait(self, job_id: str, timeout_s: float = 300) -> dict[str, Any]:
        """Wait until a job ended."""
        return self.wait_for(job_id, lambda state: state["status"] in FINAL, timeout_s)

    def wait_for(self, job_id: str, condition: Any, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until a job's state fulfils a condition."""
        deadline = time.monotonic() + timeout_s
        while not condition(state := self.state(job_id)):
            assert time.monotonic() < deadline, f"not in {timeout_s} s: {state}"
            time.sleep(0.2)
        return state

    def run(self, job: Mapping[str, Any], timeout_s: float = 300) -> dict[str, Any]:
        """Submit a job and wait until it ended."""
        return self.wait(self.submit(job), timeout_s)


@contextmanager
def running_suite(
    stack: LocalStack,
    folder: Path,
    *,
    name: str,
    roots: Sequence[Path],
    replicas: Mapping[str, int] | None = None,
    port_offset: int = 0,
    targets: Sequence[str] = ("openemr", "postgres", "clickhouse", "documents"),
    create: bool = True,
    more: Mapping[str, str] | None = None,
) -> Iterator[RunningSuite]:
    """Run a suite whose databases, schema and folders bear a name of their own."""
    settings = {
        **stack.endpoints.settings(),
        "CAREBUS_OPENEMR_DATABASE": f"openemr_{name}",
        "CAREBUS_POSTGRES_SCHEMA": f"omop_{name}",
        "CAREBUS_CLICKHOUSE_DATABASE": f"carebus_{name}",
        **(more or {}),
    }
    if create:
        prepare(settings, folder)
    workers = suite(
        settings, folder, roots=roots, replicas=replicas, port_offset=port_offset, targets=targets
    )
    with (
        workers,
        httpx.Client(base_url=f"http://127.0.0.1:{CONSOLE_PORT + port_offset}", timeout=30) as client,
    ):
        workers.start()
        workers.wait_ready(120)
        yield RunningSuite(workers, client, settings, folder)


def accounts_close(state: Mapping[str, Any]) -> bool:
    """Whether every message and every source row is accounted for at every target, as the report has it."""
    return bool(report_of(JobState.model_validate(state))["closes"])
