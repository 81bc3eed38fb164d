"""Generate jobs on a running carebus: submitted here, then followed as any job is."""

from __future__ import annotations

import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carebus_contracts.errors import JobError

if TYPE_CHECKING:
    from carebus_contracts.jobs import GenerateJob

BORROWED = ("status", "cancel")
"""Commands of ``carebus jobs`` that serve these jobs as they are."""


def jobs_command(name: str) -> click.Command:
    """Return a command of ``carebus jobs``.

    Raises:
        ClickException: The command line's own package is not installed.
    """
    for point in entry_points(group="carebus.commands", name="jobs"):
        found: click.Group = point.load()
        return found.commands[name]
    raise click.ClickException("this needs the package carebus-cli, which is not installed")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("scenario")
@click.option("--targets", default="", help="Where records go: openemr, postgres, clickhouse, documents.")
@click.option(
    "--files",
    "places",
    multiple=True,
    metavar="FORMAT=URL",
    help="Such as parquet=/data/exercise; may be repeated.",
)
@click.option("--source", help="Slug of the data set; the scenario's name if left out.")
@click.option("--total", type=click.IntRange(1), help="Patients, in place of the scenario's number.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@click.option(
    "--openemr-documents",
    "filing",
    type=click.Choice(["none", "wanted", "required"]),
    default="none",
    help="File each patient's C-CDA document in OpenEMR, too.",
)
@click.option("--synthetic-names", is_flag=True, help="Plausible names in place of pseudonyms.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def submit(
    *, scenario: str, targets: str, places: tuple[str, ...], source: str | None, total: int | None,
    seed: int, filing: str, synthetic_names: bool, more: tuple[str, ...],
) -> None:  # fmt: skip
    """Submit a generate job to the console.

    SCENARIO is a preset, or a TOML or JSON file, which is looked at before it is sent. Other options are
    those of `carebus jobs submit`: --watch, --json, ...
    """
    job = _job(
        scenario,
        targets=[name.strip() for name in targets.split(",") if name.strip()],
        files=[_place(place) for place in places],
        source=source,
        total=total,
        seed=seed,
        names="synthetic" if synthetic_names else "pseudonym",
        openemr={"documents": filing},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_bytes(job.model_dump_json(exclude_defaults=True).encode())
        jobs_command("submit").main([str(path), *more], prog_name="carebus generate submit")


def _place(text: str) -> dict[str, str]:
    form, separator, url = text.partition("=")
    if not separator or not url:
        raise click.UsageError(f"--files {text}: say FORMAT=URL, such as parquet=/data/exercise")
    return {"format": form, "url": url}


def _job(scenario: str, *, source: str | None, total: int | None, **options: Any) -> GenerateJob:
    from pydantic import ValidationError  # noqa: PLC0415

    from carebus_contracts.jobs import GenerateJob  # noqa: PLC0415
    from carebus_generator.files_command import scenario_named  # noqa: PLC0415

    try:
        content = scenario_named(scenario, total)
    except JobError as error:
        raise click.ClickException(str(error)) from None
    try:
        return GenerateJob.model_validate(
            {
                "kind": "generate",
                "source": source or content.name,
                "scenario": content.model_dump(mode="json"),
                **options,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise click.UsageError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
