"""What the warehouse benches share: plans of GiBleed, the same changed, and a stopwatch."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.measuring import median
from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_converter.domain.warehouse import person_plan, person_writes
from carebus_loader.domain.warehouse.tables import TABLES
from support.bundles import gibleed_messages

SOURCE = "gibleed"


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans of persons, the same with a change in every table, and how many rows each of them has."""

    persons: list[ReadPlan]
    changed: list[ReadPlan]
    rows: int


def gibleed_plans() -> Plans:
    """Extract GiBleed and make the plans."""
    with tempfile.TemporaryDirectory() as folder:
        bundles = [decode_person(value) for _, value in gibleed_messages(Path(folder))]
    plans = [read_plan(person_plan("any", bundle, person_writes(bundle))) for bundle in bundles]
    rows = sum(write.count for plan in plans for write in plan.writes)
    return Plans(plans, [_changed(plan) for plan in plans], rows)


def _changed(plan: ReadPlan) -> ReadPlan:
    """Change one cell in the first row of every table that has rows."""
    writes = []
    for write in plan.writes:
        lines = write.lines()
        if lines:
            cells = orjson.loads(lines[0])
            cells[-1] = "changed" if TABLES[write.table].kinds[write.columns[-1]] == "text" else 7
            lines[0] = orjson.dumps(cells)
        writes.append(encode_write(write.table, write.columns, lines))
    return read_plan(encode_plan(target=plan.target, source=plan.source, subject=plan.subject, writes=writes))


@dataclass(slots=True)
class Stopwatch:
    """Wall clock, our CPU and the server's, of named blocks that are run several times."""

    port: int
    found: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)

    def lap(self, name: str) -> _Lap:
        """Measure a block."""
        return _Lap(self.port, self.found.setdefault(name, []))

    def figures(self, rows: int, persons: int) -> dict[str, Any]:
        """Return medians by name."""
        return {
            name: {
                "rows_s": round(rows / median(wall for wall, _, _ in laps)),
                "persons_s": round(persons / median(wall for wall, _, _ in laps)),
                "client_cpu_s": round(median(client for _, client, _ in laps), 3),
                "server_cpu_s": round(median(server for _, _, server in laps), 2),
                "runs_s": [round(wall, 3) for wall, _, _ in laps],
            }
            for name, laps in self.found.items()
        }


class _Lap:
    def __init__(self, port: int, into: list[tuple[float, float, float]]) -> None:
        self._port = port
        self._into = into

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(self, *_: object) -> None:
        wall, client, server = (a - b for a, b in zip(self._now(), self._began, strict=True))
        self._into.append((wall, client, server))

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), _server_cpu_s(self._port)


def _server_cpu_s(port: int) -> float:
    """CPU seconds so far of the server on a port of this machine, with its present and past children."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == "LISTEN" and connection.laddr and connection.laddr.port == port
        if connection.pid and listens:
            server = psutil.Process(connection.pid)
            own = server.cpu_times()
            alive = [child.cpu_times() for child in server.children(recursive=True)]
            return sum(t.user + t.system for t in (own, *alive)) + own.children_user + own.children_system
    return 0.0
