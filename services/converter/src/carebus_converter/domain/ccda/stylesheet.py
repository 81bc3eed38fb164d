"""How a browser shows a document: a style sheet of its own, inside of the document.

It is CSS in a ``data:`` address, so that a document needs no file beside it and no network: an
absent XSLT would leave the page blank, and browsers run none on local files (docs/adr/0014).
"""

from __future__ import annotations

_RULES = (
    "ClinicalDocument{display:block;max-width:70em;margin:2em auto;padding:0 1em;"
    "font:15px/1.45 system-ui,sans-serif;color:rgb(28,36,44)}"
    "ClinicalDocument>*{display:none}"
    "ClinicalDocument>title,ClinicalDocument>recordTarget,ClinicalDocument>component,"
    "structuredBody,structuredBody>component,section{display:block}"
    "ClinicalDocument>title{font-size:1.6em;font-weight:600}"
    "recordTarget addr,recordTarget telecom,recordTarget providerOrganization,"
    "recordTarget raceCode,recordTarget ethnicGroupCode{display:none}"
    "recordTarget given,recordTarget family{margin-right:.35em;font-size:1.2em}"
    "administrativeGenderCode:after{content:' ' attr(displayName)}"
    "birthTime:after{content:' born ' attr(value)}"
    "deceasedTime:after{content:' died ' attr(value)}"
    "section>*{display:none}"
    "section>title{display:block;font-size:1.2em;font-weight:600;margin:1.6em 0 .4em}"
    "section>text{display:block}"
    "table{display:table;border-collapse:collapse;width:100%25}"
    "thead{display:table-header-group}tbody{display:table-row-group}tr{display:table-row}"
    "th,td{display:table-cell;padding:.25em .6em;border-bottom:1px solid rgb(210,216,222);"
    "text-align:left;vertical-align:top;overflow-wrap:break-word}"
    "th{font-weight:600}"
)
"""Colours by ``rgb()`` and ``%25``: ``#`` and ``%`` mean something in an address."""

STYLESHEET = '<?xml-stylesheet type="text/css" href="data:text/css,' + _RULES + '"?>'
"""The processing instruction; at about 1.5 kB, one hundredth of a usual document."""
