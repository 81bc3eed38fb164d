"""The page: who the document is about, then the narrative of each section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from carebus_converter.domain.page.narrative import narrative
from carebus_converter.domain.page.reading import Element, read

_STYLE = """
body{max-width:72em;margin:2em auto;padding:0 1em;font:15px/1.5 system-ui,sans-serif;color:#1c242c}
h1{font-size:1.5em;margin-bottom:.3em}h2{font-size:1.2em;margin:1.8em 0 .4em}h3{font-size:1em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1.2em;margin:0}
dt{color:#5a6670}dd{margin:0}nav{margin:1em 0}nav a{margin-right:1em}
table{border-collapse:collapse;width:100%}caption{text-align:left}
th,td{padding:.25em .6em;border-bottom:1px solid #d2d8de;text-align:left;vertical-align:top;
overflow-wrap:break-word}
th{font-weight:600}.bold{font-weight:600}.italics{font-style:italic}.underline{text-decoration:underline}
@media print{nav{display:none}tr{break-inside:avoid}}
"""


def page(document: bytes) -> str:
    """Return a C-CDA document as one HTML page that loads nothing and runs nothing.

    Every text is escaped, and only elements of HL7's narrative become elements of the page.

    Raises:
        InvalidMessage: The document cannot be read; see ``reading.read``.
    """
    root = read(document)
    title = _text(root.first("title")) or "Clinical document"
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(root) if value
    )
    sections = list(_sections(root.first("component", "structuredBody")))
    links = "".join(f'<a href="#section-{n}">{escape(name)}</a>' for n, (name, _) in enumerate(sections))
    body = "".join(
        f'<section id="section-{n}"><h2>{escape(name)}</h2>{text}</section>'
        for n, (name, text) in enumerate(sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><dl>{facts}</dl></header><nav>{links}</nav>"
        f"<main>{body or '<p>The document has no sections.</p>'}</main></body></html>\n"
    )


def _sections(parent: Element | None) -> Iterator[tuple[str, str]]:
    """Yield title and HTML of each section; those inside of another follow it."""
    if parent is None:
        return
    for component in parent.elements("component"):
        for section in component.elements("section"):
            name = _text(section.first("title")) or "Section without a title"
            told = section.first("text")
            yield name, narrative(told) if told else "<p>No narrative.</p>"
            yield from _sections(section)


def _facts(root: Element) -> Iterator[tuple[str, str]]:
    role = root.first("recordTarget", "patientRole")
    patient = role.first("patient") if role else None
    if patient is not None:
        names = (" ".join(part.text for part in name.elements("prefix", "given", "family", "suffix"))
                 for name in patient.elements("name"))  # fmt: skip
        yield "Patient", " / ".join(filter(None, names))
        yield "Sex", _coded(patient.first("administrativeGenderCode"))
        yield "Born", _moment(patient.first("birthTime"))
        yield "Died", _death(patient)
        yield "Race", _coded(patient.first("raceCode"))
        yield "Ethnic group", _coded(patient.first("ethnicGroupCode"))
    if role is not None:
        yield "Address", "; ".join(filter(None, (_address(addr) for addr in role.elements("addr"))))
        contacts = (telecom.attributes.get("value", "") for telecom in role.elements("telecom"))
        yield "Contact", "; ".join(filter(None, contacts))
        yield (
            "Patient id",
            ", ".join(filter(None, (i.attributes.get("extension") for i in role.elements("id")))),
        )
    period = root.first("documentationOf", "serviceEvent", "effectiveTime")
    if period is not None:
        low, high = _moment(period.first("low")), _moment(period.first("high"))
        yield "Period", f"{low} to {high}" if low or high else ""
    yield "Document of", _moment(root.first("effectiveTime"))
    organization = ("assignedAuthor", "representedOrganization", "name")
    yield "Author", _text(root.first("author", *organization))
    keeper = ("assignedCustodian", "representedCustodianOrganization", "name")
    yield "Custodian", _text(root.first("custodian", *keeper))
    identity = root.first("id")
    yield "Document id", identity.attributes.get("root", "") if identity else ""


def _text(element: Element | None) -> str:
    return element.text if element is not None else ""


def _coded(element: Element | None) -> str:
    if element is None:
        return ""
    return element.attributes.get("displayName") or _text(element.first("originalText")) or "Unknown"


def _address(element: Element) -> str:
    parts = element.elements("streetAddressLine", "city", "state", "postalCode", "country")
    return ", ".join(filter(None, (part.text for part in parts)))


def _death(patient: Element) -> str:
    indicator = patient.first("deceasedInd")
    if indicator is None or indicator.attributes.get("value") != "true":
        return ""
    return _moment(patient.first("deceasedTime")) or "Yes, day unknown"


_MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(?:\d\d(?:\.\d+)?)?)?([+-]\d{4})?").fullmatch


def _moment(element: Element | None) -> str:
    """Return a time of HL7 as people write it, only as precise as it is."""
    value = element.attributes.get("value", "") if element is not None else ""
    found = _MOMENT(value)
    if found is None:
        return value
    year, month, day, hour, minute, zone = found.groups()
    shown = "-".join(filter(None, (year, month, day)))
    if hour and (hour, minute) != ("00", "00"):
        shown += f" {hour}:{minute}" + (f" ({zone})" if zone else "")
    return shown
