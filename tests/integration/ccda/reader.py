"""A reader of our documents that knows nothing of their writer: lxml and the standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

_HL7 = "{urn:hl7-org:v3}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class Fact(NamedTuple):
    """One coded statement of a document, or one row of a source, in the same words."""

    person: int
    section: str
    record: int
    code: str
    """Code system and code, ``oid|code``; "" when there is none that HL7 knows."""
    translations: str
    start: str
    end: str
    value: str = ""
    """A number with its operator, ``oid|code``, or words."""
    unit: str = ""
    range: str = ""


_ENTRIES = {
    "48765-2": "allergy",
    "10160-0": "medication",
    "11450-4": "problem",
    "30954-2": "result",
    "29762-2": "social",
    "8716-3": "vital",
    "47519-4": "procedure",
    "46240-8": "encounter",
    "11369-6": "immunization",
    "46264-8": "device",
}


def facts(document: bytes) -> Iterator[Fact]:
    """Yield the patient and every entry of a document."""
    root = etree.fromstring(document)
    role = _one(root, "recordTarget/patientRole")
    person = int(_get(_one(role, "id"), "extension"))
    yield _patient(person, _one(role, "patient"))
    body = _one(root, "component/structuredBody")
    for section in _all(body, "component/section"):
        name = _ENTRIES[_get(_one(section, "code"), "code")]
        for entry in _all(section, "entry"):
            yield from _READERS[name](person, name, entry)


def _patient(person: int, patient: etree._Element) -> Fact:
    dead = _one(patient, "{urn:hl7-org:sdtc}deceasedTime")
    codes = [_code(_one(patient, tag)) for tag in ("raceCode", "ethnicGroupCode")]
    return Fact(
        person,
        "person",
        person,
        _code(_one(patient, "administrativeGenderCode")),
        " ".join(codes).strip(),
        _get(_one(patient, "birthTime"), "value"),
        _get(dead, "value"),
    )


def _problems(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    act = _one(entry, "act")
    observation = _one(act, "entryRelationship/observation")
    start, end = _times(_one(act, "effectiveTime"))
    assert (start, end) == _times(_one(observation, "effectiveTime"))
    assert _get(_one(act, "statusCode"), "code") == ("completed" if end else "active")
    coded = _one(observation, "value")
    if name == "allergy":
        substance = _one(observation, "participant/participantRole/playingEntity/code")
        yield Fact(person, name, _record(observation), _translations(coded), "", start, end, _code(substance))
    else:
        yield Fact(
            person, name, _record(observation), _code(coded), _translations(coded), start, end, _words(coded)
        )


def _drugs(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    given = _one(entry, "substanceAdministration")
    coded = _one(given, "consumable/manufacturedProduct/manufacturedMaterial/code")
    start, end = _times(_one(given, "effectiveTime"))
    yield Fact(person, name, _record(given), _code(coded), _translations(coded), start, end, _words(coded))


def _organized(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    for observation in _all(entry, "organizer/component/observation"):
        yield _observed(person, name, observation)


def _social(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    yield _observed(person, name, _one(entry, "observation"))


def _observed(person: int, name: str, observation: etree._Element) -> Fact:
    coded, value = _one(observation, "code"), _one(observation, "value")
    start, end = _times(_one(observation, "effectiveTime"))
    said, unit = _value(value)
    limits = _one(observation, "referenceRange/observationRange/value")
    bounds = [_number(_get(_one(limits, side), "value")) for side in ("low", "high")]
    return Fact(
        person,
        name,
        _record(observation),
        _code(coded),
        _translations(coded),
        start,
        end,
        said,
        unit,
        "..".join(bounds) if any(bounds) else "",
    )


def _procedures(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    procedure = _one(entry, "procedure")
    coded = _one(procedure, "code")
    if name == "device":
        coded = _one(procedure, "participant/participantRole/playingDevice/code")
    start, end = _times(_one(procedure, "effectiveTime"))
    yield Fact(
        person, name, _record(procedure), _code(coded), _translations(coded), start, end, _words(coded)
    )


def _encounters(person: int, name: str, entry: etree._Element) -> Iterator[Fact]:
    encounter = _one(entry, "encounter")
    coded = _one(encounter, "code")
    start, end = _times(_one(encounter, "effectiveTime"))
    visit = _record(encounter)
    yield Fact(person, name, visit, _code(coded), _translations(coded), start, end)
    for observation in _all(encounter, "entryRelationship/act/entryRelationship/observation"):
        start, end = _times(_one(observation, "effectiveTime"))
        value = _one(observation, "value")
        yield Fact(person, "diagnosis", _record(observation), _code(value), str(visit), start, end)


_READERS = {
    "allergy": _problems,
    "problem": _problems,
    "medication": _drugs,
    "immunization": _drugs,
    "result": _organized,
    "vital": _organized,
    "social": _social,
    "procedure": _procedures,
    "device": _procedures,
    "encounter": _encounters,
}


def _value(value: etree._Element) -> tuple[str, str]:
    """Return a value and its unit."""
    kind = value.get(_TYPE)
    if kind == "PQ":
        return _number(_get(value, "value")), _get(value, "unit")
    if kind == "IVL_PQ":
        (bound,) = value
        sign = {"low": ">", "high": "<"}[etree.QName(bound).localname]
        equal = "=" if bound.get("inclusive") == "true" else ""
        return sign + equal + _number(_get(bound, "value")), _get(bound, "unit")
    if kind == "CD":
        return _code(value), ""
    assert kind == "ST"
    return value.text or "", ""


def _number(text: str) -> str:
    return repr(float(text)) if text else ""


def _code(element: etree._Element | None) -> str:
    code, system = _get(element, "code"), _get(element, "codeSystem")
    return f"{system}|{code}" if code else ""


def _translations(element: etree._Element | None) -> str:
    return " ".join(sorted(filter(None, map(_code, _all(element, "translation")))))


def _words(element: etree._Element | None) -> str:
    """Return the source's words beside a code."""
    told = [_one(element, "originalText"), _one(element, "translation/originalText")]
    return " ".join(e.text or "" for e in told if e is not None)


def _times(element: etree._Element | None) -> tuple[str, str]:
    low, high = _one(element, "low"), _one(element, "high")
    if low is None and high is None:
        return _get(element, "value"), ""
    return _get(low, "value"), _get(high, "value")


def _record(statement: etree._Element) -> int:
    """Return the record's id; repeated ids carry a number behind, further statements a word."""
    found = re.fullmatch(r"(-?\d+)(?:-\d+)?(?:\.\w+)?", _get(_one(statement, "id"), "extension"))
    assert found
    return int(found[1])


def _one(element: etree._Element | None, path: str) -> etree._Element | None:
    return next(iter(_all(element, path)), None)


def _all(element: etree._Element | None, path: str) -> list[etree._Element]:
    if element is None:
        return []
    return element.findall("/".join(p if p.startswith("{") else _HL7 + p for p in path.split("/")))


def _get(element: etree._Element | None, name: str) -> str:
    return (element.get(name) or "") if element is not None else ""
