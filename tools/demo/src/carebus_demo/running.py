"""``carebus workers``: the whole suite in the foreground, for your own data on your own machine."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from carebus_contracts.errors import CareBusError
from carebus_contracts.topics import TARGETS
from carebus_demo.preparing import DEMO_SETTINGS, prepare
from carebus_demo.suite import CONSOLE_PORT, suite
from carebus_demo.workers import Workers
from carebus_stack import LocalStack, StackError

LOOK_EVERY_S = 1.0
SCALED = ("extractor", "generator", "converter", *(f"loader-{target}" for target in TARGETS))


class _Replicas(click.ParamType[tuple[str, int]]):
    name = "worker=count"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read ``extractor=2``."""
        name, _, count = str(value).partition("=")
        if name not in SCALED:
            self.fail(f"there is no worker {name}; choose from {', '.join(SCALED)}", param, ctx)
        if not count.isdigit() or not 1 <= int(count) <= 16:
            self.fail(f"{name}: say how many, from 1 to 16, as in {name}=2", param, ctx)
        return name, int(count)


@click.command()
@click.option(
    "--root", "roots", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True, required=True,
    help="A folder that jobs may read from; may be given several times.",
)  # fmt: skip
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(".carebus"), show_default=True,
    help="Holds servers (stack/), documents, blobs, staged sources and logs.",
)  # fmt: skip
@click.option("--replicas", type=_Replicas(), multiple=True, help="Such as extractor=2; 1 where not said.")
@click.option("--port-offset", type=int, default=0, show_default=True, help="Added to every port.")
def workers(
    roots: tuple[Path, ...], folder: Path, replicas: tuple[tuple[str, int], ...], port_offset: int
) -> None:
    """Run servers and all workers on this machine, until Ctrl-C.

    Starts what does not run yet of the local stack, makes topics and schemas, then runs console, extractor,
    generator, converter and a loader a target. Settings named CAREBUS_… in the environment reach the workers. Ctrl-C
    lets them finish what they have in hand; the servers stay up (``carebus stack down``).
    """
    folder = folder.absolute()
    stack = LocalStack(folder / "stack", port_offset=port_offset, tell=click.echo)
    own = {name: value for name, value in os.environ.items() if name.startswith("CAREBUS_")}
    try:
        stack.up()
        settings = {**DEMO_SETTINGS, **stack.endpoints.settings(), **own}
        prepare(settings, folder)
        with suite(
            settings,
            folder,
            roots=[root.absolute() for root in roots],
            replicas={"generator": 1, **dict(replicas)},
            port_offset=port_offset,
        ) as running:
            running.start()
            running.wait_ready()
            console = f"http://127.0.0.1:{CONSOLE_PORT + port_offset}"
            click.echo(
                f"{len(running.specs)} workers run; logs are in {folder / 'logs'}, the console is at {console}"
            )
            click.echo("Submit jobs with `carebus jobs submit FILE` from another terminal; Ctrl-C ends this.")
            _until_told(running)
            click.echo("Draining ...")
    except (CareBusError, StackError) as error:
        raise click.ClickException(str(error)) from None


def _until_told(running: Workers) -> None:
    """Wait for SIGINT or SIGTERM.

    Raises:
        CareBusError: A worker left by itself.
    """
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    while not told.wait(LOOK_EVERY_S):
        for name, process in running.processes.items():
            if process.poll() is not None:
                raise CareBusError(
                    f"{name} left with status {process.returncode}; its log is {running.log(name)}"
                )
