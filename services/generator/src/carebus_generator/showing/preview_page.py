"""A preview as one self-contained HTML page with pictures."""

from __future__ import annotations

from html import escape

import numpy as np

from carebus_generator.domain.cohort import Kind, Outcome, Role
from carebus_generator.domain.draws import Floats
from carebus_generator.domain.preview import NODES, Preview
from carebus_generator.showing.page import colour, key, page

WIDTH, PLOT_LEFT, PLOT_RIGHT = 1000, 56, 16
FLOW_HEIGHT, FLOW_TOP, NODE_WIDTH, NODE_GAP = 420, 28, 14, 14
_END_WORDS = {
    "KIA": "killed in action",
    "DOW": "died of wounds",
    "DIED": "died otherwise",
    "RTD": "returned to duty",
    "DISCHARGED": "discharged",
    "REMAINS": "still in care",
}


def preview_page(shown: Preview) -> str:
    """Return the page."""
    of = "" if shown.sample == shown.total else f", from a sample of {shown.sample:,}"
    parts = [
        f"<h1>{escape(shown.title or shown.name)}</h1>",
        f'<p class="soft">Scenario {escape(shown.name)}: {shown.total:,} patients, observed for '
        f"{shown.hours:,} hours{of}. All patients are made up.</p>",
        *(f"<p>{escape(note)}</p>" for note in shown.notes),
        "<h2>Arrivals per hour</h2>",
        f"<figure>{_arrivals(shown)}{key(shown.fronts)}</figure>",
        "<h2>Triage at the point of injury</h2>",
        _triage(shown),
        "<h2>Flow between roles of care</h2>",
        f"<figure>{_flow(shown)}</figure>",
        "<h2>Patients in facilities, against beds</h2>",
        *(f"<figure>{_census(shown, role)}</figure>" for role in range(4) if shown.census[role].max() > 0),
        "<h2>Care in time</h2>",
        _attained(shown),
    ]
    return page(f"{shown.name}: preview", parts)


def _arrivals(shown: Preview) -> str:
    height, top, bottom = 220, 12, 26
    totals = shown.arrivals.sum(axis=0)
    busy = int(np.flatnonzero(totals)[-1]) + 1 if totals.any() else 1
    most = max(float(totals.max()), 1.0)
    step = (WIDTH - PLOT_LEFT - PLOT_RIGHT) / busy
    bars = []
    below = np.zeros(busy)
    for front, row in enumerate(shown.arrivals):
        for hour in np.flatnonzero(row[:busy]):
            size = row[hour] / most * (height - top - bottom)
            y = height - bottom - below[hour] - size
            bars.append(
                f'<rect x="{PLOT_LEFT + hour * step:.1f}" y="{y:.1f}" width="{max(step - 0.6, 0.4):.1f}" '
                f'height="{size:.1f}" fill="{colour(front)}"/>'
            )
            below[hour] += size
    return _svg(height, _grid(most, height, top, bottom) + _days(busy, height, bottom) + "".join(bars))


def _census(shown: Preview, role: int) -> str:
    height, top, bottom = 150, 22, 26
    row, beds = shown.census[role], shown.capacity[role]
    most = max(float(row.max()), float(beds), 1.0)
    step = (WIDTH - PLOT_LEFT - PLOT_RIGHT) / max(len(row) - 1, 1)
    scale = (height - top - bottom) / most
    points = " ".join(
        f"{PLOT_LEFT + h * step:.1f},{height - bottom - v * scale:.1f}" for h, v in enumerate(row)
    )
    floor = height - bottom
    area = f"{PLOT_LEFT},{floor} {points} {PLOT_LEFT + (len(row) - 1) * step:.1f},{floor}"
    parts = [
        f'<polygon points="{area}" fill="{colour(role)}" opacity=".25"/>',
        f'<polyline points="{points}" fill="none" stroke="{colour(role)}" stroke-width="1.6"/>',
        f'<text x="{PLOT_LEFT}" y="14">Role {role + 1}: at most {row.max():,.0f} patients</text>',
    ]
    if beds:
        y = height - bottom - beds * scale
        parts.append(
            f'<line x1="{PLOT_LEFT}" x2="{WIDTH - PLOT_RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="var(--bad)" stroke-dasharray="5 4"/>'
            f'<text x="{WIDTH - PLOT_RIGHT}" y="14" text-anchor="end">{beds:,} beds</text>'
        )
    return _svg(height, _grid(most, height, top, bottom) + _days(len(row), height, bottom) + "".join(parts))


