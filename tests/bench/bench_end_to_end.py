"""The whole job: extractor, converter and four loaders on one machine, GiBleed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.measuring import median, spending
from carebus_demo.command import eunomia, job_file
from carebus_stack import LocalStack
from support.suites import accounts_close, running_suite


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Run the main job into empty targets, then again unchanged, ``rounds`` times each.

    Returns:
        persons/s of new and of unchanged data (medians), CPU seconds and peak memory by process.
    """
    fresh: list[float] = []
    again: list[float] = []
    cpu: dict[str, list[float]] = {}
    peak: dict[str, float] = {}
    data = eunomia()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_suite(
            stack,
            Path(folder),
            name="bench",
            roots=[data.parent],
            port_offset=700,
            more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
        ) as suite,
    ):
        pids = {name: process.pid for name, process in suite.workers.processes.items()}
        servers = {name: s["pid"] for name, s in stack.status().items() if s["pid"]}
        for number in range(rounds):
            job = job_file(data) | {"source": f"bench{number}"}
            with spending(pids | servers) as spent:
                state = suite.run(job)
            assert state["status"] == "completed", state
            assert accounts_close(state)
            fresh.append(state["persons"] / spent.wall_s)
            for name, seconds in spent.cpu_s.items():
                cpu.setdefault(name, []).append(seconds)
                peak[name] = max(peak.get(name, 0), spent.peak_mb[name])
            with spending(pids) as spent:
                suite.run(job)
            again.append(state["persons"] / spent.wall_s)
    return {
        "new_persons_s": median(fresh),
        "new_runs": fresh,
        "unchanged_persons_s": median(again),
        "unchanged_runs": again,
        "cpu_s": {name: median(found) for name, found in cpu.items()},
        "peak_mb": {name: peak[name] for name in pids},
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return a line a process: the CPU of a job on new data, and for workers the peak memory."""
    peaks = found["peak_mb"]
    return [
        f"       {name:46} {seconds:10,.2f} CPU s a job"
        + (f", {peaks[name]:6,.0f} MB at most" if name in peaks else "")
        for name, seconds in found["cpu_s"].items()
    ]
