"""Units of measure as UCUM spells them, and what turns one into another."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse

_OMOP_SPELLINGS = (("[U]", "U"), ("[degC]", "Cel"))
"""Codes of OMOP's UCUM vocabulary that UCUM itself does not have."""


class Conversion(NamedTuple):
    """``value * factor + offset`` in the other unit."""

    factor: float
    offset: float


def ucum_code(concept: ConceptInUse | None) -> str:
    """Return the UCUM code of a unit's concept; "" when it is none."""
    if concept is None or concept.vocabulary_id != "UCUM":
        return ""
    code = concept.concept_code or ""
    for omop, ucum in _OMOP_SPELLINGS:
        code = code.replace(omop, ucum)
    return code


@lru_cache(maxsize=4_096)
def conversion(unit: str, into: str) -> Conversion | None:
    """Return how values of one unit become values of another; None when they cannot, or it is not UCUM.

    Args:
        unit: Any text.
        into: A UCUM code.
    """
    if unit == into:
        return Conversion(1.0, 0.0)
    units = _registry()
    try:
        start, one = (
            units.Quantity(value, units.from_ucum(unit).units).to(units.from_ucum(into).units).magnitude
            for value in (0.0, 1.0)
        )
    except Exception:
        # The library raises errors of its parser, of its units and of Python for what is no unit.
        return None
    return Conversion(one - start, start)


@cache
def _registry() -> Any:
    """Load all units of UCUM, which takes a second and 25 MB: only where a unit has to be converted."""
    from ucumvert import PintUcumRegistry  # noqa: PLC0415

    return PintUcumRegistry()
