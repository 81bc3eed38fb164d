"""``carebus subjects``."""

from __future__ import annotations

import click

from carebus_cli.console_client import ConsoleClient
from carebus_cli.jobs import tell_submitted, watches
from carebus_cli.options import as_json, asks_console
from carebus_contracts.topics import TARGETS


@click.group()
def subjects() -> None:
    """The persons in the targets."""


@subjects.command()
@click.option("--source", required=True, help="Slug of the source whose persons these are.")
@click.option("--job", "of_job", help="Only those whom this job wrote last.")
@click.option("--person", "persons", type=int, multiple=True, help="Only this person; may be repeated.")
@click.option(
    "--target", "targets", type=click.Choice(TARGETS), multiple=True, help="Only there; all when left out."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@watches
@as_json
@asks_console
def retire(
    client: ConsoleClient,
    *,
    source: str,
    of_job: str | None,
    persons: tuple[int, ...],
    targets: tuple[str, ...],
    yes: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Remove persons, a job's persons or a whole source from the targets."""
    if persons and of_job:
        raise click.UsageError("--person and --job cannot stand together")
    who = f"{len(persons)} persons" if persons else f"what job {of_job} wrote" if of_job else "EVERYTHING"
    where = ", ".join(targets) or "all targets"
    if not yes:
        click.confirm(f"Remove {who} of source {source} from {where}?", abort=True, err=True)
    body = {"source": source, "of_job": of_job, "persons": persons, "targets": targets}
    answer = client.post("subjects", "retire", json={name: value for name, value in body.items() if value})
    tell_submitted(client, answer, watch=watch, as_json=as_json)
