"""A preview in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carebus_generator.domain.cohort import Kind
from carebus_generator.domain.draws import Floats
from carebus_generator.domain.preview import NODES, Preview

BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH = 72


def preview_lines(shown: Preview) -> Iterator[str]:
    """Yield the lines of a preview, no wider than 100 signs."""
    yield f"{shown.name}: {shown.title}" if shown.title else shown.name
    of = "" if shown.sample == shown.total else f", from a sample of {shown.sample:,}"
    yield f"{shown.total:,} patients, observed for {shown.hours:,} hours{of}"
    yield ""
    # The observed time goes on for weeks after the last injury.
    busy = np.flatnonzero(shown.arrivals.sum(axis=0))
    days = int(busy[-1]) // 24 + 1 if len(busy) else 1
    yield f"Arrivals in {days} days"
    for front, row in zip(shown.fronts, shown.arrivals[:, : days * 24], strict=True):
        yield f"  {front[:14]:<14} {sparkline(row)}  at most {row.max():,.0f} an hour"
    yield ""
    yield "Triage             T1        T2        T3        T4"
    for kind, row in zip(Kind, shown.triage, strict=True):
        if row.sum():
            yield f"  {kind.name.lower().replace('_', ' '):<11}" + "".join(f"{n:>10,.0f}" for n in row)
    yield ""
    yield "Flow"
    for number, node in enumerate(NODES):
        row = shown.flow[number]
        if row.sum():
            ways = "  ".join(f"{NODES[to]} {row[to]:,.0f}" for to in np.flatnonzero(row))
            yield f"  {node:<4} → {ways}"
    yield ""
    yield "In facilities"
    for role, (row, beds) in enumerate(zip(shown.census, shown.capacity, strict=True), 1):
        if row.max() > 0 or beds:
            limit = f" of {beds:,} beds" if beds else ""
            over = "  FULL" if beds and row.max() > beds else ""
            yield f"  Role {role}         {sparkline(row)}  at most {row.max():,.0f}{limit}{over}"
    yield ""
    yield "In time"
    for step in shown.attained:
        yield f"  {step.within:>5.0%}  {step.name}; {step.got:.0%} got it at all"
    for note in shown.notes:
        yield f"  {note}"


def sparkline(values: Floats, width: int = 48) -> str:
    """Draw values as a line of blocks, means over equal stretches of them."""
    edges = np.linspace(0, len(values), min(width, len(values)) + 1).astype(np.int64)
    means = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    most = means.max(initial=0)
    if most <= 0:
        return " " * len(means)
    return "".join(BLOCKS[int(np.ceil(m / most * (len(BLOCKS) - 1)))] for m in np.maximum(means, 0))
