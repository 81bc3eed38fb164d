"""A comparison as text, JSON and one HTML page: counts only, no cell of any row."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from carebus_quality.comparing import Comparison, Outcome


def as_json(found: Comparison) -> dict[str, Any]:
    """Return the whole result."""
    return {
        "source": found.source_name,
        "target": found.target_name,
        "slug": found.slug,
        "agrees": found.agrees,
        "checks": len(found.outcomes),
        "failing": sum(1 for one in found.outcomes if one.target),
        "seconds": {name: round(value, 3) for name, value in found.seconds.items()},
        "rows": [
            {
                "table": one.table,
                "source": one.source,
                "travelled": one.travelled,
                "target": one.target,
                "agrees": one.agrees,
            }
            for one in found.rows
        ],
        "outcomes": [
            {
                "check": one.check.kind,
                "table": one.check.table,
                "column": one.check.column,
                "source": one.source,
                "travelled": one.travelled,
                "target": one.target,
                "agrees": one.agrees,
            }
            for one in found.outcomes
        ],
        "unreadable": dict(found.unreadable),
    }


def as_text(found: Comparison) -> str:
    """Return what people read first: what differs, then where both fail, by kind of check."""
    lines = [
        f"{found.target_name} against {found.source_name} ({found.slug}): {len(found.outcomes)} checks of "
        f"{len(found.rows)} tables, "
        + ", ".join(f"{name} {value:.1f} s" for name, value in found.seconds.items())
    ]
    lines += [
        f"  DIFFERS  rows of {rows.table}: {rows.travelled:,} travelled, {rows.target:,} arrived"
        for rows in found.rows
        if not rows.agrees
    ]
    lines += [
        f"  DIFFERS  {one.check.name}: {one.travelled:,} at the source, {one.target:,} at the target"
        for one in found.outcomes
        if not one.agrees
    ]
    by_kind = Counter(one.check.kind for one in found.outcomes if one.target)
    for kind, count in sorted(by_kind.items()):
        failures = sum(one.target for one in found.outcomes if one.check.kind == kind)
        lines.append(f"  {kind:34} {count:>4} fail, {failures:>9,} rows")
    lines += [f"  by rule: {line}" for line in _explained(found)]
    lines.append(
        "The target fails exactly where its source fails." if found.agrees else "THE TARGET DIFFERS."
    )
    return "\n".join(lines)


def as_html(found: Comparison) -> str:
    """Return one self-contained page."""
    verdict = "fails exactly where its source fails" if found.agrees else "DIFFERS from its source"
    colour = "#1a7f37" if found.agrees else "#b42318"
    rows = "".join(
        f"<tr{'' if r.agrees else ' class=bad'}><td>{r.table}<td>{r.source:,}<td>{r.travelled:,}<td>{r.target:,}"
        for r in found.rows
        if r.source or r.target
    )
    tables = []
    for table in dict.fromkeys(one.check.table for one in found.outcomes):
        failing = [o for o in found.outcomes if o.check.table == table and (o.source or o.target)]
        if failing:
            size = next(r.target for r in found.rows if r.table == table)
            tables.append(f"<h2>{table}</h2>{_html_table(failing, size)}")
    explained = "".join(f"<li>{escape(line)}" for line in _explained(found))
    passed = sum(1 for one in found.outcomes if not one.target and one.agrees)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Data quality</title><style>"
        "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:62rem;color:#1f2328}"
        "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.25rem .8rem;border-bottom:1px solid "
        "#d8dee4;text-align:right}td:first-child,th:first-child,td.l{text-align:left}tr.bad{background:#ffebe9}"
        f".verdict{{color:{colour};font-weight:600}}h2{{margin-top:2rem;font-size:1.1rem}}</style>"
        f"<h1>Data quality of {escape(found.slug)}</h1><p>{escape(found.target_name)} "
        f"<span class=verdict>{verdict}</span>: {len(found.outcomes)} checks, {passed} without a failure.</p>"
        f"<table><tr><th>table<th>rows at the source<th>that travel<th>at the target{rows}</table>"
        f"<h2>What the load does by rule</h2><ul>{explained or '<li>nothing was left behind'}</ul>"
        f"{''.join(tables)}</html>"
    )


def _html_table(outcomes: list[Outcome], size: int) -> str:
    rows = "".join(
        f"<tr{'' if o.agrees else ' class=bad'}><td>{o.check.kind}<td class=l>{o.check.column}<td>{o.source:,}"
        f"<td>{o.travelled:,}<td>{o.target:,}<td>{f'{o.target / size:.1%}' if size else ''}"
        for o in outcomes
    )
    return (
        "<table><tr><th>check<th>column<th>fail at the source<th>of those that travel<th>at the target"
        f"<th>share{rows}</table>"
    )


def _explained(found: Comparison) -> list[str]:
    lines = [
        f"{r.source - r.travelled:,} rows of {r.table} stay behind: no such person, or no key"
        for r in found.rows
        if r.source != r.travelled
    ]
    lines += [
        f"{count:,} cells of {column} cannot be read and arrive as NULL"
        for column, count in found.unreadable.items()
    ]
    return lines
