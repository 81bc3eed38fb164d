"""``carebus subjects``."""

from __future__ import annotations

import click

from carebus_cli.console_client import ConsoleClient
from carebus_cli.jobs import tell_submitted, watches
from carebus_cli.options import as_json, asks_console, print_json
from carebus_cli.progress import exit_status
from carebus_cli.watching import wait_for_end
from carebus_contracts.topics import TARGETS


@click.group()
def subjects() -> None:
    """The persons in the targets."""


@subjects.command()
@click.option("--source", required=True, help="Slug of the source whose persons these are.")
@click.option("--job", "of_job", help="Only those whom this job wrote last.")
@click.option(
    "--not-in-job", help="Only those whom this job over the whole source, and any newer one, did not mention."
)
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
    not_in_job: str | None,
    persons: tuple[int, ...],
    targets: tuple[str, ...],
    yes: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Remove persons, a job's persons, persons that vanished, or a whole source from the targets."""
    if sum(map(bool, (persons, of_job, not_in_job))) > 1:
        raise click.UsageError("only one of --person, --job and --not-in-job can be given")
    who = "EVERYTHING"
    if persons:
        who = f"{len(persons)} persons"
    elif of_job:
        who = f"what job {of_job} wrote"
    elif not_in_job:
        who = f"the persons whom job {not_in_job} did not mention"
    where = ", ".join(targets) or "all targets"
    if not yes:
        click.confirm(f"Remove {who} of source {source} from {where}?", abort=True, err=True)
    body = {
        "source": source,
        "of_job": of_job,
        "not_in_job": not_in_job,
        "persons": persons,
        "targets": targets,
    }
    answer = client.post("subjects", "retire", json={name: value for name, value in body.items() if value})
    tell_submitted(client, answer, watch=watch, as_json=as_json)


@subjects.command()
@click.option("--source", required=True, help="Slug of the source.")
@click.option("--job", "job_id", required=True, help="A job over the whole source that has completed.")
@click.option(
    "--target",
    "targets",
    type=click.Choice(TARGETS),
    multiple=True,
    help="Only there; where the job went when left out.",
)
@as_json
@asks_console
def vanished(
    client: ConsoleClient, *, source: str, job_id: str, targets: tuple[str, ...], as_json: bool
) -> None:
    """Count the persons whom a job over the whole source did not mention; nothing is taken away."""
    body = {"source": source, "not_in_job": job_id, "dry_run": True, "targets": targets}
    answer = client.post("subjects", "retire", json={name: value for name, value in body.items() if value})
    state = wait_for_end(client, answer["job_id"])
    if as_json:
        counts = {target: told["persons_retired"] for target, told in state["targets"].items()}
        print_json({"survey": state["job_id"], "status": state["status"], "persons": counts})
    else:
        for line in (*answer["notes"], *state["reasons"]):
            click.echo(line, err=True)
        for target, told in state["targets"].items():
            click.echo(f"{target:11} {told['persons_retired']} persons")
        told_all = client.get("jobs", job_id)
        since_ms = told_all["version_ms"] or told_all["accepted_ms"]
        click.echo(
            f"Their ids: carebus targets vanished TARGET --source {source} --since-ms {since_ms}", err=True
        )
    raise SystemExit(exit_status(state))
