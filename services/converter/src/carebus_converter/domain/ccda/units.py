"""Units of measure as UCUM, the only spelling that HL7 takes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ucum import ucum_code

_ATOM = (
    r"(?:10\*-?\d+|(?:[khcmunpfd]|da)?(?:mol|eq|osm|kat|bar|Pa|m\[Hg\]|\[iU\]|[mgsLlU])"
    r"|Cel|\[degF\]|\[lb_av\]|\[oz_av\]|\[in_i\]|\[ft_i\]|\[pH\]|%|min|h|d|wk|mo|a)"
)
_TERM = rf"(?:{_ATOM}-?\d*(?:\{{[!-z|~]*\}})?|\{{[!-z|~]*\}})"
_UCUM = re.compile(rf"/?{_TERM}(?:[./]{_TERM})*").fullmatch
"""Common UCUM, case-sensitive: enough to tell ``kU/L`` and ``{score}`` from ``n/a`` and ``mmHg``.
Large prefixes are left out: in source texts ``ML`` is a millilitre far more often than 1,000 m3."""

_NOT_ANNOTATION = re.compile(r'(?:[^!-z|~]|["&<>{}])+')


class Unit(NamedTuple):
    """A unit as code, and as read (empty for a bare number)."""

    code: str
    shown: str


NO_UNIT = Unit("1", "")


@lru_cache(maxsize=8192)
def unit_of(concept: ConceptInUse | None, text: str | None) -> Unit:
    """Return the unit of a value.

    Without a concept the source's text stands if it is UCUM; other text becomes an annotation
    (``{text}``), which UCUM defines as a comment on a bare number.
    """
    if code := ucum_code(concept):
        escaped = clean(code)
        if escaped and " " not in escaped and "&" not in escaped:
            return Unit(escaped, escaped.strip("{}"))
    words = (concept.concept_name if concept is not None else None) or text
    if not words or not clean(words):
        return NO_UNIT
    if concept is None and _UCUM(words):
        return Unit(clean(words), clean(words).strip("{}"))
    comment = _NOT_ANNOTATION.sub("_", words).strip("_")
    return Unit(clean("{" + comment + "}"), clean(words)) if comment else Unit("1", clean(words))
