"""``carebus conflicts``: rows in OpenEMR that people changed, and that the source says otherwise of."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from carebus_contracts.errors import CareBusError
from carebus_loader.adapters.openemr.conflicts import Conflict, read_conflicts
from carebus_loader.adapters.openemr.settings import OpenEmrSettings


@click.group()
def conflicts() -> None:
    """Show rows that were left alone because people had changed them."""


@conflicts.command("list")
@click.option("--source", help="Only of one source.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--show-values", is_flag=True, help="Print both versions: they are patient data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_conflicts(source: str | None, limit: int, show_values: bool, as_json: bool) -> None:
    """List conflicts in OpenEMR, newest first.

    Reads the database that the loader's settings name (CAREBUS_OPENEMR_…). To settle one, make the row
    say what the source says, or correct the source; the next job that brings the person clears it.
    """
    try:
        found = asyncio.run(read_conflicts(OpenEmrSettings.load(), source=source, limit=limit))
    except CareBusError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    shown = [_shown(conflict, show_values=show_values) for conflict in found]
    if as_json:
        click.echo(json.dumps(shown))
        return
    for one in shown:
        differs = ", ".join(one["columns"]) or ("the row is gone" if one["deleted"] else "taken away")
        click.echo(
            f"{one['last_seen']}  {one['source']} {one['subject']}  {one['table']} {one['uuid']}  {differs}"
        )
        for column, (ours, theirs) in one.get("values", {}).items():
            click.echo(f"    {column}: source {ours!r}, OpenEMR {theirs!r}")
    if not shown:
        click.echo("No conflicts.")


def _shown(conflict: Conflict, *, show_values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "source": conflict.source,
        "subject": conflict.subject,
        "table": conflict.write.partition(".")[0],
        "uuid": conflict.uuid.hex(),
        "job_id": conflict.job_id,
        "last_seen": conflict.last_seen,
        "columns": list(conflict.differing),
        "removed_at_source": conflict.ours is None,
        "deleted": conflict.theirs is None,
    }
    if show_values:
        shown["values"] = {c: list(versions) for c, versions in conflict.differing.items()}
    return shown
