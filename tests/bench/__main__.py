"""``make bench``: every figure beside its aim, from one run on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import (
    bench_ccda,
    bench_clickhouse,
    bench_converter,
    bench_end_to_end,
    bench_extractor,
    bench_openemr,
    bench_postgres,
)
from carebus_stack import LocalStack
from support.stack import running_stack


@dataclass(frozen=True, slots=True)
class Aim:
    """One figure and what it is to reach."""

    title: str
    unit: str
    least: float
    read: Callable[[dict[str, Any]], float]
    most: bool = False
    """The aim is an upper limit."""


BENCHES: dict[str, tuple[Callable[[LocalStack, int], dict[str, Any]], tuple[Aim, ...]]] = {
    "extractor": (
        lambda stack, rounds: bench_extractor.run(stack, rounds=rounds),
        (
            Aim("extraction with producing", "persons / CPU s", 2000, lambda r: r["persons_per_cpu_s"]),
            Aim(
                "reading alone, same run",
                "persons / CPU s",
                2000,
                lambda r: r["reading_alone_persons_per_cpu_s"],
            ),
            Aim("its peak memory", "MB", 300, lambda r: r["peak_mb"], most=True),
        ),
    ),
    "ccda": (
        lambda stack, rounds: bench_ccda.run(rounds=rounds),
        (Aim("C-CDA, pure function", "documents / CPU s", 1500, lambda r: r["documents_per_cpu_s"]),),
    ),
    "converter": (
        lambda stack, rounds: bench_converter.run(stack, rounds=rounds),
        (
            Aim("converter with Kafka", "persons / CPU s", 350, lambda r: r["persons_per_cpu_s"]),
            Aim("its peak memory", "MB", 300, lambda r: r["peak_mb"], most=True),
        ),
    ),
    "openemr": (
        lambda stack, rounds: bench_openemr.run(stack, rounds=rounds),
        (
            Aim("OpenEMR, new persons", "of raw LOAD DATA", 0.5, lambda r: r["share_of_raw"]),
            Aim("OpenEMR, changed rows", "rows / s", 20_000, lambda r: r["changed_rows_s"]),
            Aim("OpenEMR, the same again", "persons / s", 200, lambda r: r["again_persons_s"]),
        ),
    ),
    "postgres": (
        lambda stack, rounds: bench_postgres.run(stack, rounds=rounds),
        (
            Aim("Postgres, new persons", "of raw COPY", 0.5, lambda r: r["share_of_raw"]["new"]),
            Aim("Postgres, guarded", "of raw COPY", 0.3, lambda r: r["share_of_raw"]["changed"]),
        ),
    ),
    "clickhouse": (
        lambda stack, rounds: bench_clickhouse.run(stack, rounds=rounds),
        (
            Aim(
                "ClickHouse, at least 1,000 persons an insert",
                "of raw insert",
                0.6,
                lambda r: max(b["share_of_raw"]["new"] for n, b in r.items() if n.startswith("batches_of_")),
            ),
        ),
    ),
    "end_to_end": (
        lambda stack, rounds: bench_end_to_end.run(stack, rounds=rounds),
        (
            Aim("end to end, four targets, new", "persons / s", 100, lambda r: r["new_persons_s"]),
            Aim("end to end, unchanged", "persons / s", 200, lambda r: r["unchanged_persons_s"]),
            Aim("largest worker", "MB", 300, lambda r: max(r["peak_mb"].values()), most=True),
        ),
    ),
}

DETAILS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "ccda": bench_ccda.lines,
    "end_to_end": bench_end_to_end.lines,
}
"""What is told beside the aims."""


def main() -> int:
    """Run the benches; the exit status says whether every aim was reached."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], help="which; all when none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures here")
    chosen = parser.parse_args()
    found: dict[str, Any] = {}
    missed = 0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {chosen.rounds} rounds")
    with running_stack() as stack:
        for name in chosen.names or BENCHES:
            run, aims = BENCHES[name]
            found[name] = run(stack, chosen.rounds)
            for aim in aims:
                value = aim.read(found[name])
                met = value <= aim.least if aim.most else value >= aim.least
                missed += not met
                sign = "≤" if aim.most else "≥"
                print(
                    f"{'met   ' if met else 'MISSED'} {aim.title:46} {value:10,.2f} {aim.unit} "
                    f"(aim {sign} {aim.least:g})",
                    flush=True,
                )
            if name in DETAILS:
                print("\n".join(DETAILS[name](found[name])), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
