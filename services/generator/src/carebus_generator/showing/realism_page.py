"""The realism report of a data set as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from carebus_generator.domain.checks.bands import HIGHEST
from carebus_generator.domain.checks.results import Band, Comparison, Findings, Reported, Rule
from carebus_generator.showing.page import page
from carebus_generator.showing.realism import bounds, checked, number

GAUGE, GAUGE_HEIGHT = 120, 14


def realism_page(found: Findings) -> str:
    """Return the page."""
    told = found.told
    broken = [rule for rule in found.rules if not rule.holds]
    outside = [band for band in found.bands if not band.holds]
    inside = [band for band in found.bands if band.holds and band.tells]
    silent = [band for band in found.bands if not band.tells]
    parts = [
        f"<h1>Realism of {escape(found.scenario)}</h1>",
        f'<p class="soft">Seed {found.seed}, {found.mode} mode: {escape(checked(found))}. All patients are'
        f" made up.</p>",
        '<div class="tiles">',
        _tile(
            f"{len(found.rules) - len(broken)} of {len(found.rules)}", "rules hold for everybody", not broken
        ),
        _tile(
            f"{sum(one.holds for one in told)} of {len(told)}",
            f"statistics lie where they should ({found.band_share:.1%})",
            found.band_share >= WANTED,
        ),
        "</div>",
    ]
    if broken:
        parts += ["<h2>Broken rules</h2>", _rules(broken)]
    if outside:
        parts += ["<h2>Statistics outside of their bands</h2>", _bands(outside)]
    parts += [
        "<h2>Statistics within their bands</h2>",
        _bands(inside),
        "<h2>Comparisons</h2>",
        _comparisons(one for one in found.comparisons if one.tells),
        "<h2>Told without judgement</h2>",
        _reported(found.reported),
        "<h2>Rules without exception</h2>",
        _rules(rule for rule in found.rules if rule.holds),
    ]
    if silent:
        names = "; ".join(escape(band.says) for band in silent)
        parts.append(f'<h2>Too few patients to tell</h2><p class="soft">{names}.</p>')
    parts.append(f'<p class="soft foot">Scenario hash {found.scenario_hash}</p>')
    return page(f"{found.scenario}: realism", parts)


WANTED = 0.95
"""Share of the statistics that should lie in their bands."""


def _tile(figure: str, words: str, good: bool) -> str:
    mark = "good" if good else "bad"
    return f'<div class="tile"><b class="{mark}">{figure}</b><span>{escape(words)}</span></div>'


def _rules(rules: Iterable[Rule]) -> str:
    rows = "".join(
        f"<tr><td>{_mark(rule.holds)}</td><td>{escape(rule.says)}</td>"
        f'<td class="n">{rule.seen:,}</td><td class="n">{rule.broken:,}</td>'
        f'<td class="n">{"" if rule.first is None else f"{rule.first:,}"}</td></tr>'
        for rule in rules
    )
    head = '<th></th><th>rule</th><th class="n">looked at</th><th class="n">broken</th><th class="n">first by</th>'
    return f"<table><tr>{head}</tr>{rows}</table>"


def _bands(bands: Iterable[Band]) -> str:
    rows = "".join(
        f"<tr><td>{_mark(band.holds)}</td><td>{escape(band.says)}"
        + (f'<br><span class="soft">{escape(band.why)}</span>' if band.why else "")
        + f'</td><td class="n">{number(band.value, band.unit)}</td><td>{_gauge(band)}</td>'
        f'<td class="n">{bounds(band)}</td><td class="n soft">{band.seen:,}</td>'
        f'<td class="soft">{escape(band.source)}</td></tr>'
        for band in bands
    )
    head = (
        '<th></th><th>statistic</th><th class="n">found</th><th></th><th class="n">band</th>'
        '<th class="n">of</th><th>source</th>'
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _gauge(band: Band) -> str:
    """Draw the band in the middle, and a tick where the value is."""
    if band.value is None or band.high >= HIGHEST:
        return ""
    width = max(band.high - band.low, 1e-9)
    place = min(max((band.value - band.low) / width, -0.5), 1.5)
    left, right = GAUGE / 4, GAUGE * 3 / 4
    x = left + place * (right - left)
    middle = GAUGE_HEIGHT / 2
    fill = "var(--good)" if band.holds else "var(--bad)"
    return (
        f'<svg class="gauge" viewBox="0 0 {GAUGE} {GAUGE_HEIGHT}" role="img">'
        f'<line x1="0" x2="{GAUGE}" y1="{middle}" y2="{middle}" stroke="var(--line)" stroke-width="2"/>'
        f'<line x1="{left}" x2="{right}" y1="{middle}" y2="{middle}" stroke="var(--band)" stroke-width="8"/>'
        f'<circle cx="{min(max(x, 4), GAUGE - 4):.1f}" cy="{middle}" r="4" fill="{fill}"/></svg>'
    )


def _comparisons(comparisons: Iterable[Comparison]) -> str:
    rows = "".join(
        f'<tr><td>{_mark(one.holds)}</td><td>{escape(one.says)}</td><td class="n">{_plain(one.less)}</td>'
        f'<td class="n">{_plain(one.more)}</td><td class="soft">{escape(one.source)}</td></tr>'
        for one in comparisons
    )
    head = '<th></th><th>comparison</th><th class="n">less</th><th class="n">more</th><th>source</th>'
    return f"<table><tr>{head}</tr>{rows}</table>"


def _reported(reported: Iterable[Reported]) -> str:
    rows = "".join(
        f'<tr><td>{escape(one.says)}</td><td class="n">{number(one.value, one.unit)}</td>'
        f'<td class="soft">{escape(one.source)}</td></tr>'
        for one in reported
    )
    return f'<table><tr><th>statistic</th><th class="n">found</th><th>source</th></tr>{rows}</table>'


def _plain(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if value < 1 else f"{value:,.1f}"


def _mark(holds: bool) -> str:
    return '<span class="good">✓</span>' if holds else '<span class="bad">✗</span>'
