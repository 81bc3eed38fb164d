"""Commands on scenarios: what there is, what one leads to, and whether its patients keep the rules."""

from __future__ import annotations

from pathlib import Path

import click

from carebus_generator.files_command import scenario_named, shown_errors

KEEPS, BREAKS = 0, 1
SAMPLE = 2_000
"""Patients of a preview: shares are good to two percents, and all is there in well under a second."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("scenario")
@click.option("--html", type=_FILE, help="Write one self-contained page with pictures.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@click.option("--total", type=click.IntRange(1), help="Patients, in place of the scenario's number.")
def preview(*, scenario: str, html: Path | None, seed: int, total: int | None) -> None:
    """Show what a scenario leads to: arrivals, triage, flow, census against beds, care in time.

    SCENARIO is a preset, or a TOML or JSON file. Nothing is generated but a sample of 2,000 patients.
    """
    from carebus_generator.domain.model import compile_model  # noqa: PLC0415
    from carebus_generator.domain.preview import preview_of  # noqa: PLC0415
    from carebus_generator.showing.preview_page import preview_page  # noqa: PLC0415
    from carebus_generator.showing.preview_text import preview_lines  # noqa: PLC0415

    with shown_errors():
        model = compile_model(scenario_named(scenario, total), seed)
    shown = preview_of(model, SAMPLE)
    for line in preview_lines(shown):
        click.echo(line)
    if html is not None:
        _write(html, preview_page(shown))


@click.command()
def presets() -> None:
    """List the scenarios that come with the generator."""
    from carebus_generator.domain.scenario import preset, preset_names  # noqa: PLC0415

    width = max(map(len, preset_names()))
    click.echo(f"{'name':<{width}}  patients  days  battle  injury  disease  description")
    for name in preset_names():
        known = preset(name)
        mix = known.mix
        click.echo(
            f"{name:<{width}}  {known.total:>8,}  {known.days:>4}  {mix.battle:>6.0%}  {mix.non_battle:>6.0%}"
            f"  {mix.disease:>7.0%}  {known.description}"
        )


@click.command()
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@click.option("--total", type=click.IntRange(1), help="Patients, in place of the scenario's number.")
@click.option(
    "--patients", type=click.IntRange(1), default=20_000, show_default=True,
    help="Look at so many at most, evenly spread.",
)  # fmt: skip
@click.option("--html", type=_FILE, help="Write the report as one self-contained page.")
@click.option("--json", "json_", type=_FILE, help="Write the report as JSON.")
def check(
    *, scenario: str, seed: int, total: int | None, patients: int, html: Path | None, json_: Path | None
) -> None:
    """Check the patients of a scenario: rules without exception, and published statistics.

    SCENARIO is a preset, or a TOML or JSON file. Exit status 0: all rules hold; 1: one is broken; 2: a
    sentence says why nothing could be checked. Statistics outside of their bands are told, and are no fault.
    """
    from carebus_generator.domain.checks.findings import findings  # noqa: PLC0415
    from carebus_generator.domain.model import compile_model  # noqa: PLC0415
    from carebus_generator.showing.realism import realism_json, realism_lines  # noqa: PLC0415
    from carebus_generator.showing.realism_page import realism_page  # noqa: PLC0415

    with shown_errors():
        model = compile_model(scenario_named(scenario, total), seed)
    found = findings(model, patients)
    for line in realism_lines(found):
        click.echo(line)
    if html is not None:
        _write(html, realism_page(found))
    if json_ is not None:
        _write(json_, realism_json(found).decode())
    raise SystemExit(KEEPS if found.rules_hold else BREAKS)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
