"""HL7's narrative block as HTML: a closed list of elements, everything else only by its text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from carebus_converter.domain.page.reading import Element

_AS_IT_IS = frozenset(
    {"table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "colgroup", "sub", "sup"}
)
_RENAMED = {"paragraph": "p", "content": "span", "item": "li", "footnote": "small"}
_EMPTY = frozenset({"br", "col"})
_DROPPED = frozenset({"renderMultiMedia", "footnoteRef"})
_STYLES = {"Bold": "bold", "Italics": "italics", "Underline": "underline"}
"""The style codes that every reader of CDA knows."""


def narrative(text: Element) -> str:
    """Return the inside of a section's ``text`` as HTML.

    Source:
        CDA R2, narrative block (NarrativeBlock.xsd).
    """
    return _inside(text)


def _inside(element: Element) -> str:
    return "".join(escape(child) if isinstance(child, str) else _shown(child) for child in element.children)


def _shown(element: Element) -> str:
    name = element.name
    if name in _DROPPED:
        return ""
    if name in _EMPTY:
        return f"<{name}>"
    if name == "list":
        tag = "ol" if element.attributes.get("listType") == "ordered" else "ul"
    elif name in _AS_IT_IS:
        tag = name
    elif name in _RENAMED:
        tag = _RENAMED[name]
    else:
        return _inside(element)
    return f"<{tag}{_attributes(element.attributes)}>{_inside(element)}</{tag}>"


def _attributes(given: Mapping[str, str]) -> str:
    kept = {name: given[name] for name in ("colspan", "rowspan") if given.get(name, "").isdecimal()}
    classes = " ".join(_STYLES[code] for code in given.get("styleCode", "").split() if code in _STYLES)
    if classes:
        kept["class"] = classes
    return "".join(f' {name}="{escape(value)}"' for name, value in kept.items())
