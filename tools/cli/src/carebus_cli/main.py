"""``carebus``: subcommands by entry point ``carebus.commands``; each package brings its own."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import click

GROUP = "carebus.commands"


class Commands(click.Group):
    """A group whose commands are found by entry point and loaded when they are used.

    A package that is broken costs its own command only: it has one line that says why.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of what is installed."""
        return sorted({*self.commands, *_points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        point = _points().get(cmd_name)
        if point is None:
            return super().get_command(ctx, cmd_name)
        try:
            command = point.load()
        except Exception as error:
            return _broken(cmd_name, f"{type(error).__name__}: {error}")
        return command if isinstance(command, click.Command) else _broken(cmd_name, "it is no click command")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="carebus-cli", prog_name="carebus")
def commands() -> None:
    """Move clinical data: jobs, dead letters, subjects, topics, targets, local servers."""


def main() -> None:
    """Run the command line."""
    commands()


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _broken(name: str, fault: str) -> click.Command:
    sentence = f"cannot be loaded ({fault.splitlines()[0]}); install its package again"

    def refuse() -> None:
        click.echo(f"carebus {name} {sentence}", err=True)
        raise SystemExit(2)

    return click.Command(
        name,
        callback=refuse,
        help=sentence,
        short_help=sentence,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )


if __name__ == "__main__":
    main()