def _flow(shown: Preview) -> str:
    """Draw the roles from left to right as bars, and what flows between them as bands."""
    ends = range(len(Role), len(NODES))
    columns: list[list[int]] = [[int(role)] for role in Role] + [list(ends)]
    through = np.maximum(shown.flow.sum(axis=0), shown.flow.sum(axis=1))
    most = max(float(through[columns[0]].sum()), float(through[columns[-1]].sum()), 1.0)
    room = FLOW_HEIGHT - FLOW_TOP - 10 - NODE_GAP * (len(Outcome) - 1)
    scale = room / most
    left, right = 40, WIDTH - 190
    x_of = {
        node: left + (right - left) * place / (len(columns) - 1)
        for place, c in enumerate(columns)
        for node in c
    }
    y_of: dict[int, float] = {}
    for column in columns:
        y = float(FLOW_TOP)
        for node in column:
            y_of[node] = y
            y += through[node] * scale + NODE_GAP
    out_y, in_y = dict(y_of), dict(y_of)
    bands, bars = [], []
    for source in range(len(Role)):
        for target in map(int, np.flatnonzero(shown.flow[source])):
            size = float(shown.flow[source][target]) * scale
            x1, x2 = x_of[source] + NODE_WIDTH, x_of[target]
            y1, y2 = out_y[source], in_y[target]
            bend = (x1 + x2) / 2
            out_y[source] += size
            in_y[target] += size
            fill = _end_colour(target) if target in ends else "var(--a)"
            bands.append(
                f'<path d="M{x1:.1f},{y1:.1f} C{bend:.1f},{y1:.1f} {bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f} '
                f"L{x2:.1f},{y2 + size:.1f} C{bend:.1f},{y2 + size:.1f} {bend:.1f},{y1 + size:.1f} "
                f'{x1:.1f},{y1 + size:.1f} Z" fill="{fill}" opacity=".38">'
                f"<title>{NODES[source]} to {NODES[target]}: {shown.flow[source][target]:,.0f}</title></path>"
            )
    for node, x in x_of.items():
        if not through[node]:
            continue
        size = max(float(through[node]) * scale, 1.0)
        end = node in ends
        fill = _end_colour(node) if end else "var(--ink)"
        bars.append(
            f'<rect x="{x:.1f}" y="{y_of[node]:.1f}" width="{NODE_WIDTH}" height="{size:.1f}" fill="{fill}"/>'
        )
        count = f"{through[node]:,.0f}"
        if end:
            bars.append(
                f'<text x="{x + NODE_WIDTH + 8:.1f}" y="{y_of[node] + size / 2 + 4:.1f}">'
                f'{_END_WORDS[NODES[node]]} <tspan class="soft">{count}</tspan></text>'
            )
        else:
            name = "point of injury" if node == Role.POI else f"Role {node}"
            bars.append(
                f'<text x="{x:.1f}" y="{FLOW_TOP - 9}">{name} <tspan class="soft">{count}</tspan></text>'
            )
    return _svg(FLOW_HEIGHT, "".join(bands + bars))


def _end_colour(node: int) -> str:
    outcome = Outcome(node - len(Role))
    if outcome.dead:
        return "var(--bad)"
    return "var(--good)" if outcome is Outcome.RTD else "var(--d)"


def _triage(shown: Preview) -> str:
    rows = "".join(
        f"<tr><td>{kind.name.lower().replace('_', ' ')}</td>"
        + "".join(f'<td class="n">{n:,.0f}</td><td class="n soft">{_share(n, row)}</td>' for n in row)
        + f'<td class="n">{row.sum():,.0f}</td></tr>'
        for kind, row in zip(Kind, shown.triage, strict=True)
        if row.sum()
    )
    head = "".join(f'<th class="n">{name}</th><th></th>' for name in ("T1", "T2", "T3", "T4"))
    return f'<table><tr><th>patients</th>{head}<th class="n">all</th></tr>{rows}</table>'


def _share(part: float, row: Floats) -> str:
    return f"{part / row.sum():.0%}"


def _attained(shown: Preview) -> str:
    rows = "".join(
        f'<tr><td>{escape(step.name)}</td><td class="n">{step.within:.0%}</td><td class="n">{step.got:.0%}</td></tr>'
        for step in shown.attained
    )
    return f'<table><tr><th>step</th><th class="n">in time</th><th class="n">at all</th></tr>{rows}</table>'


def _grid(most: float, height: int, top: int, bottom: int) -> str:
    lines = []
    for part in (0.0, 0.5, 1.0):
        y = height - bottom - part * (height - top - bottom)
        lines.append(
            f'<line x1="{PLOT_LEFT}" x2="{WIDTH - PLOT_RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            f'<text class="soft" x="{PLOT_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * part:,.0f}</text>'
        )
    return "".join(lines)


def _days(hours: int, height: int, bottom: int) -> str:
    step = (WIDTH - PLOT_LEFT - PLOT_RIGHT) / hours
    every = max(1, round(hours / 24 / 10))
    return "".join(
        f'<text class="soft" x="{PLOT_LEFT + day * 24 * step:.1f}" y="{height - bottom + 16}">day {day + 1}</text>'
        for day in range(0, -(-hours // 24), every)
    )


def _svg(height: int, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{inside}</svg>'
