"""Free text on its way into XML: what the source holds may be hostile, what leaves is plain ASCII."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[!#-%'-;=?-~](?:[ !#-%'-;=?-~]*[!#-%'-;=?-~])?").fullmatch
"""Printable ASCII that needs no escape, without blanks at its ends: nearly every real value."""

_SPACES = re.compile(r"[\t\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What XML 1.0 forbids or discourages; it cannot be escaped, so it is dropped."""


def clean(text: str | None) -> str:
    """Return text for an attribute or an element: escaped, ASCII, blanks stripped; "" for nothing.

    Characters beyond ASCII become references here, at the leaf, because encoding a finished
    non-ASCII document costs as much as building it.
    """
    if not text:
        return ""
    if _PLAIN(text):
        return text
    text = _FORBIDDEN.sub("", _SPACES.sub(" ", text)).strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
