"""``carebus matches``: who in OpenEMR a person of a source is, where a person must decide."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from carebus_contracts.errors import CareBusError
from carebus_loader.adapters.openemr.matching import decide, read_matches
from carebus_loader.adapters.openemr.settings import OpenEmrSettings

T = TypeVar("T")


@click.group()
def matches() -> None:
    """Persons who may be patients that OpenEMR has already."""


@matches.command("list")
@click.option("--source", help="Only of one source.")
@click.option("--all", "everything", is_flag=True, help="Also those who were decided about.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_matches(source: str | None, everything: bool, as_json: bool) -> None:
    """List persons about whom somebody must decide, and who they may be."""
    found = _run(read_matches(OpenEmrSettings.load(), source=source, everything=everything))
    if as_json:
        click.echo(json.dumps([_shown(one) for one in found]))
        return
    for one in found:
        who = "; ".join(f"pid {c['pid']} ({c['why']})" for c in one.candidates)
        how = {None: "open", "new": "a new patient"}.get(one.decided, f"pid {one.decided_pid}")
        click.echo(f"{one.source} {one.subject}  {how}  may be: {who or '-'}")
    if not found:
        click.echo("Nobody to decide about.")


@matches.command("decide")
@click.argument("source")
@click.argument("person_id", type=int)
@click.option("--pid", type=int, help="This patient of OpenEMR.")
@click.option("--new", is_flag=True, help="A new patient.")
def decide_match(source: str, person_id: int, pid: int | None, new: bool) -> None:
    """Say who PERSON_ID of SOURCE is; the next job that brings them loads them accordingly."""
    if (pid is None) == (not new):
        raise click.UsageError("say either --pid N or --new")
    if fault := _run(decide(OpenEmrSettings.load(), (source, f"person/{person_id}"), pid)):
        click.echo(fault, err=True)
        raise SystemExit(2)
    click.echo("Noted.")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except CareBusError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def _shown(one: Any) -> dict[str, Any]:
    return {
        "source": one.source,
        "subject": one.subject,
        "candidates": list(one.candidates),
        "decided": one.decided,
        "decided_pid": one.decided_pid,
    }
