"""``carebus targets``: make the schema and ledger of a target, with owner rights."""

from __future__ import annotations

import asyncio
import json

import click

from carebus_contracts.errors import CareBusError
from carebus_loader.targets import open_target, target_names


@click.group()
def targets() -> None:
    """List and prepare the systems that data go to."""


@targets.command("list")
def list_targets() -> None:
    """Show the targets that are installed."""
    click.echo("\n".join(target_names()))


@targets.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prepare(names: tuple[str, ...], as_json: bool) -> None:
    """Make schemas and ledgers of NAMES, or of all targets; safe to repeat."""
    done: list[str] = []
    for name in names or target_names():
        try:
            done += asyncio.run(open_target(name).prepare())
        except CareBusError as error:
            click.echo(f"{name}: {error}", err=True)
            raise SystemExit(2) from None
    click.echo(json.dumps(done) if as_json else "\n".join(done) or "Nothing was missing.")
