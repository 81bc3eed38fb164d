"""``carebus quality``: data quality of what was loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from carebus_contracts.errors import CareBusError
from carebus_contracts.jobs import CsvFolder, DuckDbFile, ExtractJob, ParquetFolder, Persons, parse_request
from carebus_quality.comparing import compare
from carebus_quality.engines import ClickHouseEngine, Engine, PostgresEngine, open_source
from carebus_quality.reporting import as_html, as_json, as_text
from carebus_quality.settings import ClickHouseSettings, PostgresSettings

AGREES, DIFFERS, BAD_INPUT = 0, 1, 2


@click.group()
def quality() -> None:
    """Check what was loaded against its source."""


@quality.command()
@click.option("--target", type=click.Choice(["postgres", "clickhouse"]), required=True)
@click.option("--against", type=click.Choice(["source"]), default="source", show_default=True)
@click.option(
    "--job", "job_file", type=click.Path(path_type=Path), help="The job file: names source and data."
)
@click.option("--omop", type=click.Path(path_type=Path), help="The data, in place of a job file.")
@click.option("--format", "kind", type=click.Choice(["csv", "parquet", "duckdb"]), help="Of --omop.")
@click.option("--source", "slug", help="Slug of the source, with --omop.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON; - prints it."
)
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the result as one page.")
def run(*, target: str, against: str, json_file: Path | None, html_file: Path | None, **named: Any) -> None:
    """Run the checks of the CDM specification at the source and at a target.

    Exit status 0: the target fails exactly where its source fails; 1: it differs; 2: wrong options, or one
    of them cannot be read. Counts only are printed, never a value.
    """
    del against  # there is one so far; the option says what is compared
    try:
        source, path, form, schema = _source(**named)
        with open_source(path, form, schema) as ours:
            found = compare(ours, _target(target, source), slug=source)
    except CareBusError as error:
        click.echo(str(error), err=True)
        raise SystemExit(BAD_INPUT) from None
    text = json.dumps(as_json(found), indent=1)
    if json_file == Path("-"):
        click.echo(text)
    else:
        click.echo(as_text(found))
    for file, content in ((json_file, text), (html_file, as_html(found))):
        if file and file != Path("-"):
            _write(file, content)
    raise SystemExit(AGREES if found.agrees else DIFFERS)


def _source(
    *, job_file: Path | None, omop: Path | None, kind: str | None, slug: str | None
) -> tuple[str, Path, str, str]:
    """Return slug, place, form and schema of the source."""
    if job_file is None:
        if omop is None or kind is None or slug is None:
            raise click.UsageError("say --job FILE, or --omop PATH with --format and --source")
        return slug, omop, kind, "main"
    if omop or kind or slug:
        raise click.UsageError("--job names the source; leave out --omop, --format and --source")
    try:
        raw: Any = yaml.safe_load(job_file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.UsageError(f"{job_file} cannot be read: {type(error).__name__}") from None
    job = parse_request(json.dumps(raw, default=str).encode())
    if not isinstance(job, ExtractJob):
        raise click.UsageError(f"{job_file} is not of kind extract")
    if job.persons != Persons() or job.leave_out:
        raise click.UsageError(
            f"{job_file} takes only some persons or tables, and whole sources are compared; name one by --omop"
        )
    match job.omop:
        case CsvFolder() | ParquetFolder():
            return job.source, Path(job.omop.path), job.omop.format, "main"
        case DuckDbFile():
            return job.source, Path(job.omop.path), "duckdb", job.omop.db_schema
        case _:
            raise click.UsageError("a Postgres source cannot be read here; export it, and name it by --omop")


def _target(target: str, source: str) -> Engine:
    if target == "postgres":
        return PostgresEngine(PostgresSettings.load(), source)
    return ClickHouseEngine(ClickHouseSettings.load(), source)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        click.echo(f"{file} cannot be written: {error.strerror}", err=True)
        raise SystemExit(BAD_INPUT) from None
