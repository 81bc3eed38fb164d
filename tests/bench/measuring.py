"""CPU seconds and memory of processes, and the median of several runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil


@dataclass(slots=True)
class Spent:
    """What was spent while a block ran."""

    wall_s: float = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds by process name."""
    peak_mb: dict[str, float] = field(default_factory=dict)
    """Peak resident memory by process name."""


@contextmanager
def spending(processes: dict[str, int]) -> Iterator[Spent]:
    """Measure wall time, and CPU and peak memory of processes by pid."""
    watched = {name: psutil.Process(pid) for name, pid in processes.items()}
    before = {name: _cpu(process) for name, process in watched.items()}
    spent = Spent()
    began = time.perf_counter()
    yield spent
    spent.wall_s = time.perf_counter() - began
    for name, process in watched.items():
        spent.cpu_s[name] = _cpu(process) - before[name]
        spent.peak_mb[name] = peak_mb(process.pid)


def peak_mb(pid: int) -> float:
    """Return the peak resident memory of a process so far (Linux: VmHWM)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds that this process spends on the work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
