"""The realism report of a data set: as JSON, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from carebus_generator.domain.checks.bands import HIGHEST
from carebus_generator.domain.checks.results import Band, Findings, Reported


def realism_json(found: Findings) -> bytes:
    """Return the report as JSON, the same bytes for the same findings."""
    content = {
        "scenario": found.scenario,
        "scenario_hash": found.scenario_hash,
        "seed": found.seed,
        "mode": found.mode,
        "patients": found.total,
        "checked": found.checked,
        "rules_hold": found.rules_hold,
        "share_of_statistics_within": round(found.band_share, 4),
        "rules": [
            {
                "name": rule.name, "says": rule.says, "seen": rule.seen, "broken": rule.broken,
                "first_patient": rule.first, "holds": rule.holds,
            }
            for rule in found.rules
        ],
        "bands": [
            {
                "name": band.name, "says": band.says, "value": _rounded(band.value), "low": _rounded(band.low),
                "high": None if band.high >= HIGHEST else _rounded(band.high), "unit": band.unit,
                "of": band.seen, "holds": band.holds if band.tells else None, "source": band.source,
                "why": band.why,
            }
            for band in found.bands
        ],
        "comparisons": [
            {
                "name": one.name, "says": one.says, "less": _rounded(one.less), "more": _rounded(one.more),
                "holds": one.holds if one.tells else None, "source": one.source,
            }
            for one in found.comparisons
        ],
        "reported": [
            {"name": one.name, "says": one.says, "value": _rounded(one.value), "unit": one.unit, "source": one.source}
            for one in found.reported
        ],
    }  # fmt: skip
    return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"


def realism_lines(found: Findings) -> Iterator[str]:
    """Yield a summary, what is broken, what lies outside of its band, and what is told."""
    yield f"{found.scenario}, seed {found.seed}, {found.mode} mode: {checked(found)}"
    broken = [rule for rule in found.rules if not rule.holds]
    yield f"rules: {len(found.rules) - len(broken)} of {len(found.rules)} hold for everybody"
    for rule in broken:
        who = "" if rule.first is None else f", first by patient {rule.first:,}"
        yield f"  BROKEN {rule.broken:,} of {rule.seen:,}{who}: {rule.says}"
    yield (
        f"statistics: {sum(one.holds for one in found.told)} of {len(found.told)} within ({found.band_share:.1%})"
    )
    for band in found.bands:
        if not band.holds:
            yield f"  OUTSIDE {number(band.value, band.unit)}, wanted {bounds(band)}: {band.says} ({band.source})"
    for one in found.comparisons:
        if not one.holds:
            yield f"  OUTSIDE {number(one.less)} is not less than {number(one.more)}: {one.says} ({one.source})"
    for told in found.reported:
        if told.value is not None:
            yield f"  {reported(told)}: {told.says}"


def checked(found: Findings) -> str:
    """Say how many patients were looked at."""
    if found.checked == found.total:
        return f"checked all {found.total:,} patients"
    return f"checked {found.checked:,} of {found.total:,} patients, evenly spread; totals are of all"


def number(value: float | None, unit: str = "") -> str:
    """Write a statistic: a share as percents, anything else with its unit."""
    if value is None:
        return "too few"
    return f"{value:,.1f} {unit}" if unit else f"{value:.1%}"


def bounds(band: Band) -> str:
    """Write the bounds of a band."""
    if band.high >= HIGHEST:
        return f"at least {number(band.low, band.unit)}"
    if band.low <= 0:
        return f"at most {number(band.high, band.unit)}"
    if band.unit:
        return f"{band.low:,.1f} to {band.high:,.1f} {band.unit}"
    return f"{band.low:.1%} to {band.high:.1%}"


def reported(told: Reported) -> str:
    """Write a statistic that is told without judgement."""
    return number(told.value, told.unit)


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 6)
