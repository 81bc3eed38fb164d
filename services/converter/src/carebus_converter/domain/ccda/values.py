"""The value of a measurement or an observation."""

from __future__ import annotations

from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.ccda.codes import coder
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.units import Unit, unit_of


class Value(NamedTuple):
    """One value element, and its number or words and unit as read."""

    xml: str
    shown: str
    unit: str


UNKNOWN = Value('<value xsi:type="PQ" nullFlavor="UNK"/>', "", "")

_OPERATORS = {
    4171756: ("&lt;", "high", "false"),
    4171754: ("&lt;=", "high", "true"),
    4172704: ("&gt;", "low", "false"),
    4171755: ("&gt;=", "low", "true"),
}
"""Standard concepts of the domain Meas Value Operator; 4172703 is plain equality."""

_answer = coder("value", "SNOMED", attributes='xsi:type="CD"', also=True)


def number(value: float) -> str:
    """Return a number without the decimals that Python adds to whole ones."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def value_of(
    amount: float | None,
    answer: ConceptInUse | None,
    *texts: str | None,
    operator_id: int | None = None,
    unit: ConceptInUse | None = None,
    unit_text: str | None = None,
) -> Value:
    """Return what was found: a quantity, else a coded answer, else the source's words, else unknown.

    One entry holds one value, so a coded answer beside a number ("5, high") is in the narrative only.
    """
    if amount is not None:
        found = quantity(amount, unit_of(unit, unit_text), operator_id)
        if answer is None:
            return found
        return found._replace(shown=f"{found.shown} ({_answer(answer, None, None).label})")
    if answer is not None:
        coded = _answer(answer, None, None)
        return Value(coded.xml, coded.label, "")
    for text in texts:
        if words := clean(text):
            return Value(f'<value xsi:type="ST">{words}</value>', words, "")
    return UNKNOWN


def quantity(amount: float, unit: Unit, operator_id: int | None = None) -> Value:
    """Return a number with its unit; a bound (``<5``) is an interval, open at the other side."""
    digits = number(amount)
    if operator_id in _OPERATORS:
        sign, side, inclusive = _OPERATORS[operator_id]
        bound = f'<{side} value="{digits}" unit="{unit.code}" inclusive="{inclusive}"/>'
        return Value(f'<value xsi:type="IVL_PQ">{bound}</value>', sign + digits, unit.shown)
    return Value(f'<value xsi:type="PQ" value="{digits}" unit="{unit.code}"/>', digits, unit.shown)


def reference_range(low: float | None, high: float | None, unit: Unit) -> tuple[str, str]:
    """Return a reference range, and the same for people."""
    below = f'<low value="{number(low)}" unit="{unit.code}"/>' if low is not None else ""
    above = f'<high value="{number(high)}" unit="{unit.code}"/>' if high is not None else ""
    shown = f"{'' if low is None else number(low)} - {'' if high is None else number(high)}"
    return (
        f'<referenceRange><observationRange><value xsi:type="IVL_PQ">{below}{above}</value>'
        "</observationRange></referenceRange>",
        shown.strip(),
    )
