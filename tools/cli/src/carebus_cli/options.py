"""Options and output that the console's commands share."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
from rich.console import Console

from carebus_cli.console_client import ConsoleClient, read_token

P = ParamSpec("P")
DEFAULT_URL = "http://127.0.0.1:28080"
WIDE = 160
"""Columns where there is no terminal: pipes and logs lose nothing to wrapping."""


def asks_console(command: Callable[Concatenate[ConsoleClient, P], None]) -> Callable[P, None]:
    """Give a command a client as its first argument, and the options that say which console."""

    @click.option(
        "--console",
        "url",
        envvar="CAREBUS_CONSOLE_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="Address of the console.",
    )
    @click.option(
        "--token-file",
        envvar="CAREBUS_CONSOLE_TOKEN_FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        show_envvar=True,
        help="File with the console's token; CAREBUS_CONSOLE_TOKEN may hold the token itself.",
    )
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        options: dict[str, Any] = dict(kwargs)
        url, file = options.pop("url"), options.pop("token_file")
        with ConsoleClient(url, read_token(file, _environment_token())) as client:
            command(client, *args, **options)

    return wrapped


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """Print JSON for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def out() -> Console:
    """Where people read."""
    return Console(
        file=sys.stdout, width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False
    )


def _environment_token() -> str:
    # Never an option: a command line can be read by everyone on the machine.
    return os.environ.get("CAREBUS_CONSOLE_TOKEN", "")
