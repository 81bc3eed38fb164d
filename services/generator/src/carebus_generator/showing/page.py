"""Self-contained HTML pages: one style, no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

STYLE = files("carebus_generator.showing").joinpath("page.css").read_text(encoding="utf-8")
COLOURS = ("var(--a)", "var(--b)", "var(--c)", "var(--d)", "var(--e)")


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page.

    Args:
        title: Plain text.
        parts: HTML.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def colour(number: int) -> str:
    """Return a colour of the style."""
    return COLOURS[number % len(COLOURS)]


def key(names: Iterable[str]) -> str:
    """Return the key of colours."""
    items = "".join(
        f'<span><i style="background:{colour(n)}"></i>{escape(name)}</span>' for n, name in enumerate(names)
    )
    return f'<div class="key">{items}</div>'
