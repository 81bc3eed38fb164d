"""The generator: files made here, records on Kafka, many jobs at once. ``make bench-generator``."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from aiokafka import AIOKafkaConsumer

from bench.measuring import median
from carebus_contracts.headers import read_headers
from carebus_contracts.topics import OMOP_RECORDS
from carebus_stack import LocalStack
from support.stack import own_stack
from support.suites import RunningSuite, running_suite

SCENARIO = "baltic_defence"
JOBS, JOB_PATIENTS = 10, 50_000
RECORDS = 50_000
UNBOUNDED = {"CAREBUS_GENERATOR_WINDOW_SLICES": "100000", "CAREBUS_GENERATOR_WINDOW_MB": "1000000"}
"""Nothing behind the generator takes the records away, so the window must not wait for it."""


def files(total: int, form: str, *, compression: str = "none", processes: int = 2) -> dict[str, float]:
    """Run ``carebus generate run`` in processes of its own.

    Returns:
        Wall seconds, CPU seconds, peak resident megabytes of its largest process and of all together, MB written.
    """
    carebus = str(Path(sys.executable).with_name("carebus"))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            carebus, "generate", "run", SCENARIO, "--total", str(total), "--out", folder, "--format", form,
            "--compression", compression, "--processes", str(processes), "--quiet",
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            largest, together = _peaks(process)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process.returncode == 0, command
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "largest_mb": largest, "together_mb": together, "mb": size / 1e6}


def _peaks(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Watch a process and its children to their end: greatest resident memory of one, and of all at a time."""
    largest = together = 0.0
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes = [found.memory_info().rss / 1e6 for found in (parent, *parent.children(recursive=True))]
        except psutil.NoSuchProcess:
            continue
        largest, together = max([largest, *sizes]), max(together, sum(sizes))
        time.sleep(0.02)
    return largest, together


def run(stack: LocalStack) -> dict[str, Any]:
    """Measure everything once, and what is small three times."""
    parquet = [files(50_000, "parquet") for _ in range(3)]
    small = [files(10_000, "ndjson", compression="zstd", processes=1) for _ in range(3)]
    large = files(1_000_000, "ndjson", compression="zstd")
    return {
        "parquet_50k_s": median(found["wall_s"] for found in parquet),
        "parquet_50k_cpu_s": median(found["cpu_s"] for found in parquet),
        "ndjson_10k_mb": median(found["largest_mb"] for found in small),
        "ndjson_1m_s": large["wall_s"],
        "ndjson_1m_cpu_s": large["cpu_s"],
        "ndjson_1m_mb": large["largest_mb"],
        "memory_ratio": large["largest_mb"] / median(found["largest_mb"] for found in small),
        **_records(stack),
        **_at_once(stack),
    }


@contextmanager
def _generators(stack: LocalStack, name: str, more: Mapping[str, str]) -> Iterator[RunningSuite]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_suite(
            stack, Path(folder), name=name, roots=[Path(folder)], port_offset=720,
            replicas={"generator": 2, "extractor": 0, "converter": 0}, targets=("documents",), more=more,
        ) as suite,
    ):  # fmt: skip
        yield suite


def _records(stack: LocalStack) -> dict[str, Any]:
    """Bundles to Kafka; and how soon the first one is there in a worker that runs."""
    with _generators(stack, "genrecords", UNBOUNDED) as suite:
        job = {
            "kind": "generate", "source": "bench", "scenario": SCENARIO, "targets": ["documents"], "total": RECORDS,
        }  # fmt: skip
        firsts = []
        for number in range(3):
            job_id = suite.submit(job | {"source": f"first{number}", "total": 2_000})
            state = suite.wait_for(job_id, lambda s: s["slices"] and s["slices_extracted"] >= s["slices"])
            firsts.append(_first_record_s(suite, job_id))
        began = time.perf_counter()
        job_id = suite.submit(job)
        state = suite.wait_for(job_id, lambda s: s["slices"] and s["slices_extracted"] >= s["slices"], 300)
        wall = time.perf_counter() - began
    return {
        "kafka_50k_s": wall,
        "kafka_50k_mb": state["bytes_extracted"] / 1e6,
        "first_record_s": median(firsts),
    }


