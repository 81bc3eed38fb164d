"""``carebus jobs watch``: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from carebus_cli.console_client import ConsoleClient, Problem, Refusal
from carebus_cli.options import out
from carebus_cli.progress import FINAL, Bar, Rates, bars_of, duration, exit_status, plain_line, waiting_of

LOOK_EVERY_S = 0.5
LINE_EVERY_S = 2.0
PATIENCE_S = 60.0
"""A console that restarts is waited for so long."""


def watch_job(client: ConsoleClient, job_id: str) -> int:
    """Show a job until it ended; return the exit status."""
    state = client.get("jobs", job_id)
    screen = out()
    end = _on_terminal(client, state, screen) if screen.is_terminal else _in_lines(client, state)
    for reason in end["reasons"]:
        click.echo(reason, err=True)
    return exit_status(end)


def wait_for_end(client: ConsoleClient, job_id: str) -> dict[str, Any]:
    """Return the state with which a job ended, and say nothing meanwhile."""
    state = client.get("jobs", job_id)
    while state["status"] not in FINAL:
        time.sleep(LOOK_EVERY_S)
        state = _patiently(client, job_id)
    return dict(state)


def _on_terminal(client: ConsoleClient, state: dict[str, Any], screen: Console) -> dict[str, Any]:
    rates, began = Rates(), time.monotonic()
    with Live(console=screen, refresh_per_second=4) as live:
        while True:
            at_s = time.monotonic() - began
            rates.note(at_s, bars_of(state))
            live.update(picture(state, at_s, rates))
            if state["status"] in FINAL:
                return state
            time.sleep(LOOK_EVERY_S)
            state = _patiently(client, state["job_id"])


def _in_lines(client: ConsoleClient, state: dict[str, Any]) -> dict[str, Any]:
    rates, began, said = Rates(), time.monotonic(), ("", float("-inf"))
    while True:
        at_s = time.monotonic() - began
        rates.note(at_s, bars_of(state))
        final = state["status"] in FINAL
        content = plain_line(state, 0, Rates())
        if final or (content != said[0] and at_s - said[1] >= LINE_EVERY_S):
            click.echo(plain_line(state, at_s, rates))
            said = content, at_s
        if final:
            return state
        time.sleep(LOOK_EVERY_S)
        state = _patiently(client, state["job_id"])


def picture(state: dict[str, Any], seconds: float, rates: Rates) -> RenderableType:
    """Return what a terminal shows of a job."""
    table = Table.grid(padding=(0, 2))
    for bar in bars_of(state):
        table.add_row(bar.name, _bar(bar), f"{bar.done}/{bar.total}", *_pace(bar, rates))
    head = Text.assemble((state["job_id"], "bold"), "  ", state["status"], "  ", duration(seconds))
    waits = [Text(line, style="yellow") for line in waiting_of(state)]
    return Group(head, table, *waits)


def _bar(bar: Bar) -> ProgressBar:
    return ProgressBar(total=bar.total or 1, completed=bar.done, width=40)


def _pace(bar: Bar, rates: Rates) -> tuple[str, str]:
    if bar.total and bar.done >= bar.total:
        return "", "all so far"
    left = rates.left_s(bar)
    return f"{rates.per_s(bar):.0f}/s", f"{duration(left)} left" if left is not None else ""


def _patiently(client: ConsoleClient, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return dict(client.get("jobs", job_id))
        except Refusal:
            raise
        except Problem:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
