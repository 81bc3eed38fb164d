"""``carebus generate``: synthetic patients."""

from __future__ import annotations

import click

from carebus_generator.files_command import cards, decrypt, diff, run, verify
from carebus_generator.jobs_command import BORROWED, jobs_command, submit
from carebus_generator.preview_command import check, presets, preview


class Commands(click.Group):
    """Also has what ``carebus jobs`` has for jobs of any kind, where that is installed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted((*self.commands, *BORROWED))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        return jobs_command(cmd_name) if cmd_name in BORROWED else super().get_command(ctx, cmd_name)


@click.group(cls=Commands)
def generate() -> None:
    """Make synthetic patients."""


for command in (presets, preview, check, run, submit, verify, diff, cards, decrypt):
    generate.add_command(command)
