"""The `carebus stack` command."""

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click

from .compose_stack import ComposeStack
from .errors import StackError
from .folder import StackFolder
from .local_stack import LocalStack
from .ports import SERVERS
from .status import ServerStatus

P = ParamSpec("P")
DEFAULT_DIR = Path(".carebus/stack")


class _Refusal(click.ClickException):
    """A sentence on standard error and exit status 2."""

    exit_code = 2


class _ServerNames(click.ParamType[tuple[str, ...]]):
    name = "servers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names of `kafka,postgres`."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        for name in names:
            if name not in SERVERS:
                self.fail(f"there is no server {name}; choose from {','.join(SERVERS)}", param, ctx)
        return names


def _says_what_to_do(function: Callable[P, None]) -> Callable[P, None]:
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except StackError as error:
            raise _Refusal(str(error)) from error

    return wrapped


_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIR,
    envvar="CAREBUS_STACK_DIR",
    show_default=True,
    show_envvar=True,
    help="The stack's folder: data, logs, passwords.",
)
_only = click.option(
    "--only",
    type=_ServerNames(),
    default=",".join(SERVERS),
    show_default=True,
    help="Names of servers, with commas.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def stack() -> None:
    """Run Kafka, MariaDB, Postgres and ClickHouse on this machine, without Docker."""


@stack.command()
@_directory
@_only
@click.option("--port-offset", type=int, help="Added to every port; the folder remembers it.")
@click.option("--docker", is_flag=True, help="Use containers of docker-compose.yml instead.")
@_json
@_says_what_to_do
def up(directory: Path, only: tuple[str, ...], port_offset: int | None, docker: bool, as_json: bool) -> None:
    """Start what does not run yet and wait until it answers."""
    begun = time.monotonic()
    tell = (lambda _: None) if as_json else functools.partial(click.echo, err=True)
    local: LocalStack | ComposeStack
    if docker:
        local = ComposeStack(directory, port_offset, only)
    else:
        local = LocalStack(directory, port_offset, only, tell=tell)
    _require_same_mode(local, docker=docker)
    started = local.up()
    _show(local, as_json=as_json, started=started)
    if not as_json:
        click.echo(f"\nUp in {time.monotonic() - begun:.1f} s. Settings: {local.settings_file}")


@stack.command()
@_directory
@_only
@click.option("--wipe", is_flag=True, help="Also remove data, passwords and logs.")
@_json
@_says_what_to_do
def down(directory: Path, only: tuple[str, ...], wipe: bool, as_json: bool) -> None:
    """Stop the servers; their data stays unless --wipe is given."""
    local = _remembered_stack(directory, only)
    local.down(wipe=wipe)
    if as_json:
        click.echo(json.dumps({"directory": str(local.directory), "wiped": wipe, "stopped": list(only)}))
    else:
        click.echo(f"Stopped {', '.join(only)}" + (" and removed their data." if wipe else "."))


@stack.command()
@_directory
@_only
@_json
@_says_what_to_do
def status(directory: Path, only: tuple[str, ...], as_json: bool) -> None:
    """Show what runs, where, and in which version."""
    _show(_remembered_stack(directory, only), as_json=as_json)


def _remembered_stack(directory: Path, only: tuple[str, ...]) -> LocalStack | ComposeStack:
    if StackFolder(directory.absolute()).remembered().mode == "docker":
        return ComposeStack(directory, servers=only)
    return LocalStack(directory, servers=only)


def _require_same_mode(local: LocalStack | ComposeStack, *, docker: bool) -> None:
    remembered = local.folder.remembered()
    wanted = "docker" if docker else "native"
    if remembered.known and remembered.mode != wanted:
        raise StackError(
            f"{local.directory} holds a {remembered.mode} stack; wipe it with `carebus stack down --wipe "
            f"--dir {local.directory}`, or choose another --dir."
        )


def _show(local: LocalStack | ComposeStack, *, as_json: bool, started: list[str] | None = None) -> None:
    statuses = local.status()
    if as_json:
        report: dict[str, object] = {
            "directory": str(local.directory),
            "settings_file": str(local.settings_file),
            "port_offset": local.port_offset,
            "servers": statuses,
        }
        if started is not None:
            report["started"] = started
        click.echo(json.dumps(report, indent=2))
        return
    for server in statuses.values():
        click.echo(_line(server))


def _line(server: ServerStatus) -> str:
    if not server["running"]:
        state = "stopped"
    elif server["answering"]:
        state = f"running, process {server['pid']}"
    else:
        state = f"not answering, process {server['pid']}; see {server['log']}"
    return f"{server['name']:<11}{server['version']:<10}{server['address']:<18}{state}"
