"""What people see of a scenario before it is made, and of patients that were checked."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from carebus_generator.command import generate
from carebus_generator.domain.checks import findings as checks
from carebus_generator.domain.checks.findings import findings
from carebus_generator.domain.checks.results import Band, Findings, Rule
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.preview import NODES, preview_of
from carebus_generator.domain.scenario import preset, preset_names
from carebus_generator.showing.preview_page import preview_page
from carebus_generator.showing.preview_text import preview_lines
from carebus_generator.showing.realism import realism_json, realism_lines
from carebus_generator.showing.realism_page import realism_page
from unit.generator.scenarios import a_scenario


class _Page(HTMLParser):
    """Checks that tags close in order, and gathers what could load something from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href"}]
        assert tag != "script"

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_preview_counts_everybody_once() -> None:
    """Arrivals, triage and what leaves the point of injury add up to all patients; all reach an end."""
    shown = preview_of(compile_model(preset("baltic_defence"), 1), 500)

    assert shown.sample == 500
    assert shown.arrivals.sum() == pytest.approx(2500)
    assert shown.triage.sum() == pytest.approx(2500)
    assert shown.flow[0].sum() == pytest.approx(2500)
    assert shown.flow[:, 5:].sum() == pytest.approx(2500)
    inner = np.arange(1, 5)
    assert shown.flow[:, inner].sum(axis=0) == pytest.approx(shown.flow[inner].sum(axis=1))
    assert shown.census.min() >= -1e-6


def test_census_counts_who_is_there() -> None:
    """One patient is in one facility at most, and there as long as the stay lasts."""
    shown = preview_of(compile_model(a_scenario(total=1), 4), 2000)

    assert shown.census.max() <= 1
    assert shown.sample == shown.total == 1


@pytest.mark.parametrize("name", preset_names())
def test_pages_are_whole_and_load_nothing(name: str) -> None:
    """Tags close in order, and there is neither script nor address."""
    model = compile_model(preset(name), 1)
    for html in (preview_page(preview_of(model, 300)), realism_page(findings(model, 2_000))):
        page = _Page(html)

        assert page.open == []
        assert page.loads == []


def test_text_of_scenarios_is_escaped() -> None:
    """A description is text, also with signs of HTML."""
    model = compile_model(a_scenario(description="<script>alert(1)</script>", total=20), 1)

    assert "<script>" not in preview_page(preview_of(model, 20))


def test_lines_fit_a_terminal() -> None:
    """No line of a preview is wider than 100 signs, but for sentences."""
    for name in preset_names():
        lines = list(preview_lines(preview_of(compile_model(preset(name), 1), 200)))

        assert max(len(line) for line in lines[2:-1]) <= 100
        assert any("R1" in line for line in lines)
    assert NODES[:5] == ("POI", "R1", "R2", "R3", "R4")


def test_a_preview_loads_no_heavy_library() -> None:
    """Without pyarrow, compression, cryptography and the runtime it is there in well under a second."""
    code = (
        "import sys; from carebus_generator.command import generate; "
        "generate(['preview', 'default'], standalone_mode=False); "
        "print([m for m in ('pyarrow', 'zstandard', 'cryptography', 'fsspec', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_commands_write_pages_and_reports(tmp_path: Path) -> None:
    """Preview and check write what they show; rules hold, so the exit status is 0."""
    page, report, data = (tmp_path / name for name in ("p.html", "r.html", "r.json"))
    run = CliRunner().invoke

    shown = run(generate, ["preview", "training", "--html", str(page)])
    checked = run(
        generate, ["check", "training", "--total", "500", "--html", str(report), "--json", str(data)]
    )

    assert (shown.exit_code, checked.exit_code) == (0, 0)
    assert page.read_text().startswith("<!doctype html>")
    assert "80 of 80 hold" in checked.output
    assert report.read_text().startswith("<!doctype html>")
    assert orjson.loads(data.read_bytes())["patients"] == 500


def test_a_broken_rule_ends_a_check_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which; statistics outside of their bands alone are no fault."""
    monkeypatch.setattr(checks, "findings", lambda *_: _found())
    broken = CliRunner().invoke(generate, ["check", "training"])
    monkeypatch.setattr(checks, "findings", lambda *_: _found(rules=(Rule("age", "age is right", 5),)))
    outside = CliRunner().invoke(generate, ["check", "training"])

    assert (broken.exit_code, outside.exit_code) == (1, 0)
    assert "BROKEN 2 of 5" in broken.output
    assert "OUTSIDE" in outside.output


def test_a_scenario_in_a_file_is_previewed(tmp_path: Path) -> None:
    """TOML as well as a preset's name; what is neither gets one sentence and exit status 2."""
    path = tmp_path / "mine.toml"
    path.write_text(
        'total = 40\ndays = 1\nbase_date = 2030-01-01\nwarfare = ["naval"]\n'
        "mix = { battle = 1.0, non_battle = 0.0, disease = 0.0 }\n"
    )

    assert "40 patients" in CliRunner().invoke(generate, ["preview", str(path)]).output
    lost = CliRunner().invoke(generate, ["preview", "no-such"])
    assert lost.exit_code == 2
    assert "the presets are" in lost.output
    unwritable = CliRunner().invoke(
        generate, ["preview", str(path), "--html", str(tmp_path / "no" / "p.html")]
    )
    assert unwritable.exit_code == 1
    assert "cannot be written" in unwritable.output


def test_presets_are_listed() -> None:
    """Each with its patients, days, mix and description."""
    lines = CliRunner().invoke(generate, ["presets"]).output.splitlines()[1:]

    assert [line.split()[0] for line in lines] == list(preset_names())
    assert "2,500     8     55%     25%      20%  Defence" in next(li for li in lines if "baltic" in li)


def _found(**changed: Any) -> Findings:
    given: dict[str, Any] = {
        "scenario": "one", "scenario_hash": "ab", "seed": 1, "mode": "independent", "total": 9, "checked": 5,
        "rules": (Rule("weight", "weight is right", 5, 2, 3), Rule("age", "age is right", 5)),
        "bands": (
            Band("in", "inside", 0.1, 0.2, "a book", 0.15, 400),
            Band("out", "outside", 0.1, 0.2, "a book", 0.25, 400),
            Band("few", "few", 0.1, 0.2, "a book", None, 4),
        ),
    }  # fmt: skip
    return Findings(**(given | changed))


def test_what_is_broken_or_outside_is_told() -> None:
    """With how often, by whom first, the band and its source; what too few tell counts for nothing."""
    found = _found()
    text = "\n".join(realism_lines(found))

    assert "checked 5 of 9 patients" in text
    assert "BROKEN 2 of 5, first by patient 3: weight is right" in text
    assert "OUTSIDE 25.0%, wanted 10.0% to 20.0%: outside (a book)" in text
    assert (found.rules_hold, found.band_share) == (False, 0.5)
    assert "Broken rules" in realism_page(found)
    written = orjson.loads(realism_json(found))
    assert [band["holds"] for band in written["bands"]] == [True, False, None]
    assert written["rules"][0]["first_patient"] == 3