def _first_record_s(suite: RunningSuite, job_id: str) -> float:
    """Seconds from the append time of the accepted job to that of its first patient, by Kafka's own clock."""
    appended = asyncio.run(_appended_ms(suite.settings["CAREBUS_KAFKA_BOOTSTRAP"], job_id))
    return (min(appended) - suite.state(job_id)["accepted_ms"]) / 1000


async def _appended_ms(bootstrap: str, job_id: str) -> list[int]:
    """Append times of a job's patients."""
    consumer = AIOKafkaConsumer(
        OMOP_RECORDS.name,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        fetch_max_bytes=50_000_000,
    )
    await consumer.start()
    found = []
    try:
        while batches := await consumer.getmany(timeout_ms=1_000):
            for record in (record for records in batches.values() for record in records):
                envelope = read_headers(record.headers)
                if envelope.job_id == job_id and envelope.contract.startswith("PersonRecords"):
                    found.append(record.timestamp)
    finally:
        await consumer.stop()
    return found


def _at_once(stack: LocalStack) -> dict[str, Any]:
    """Ten jobs to Parquet at once, while somebody asks for their states all the time."""
    with _generators(stack, "genjobs", {}) as suite:
        began = time.perf_counter()
        jobs = [
            suite.submit(
                {
                    "kind": "generate", "source": f"job{number}", "scenario": SCENARIO, "total": JOB_PATIENTS,
                    "seed": number, "files": [{"format": "parquet", "url": str(suite.folder / f"job{number}")}],
                }
            )
            for number in range(JOBS)
        ]  # fmt: skip
        asking = _Asking(str(suite.client.base_url), jobs)
        asking.start()
        ended: dict[str, float] = {}
        while len(ended) < JOBS:
            for job_id in jobs:
                if job_id not in ended and suite.state(job_id)["status"] == "completed":
                    ended[job_id] = time.perf_counter() - began
            time.sleep(0.1)
            assert time.perf_counter() - began < 600
        asking.stop()
        hits, misses = _lookups(suite)
    return {
        "ten_jobs_s": max(ended.values()),
        "ten_jobs_fairness": max(ended.values()) / min(ended.values()),
        "status_server_ms": asking.quantile(asking.inside_ms, 0.99),
        "status_client_p99_ms": asking.quantile(asking.outside_ms, 0.99),
        "status_requests": len(asking.outside_ms),
        "cache_hit_share": hits / (hits + misses),
    }


class _Asking(threading.Thread):
    """Asks for the state of one job after another, and notes how long it took, and how long inside."""

    def __init__(self, url: str, jobs: list[str]) -> None:
        super().__init__(daemon=True)
        self._url, self._jobs = url, jobs
        self._enough = threading.Event()
        self.inside_ms: list[float] = []
        self.outside_ms: list[float] = []

    def run(self) -> None:
        """Ask some thirty times a second."""
        with httpx.Client(base_url=self._url, timeout=30) as client:
            for number in range(10**9):
                if self._enough.wait(0.03):
                    return
                began = time.perf_counter()
                answer = client.get(f"/jobs/{self._jobs[number % len(self._jobs)]}")
                self.outside_ms.append((time.perf_counter() - began) * 1000)
                self.inside_ms.append(float(answer.headers["Server-Timing"].partition("dur=")[2]))

    def stop(self) -> None:
        """Stop asking."""
        self._enough.set()
        self.join()

    @staticmethod
    def quantile(values: list[float], share: float) -> float:
        """Return the value that this share is no greater than."""
        return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _lookups(suite: RunningSuite) -> tuple[float, float]:
    """Hits and misses of the cache of scenarios, by the workers' own metrics."""
    found = {"hit": 0.0, "miss": 0.0}
    for name, spec in suite.workers.specs.items():
        if name.startswith("generator"):
            text = httpx.get(f"http://127.0.0.1:{spec.health_port}/metrics", timeout=10).text
            for result in found:
                for line in text.splitlines():
                    if line.startswith(f'carebus_scenario_lookups_total{{result="{result}"}}'):
                        found[result] += float(line.rsplit(" ", 1)[1])
    return found["hit"], found["miss"]


def main() -> None:
    """Print the figures."""
    with own_stack() as stack:
        print(json.dumps(run(stack), indent=1))


if __name__ == "__main__":
    main()
