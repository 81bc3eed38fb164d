"""``carebus ccda``: documents for people to look at."""

from __future__ import annotations

from pathlib import Path

import click

from carebus_contracts.errors import InvalidMessage
from carebus_converter.domain.page import page
from carebus_converter.domain.page.reading import MOST_BYTES


@click.group()
def ccda() -> None:
    """Look at C-CDA documents."""


@ccda.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The page; else stdout."
)
def render(file: Path, output: Path | None) -> None:
    """Show the document in FILE as one HTML page, which loads nothing and runs nothing.

    Any C-CDA document will do, whoever made it.
    """
    try:
        with file.open("rb") as opened:
            html = page(opened.read(MOST_BYTES + 1))
        if output is None:
            click.echo(html, nl=False)
        elif output.exists() and output.samefile(file):
            _refuse(f"{output} is the document itself; name another file for the page")
        else:
            output.write_text(html, encoding="utf-8")
    except InvalidMessage as error:
        _refuse(f"{file}: {error}")
    except OSError as error:
        _refuse(f"{error.filename or file}: {error.strerror}")


def _refuse(sentence: str) -> None:
    click.echo(f"carebus ccda render: {sentence}", err=True)
    raise SystemExit(1)
