"""``carebus jobs``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, Any

import click
from rich.table import Table

from carebus_cli.console_client import ConsoleClient
from carebus_cli.job_file import JOB_FILES
from carebus_cli.options import as_json, asks_console, out, print_json
from carebus_cli.progress import bars_of, exit_status, waiting_of
from carebus_cli.reporting import print_report
from carebus_cli.watching import wait_for_end, watch_job

watches = click.option("--watch", is_flag=True, help="Stay and show how far it is; exit status as for watch.")


@click.group()
def jobs() -> None:
    """Submit jobs, watch them, and see what became of every row."""


@jobs.command()
@click.option(
    "--kind",
    type=click.Choice([*JOB_FILES]),
    default="extract",
    show_default=True,
    help="Records from a source, or synthetic patients.",
)
def init(kind: str) -> None:
    """Print a job file to fill in."""
    click.echo(JOB_FILES[kind], nl=False)


@jobs.command()
@click.argument("file", type=click.File("rb"))
@watches
@as_json
@asks_console
def submit(client: ConsoleClient, file: IO[bytes], watch: bool, as_json: bool) -> None:
    """Submit the job in FILE (YAML or JSON; - reads standard input)."""
    tell_submitted(client, client.post("jobs", content=file.read()), watch=watch, as_json=as_json)


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, help="The newest so many.")
@click.option("--status", help="Only jobs of this status.")
@as_json
@asks_console
def list_jobs(client: ConsoleClient, limit: int, status: str | None, as_json: bool) -> None:
    """List jobs, newest first."""
    found = client.get("jobs", limit=limit, status=status)["jobs"]
    if as_json:
        print_json(found)
        return
    table = Table("job", "status", "kind", "source", "submitted (UTC)", "extracted", "by targets")
    for state in found:
        done = ", ".join(f"{bar.name} {bar.done}" for bar in bars_of(state)[1:])
        table.add_row(
            state["job_id"],
            state["status"],
            state["kind"],
            state["source"],
            _when(state["created_ms"]),
            str(state["extracted"]),
            done,
        )
    out().print(table if found else "There are no jobs.")


@jobs.command()
@click.argument("job_id")
@as_json
@asks_console
def status(client: ConsoleClient, job_id: str, as_json: bool) -> None:
    """Show where a job stands."""
    state = client.get("jobs", job_id)
    if as_json:
        print_json(state)
        return
    screen = out()
    screen.print(f"{state['job_id']}  {state['status']}  {state['kind']}  {state['source']}")
    for bar in bars_of(state):
        screen.print(f"  {bar.name:11} {bar.done}/{bar.total}")
    screen.print(f"  slices      {state['slices_complete']}/{state['slices']} complete")
    for line in (*waiting_of(state), *state["reasons"], *state["notes"]):
        screen.print(f"  {line}")


@jobs.command()
@click.argument("job_id")
@as_json
@asks_console
def watch(client: ConsoleClient, job_id: str, as_json: bool) -> None:
    """Show how far a job is until it ended: exit status 0 completed, 1 otherwise."""
    raise SystemExit(_wait(client, job_id) if as_json else watch_job(client, job_id))


@jobs.command()
@click.argument("job_id")
@as_json
@asks_console
def report(client: ConsoleClient, job_id: str, as_json: bool) -> None:
    """Show where every row and message of a job went, and whether the account closes."""
    found = client.get("jobs", job_id, "report")
    if as_json:
        print_json(found)
    else:
        print_report(found, out())


@jobs.command()
@click.argument("job_id")
@click.option("--discard", is_flag=True, help="Skip and count what is queued, too.")
@as_json
@asks_console
def cancel(client: ConsoleClient, job_id: str, discard: bool, as_json: bool) -> None:
    """Begin no more of a job; what is under way finishes."""
    _control(client, job_id, "cancel", as_json, discard=discard)


@jobs.command()
@click.argument("job_id")
@as_json
@asks_console
def pause(client: ConsoleClient, job_id: str, as_json: bool) -> None:
    """Begin no more of a job for now."""
    _control(client, job_id, "pause", as_json)


@jobs.command()
@click.argument("job_id")
@as_json
@asks_console
def resume(client: ConsoleClient, job_id: str, as_json: bool) -> None:
    """Go on with a job that was paused."""
    _control(client, job_id, "resume", as_json)


def tell_submitted(client: ConsoleClient, answer: dict[str, Any], *, watch: bool, as_json: bool) -> None:
    """Say that a job was taken in, and watch it where that was asked for."""
    if as_json and not watch:
        print_json(answer)
        return
    if not as_json:
        click.echo(answer["job_id"])
        for note in answer["notes"]:
            click.echo(note, err=True)
    if watch:
        job_id = answer["job_id"]
        raise SystemExit(_wait(client, job_id) if as_json else watch_job(client, job_id))


def _wait(client: ConsoleClient, job_id: str) -> int:
    state = wait_for_end(client, job_id)
    print_json(state)
    return exit_status(state)


def _control(client: ConsoleClient, job_id: str, action: str, as_json: bool, **more: Any) -> None:
    answer = client.post("jobs", job_id, action, json=more)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{job_id} was told to {action}")


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}" if at_ms else ""
