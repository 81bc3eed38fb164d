"""``carebus targets``: prepare a target with owner rights, and look into it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from carebus_contracts.errors import CareBusError
from carebus_contracts.versions import Version
from carebus_loader.ports import ShowsGrants, TellsVanished
from carebus_loader.targets import open_target, target_names


@click.group()
def targets() -> None:
    """List and prepare the systems that data go to, and ask them who vanished."""


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


@targets.command()
@click.argument("name")
@click.option("--user", required=True, help="The loader's user; of OpenEMR's server also as name@host.")
def grants(name: str, *, user: str) -> None:
    """Print the SQL that gives a user just the rights that the loader of NAME needs.

    Nothing is executed: an administrator runs it once `carebus targets prepare` made the tables.
    """
    try:
        target = open_target(name)
    except CareBusError as error:
        click.echo(f"{name}: {error}", err=True)
        raise SystemExit(2) from None
    if not isinstance(target, ShowsGrants):
        click.echo(f"{name}: it has no users; let the loader write to its folder or store", err=True)
        raise SystemExit(2)
    click.echo("".join(f"{statement};\n" for statement in target.grants(user)), nl=False)


@targets.command()
@click.argument("name")
@click.option("--source", required=True, help="Slug of the source.")
@click.option(
    "--since-ms",
    type=click.IntRange(min=1),
    required=True,
    help="Version of the job over the whole source, as `carebus subjects vanished` prints it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def vanished(name: str, *, source: str, since_ms: int, as_json: bool) -> None:
    """Print the ids of the persons in target NAME of whom nothing is as new as a job.

    Person ids are patient data: mind where the output goes.
    """
    try:
        found = asyncio.run(_vanished(open_target(name), source, Version(since_ms)))
    except CareBusError as error:
        click.echo(f"{name}: {error}", err=True)
        raise SystemExit(2) from None
    click.echo(json.dumps(found) if as_json else "".join(f"{person}\n" for person in found), nl=as_json)


async def _vanished(target: Any, source: str, version: Version) -> list[int]:
    tells: TellsVanished = target
    await target.start()
    try:
        return await tells.vanished(source, version)
    finally:
        await target.stop()
