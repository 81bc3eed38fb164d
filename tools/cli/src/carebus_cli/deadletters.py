"""``carebus deadletters``."""

from __future__ import annotations

import sys
from base64 import b64decode

import click
from rich.table import Table

from carebus_cli.console_client import ConsoleClient
from carebus_cli.jobs import tell_submitted, watches
from carebus_cli.options import as_json, asks_console, out, print_json


@click.group()
def deadletters() -> None:
    """Messages that could not be handled: look at them, and send them back."""


@deadletters.command("list")
@click.argument("topic", required=False)
@click.option("--limit", default=50, show_default=True, help="The newest so many.")
@as_json
@asks_console
def list_letters(client: ConsoleClient, topic: str | None, limit: int, as_json: bool) -> None:
    """Count the letters of all topics, or list those of TOPIC, newest first."""
    if topic is None:
        counts = client.get("deadletters")["topics"]
        if as_json:
            print_json(counts)
            return
        table = Table("topic")
        for name in ("letters", "sent back"):
            table.add_column(name, justify="right")
        for count in counts:
            table.add_row(count["topic"], str(count["messages"]), str(count["redriven"]))
        out().print(table)
        return
    letters = client.get("deadletters", topic, limit=limit)["letters"]
    if as_json:
        print_json(letters)
        return
    table = Table("offset", "reason", "detail", "job", "sent back")
    for letter in letters:
        sent_back = "yes" if letter["redriven"] else ""
        table.add_row(str(letter["offset"]), letter["reason"], letter["detail"], letter["job_id"], sent_back)
    out().print(table)


@deadletters.command()
@click.argument("topic")
@click.argument("offset", type=int)
@click.option("--content", is_flag=True, help="Write the message itself to standard output: patient data.")
@as_json
@asks_console
def show(client: ConsoleClient, topic: str, offset: int, content: bool, as_json: bool) -> None:
    """Show one letter of TOPIC; its content only when asked for."""
    letter = client.get("deadletters", topic, offset)
    if content:
        sys.stdout.buffer.write(b64decode(letter["value"]))
    elif as_json:
        print_json(letter)
    else:
        screen = out()
        for name in (
            "offset",
            "reason",
            "detail",
            "job_id",
            "origin",
            "attempts",
            "software",
            "size",
            "redriven",
        ):
            screen.print(f"{name:9} {letter[name]}")
        screen.print(f"headers   {', '.join(letter['headers'])}")


@deadletters.command()
@click.argument("topic")
@click.option("--job", "of_job", help="Only those of this job.")
@click.option("--reason", help="Only those with this reason.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@watches
@as_json
@asks_console
def redrive(
    client: ConsoleClient,
    topic: str,
    *,
    of_job: str | None,
    reason: str | None,
    limit: int | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Send the letters of TOPIC back where they came from, each once."""
    body = {"topic": topic, "of_job": of_job, "reason": reason, "limit": limit}
    answer = client.post("deadletters", "redrive", json={k: v for k, v in body.items() if v is not None})
    tell_submitted(client, answer, watch=watch, as_json=as_json)
