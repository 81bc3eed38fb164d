"""One patient's chart as an HTML page, made from what stands in OpenEMR's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol


class Reads(Protocol):
    """Runs a query and returns rows as mappings."""

    def __call__(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Run it."""


@dataclass(frozen=True, slots=True)
class _Part:
    title: str
    query: str
    columns: Mapping[str, str]
    """Column to heading."""


_PARTS = (
    _Part(
        "Problems",
        "SELECT title, begdate, enddate, diagnosis FROM lists "
        "WHERE pid = %s AND type = 'medical_problem' AND activity = 1 ORDER BY begdate DESC, title",
        {"begdate": "Onset", "enddate": "End", "title": "Problem", "diagnosis": "Code"},
    ),
    _Part(
        "Allergies",
        "SELECT title, begdate, diagnosis, reaction FROM lists "
        "WHERE pid = %s AND type = 'allergy' AND activity = 1 ORDER BY begdate DESC, title",
        {"begdate": "Since", "title": "Allergy", "reaction": "Reaction", "diagnosis": "Code"},
    ),
    _Part(
        "Medications",
        "SELECT drug, start_date, end_date, rxnorm_drugcode FROM prescriptions "
        "WHERE patient_id = %s AND active = 1 ORDER BY start_date DESC, drug",
        {"start_date": "Start", "end_date": "End", "drug": "Drug", "rxnorm_drugcode": "RxNorm"},
    ),
    _Part(
        "Immunizations",
        "SELECT administered_date, cvx_code, note FROM immunizations "
        "WHERE patient_id = %s AND added_erroneously = 0 ORDER BY administered_date DESC",
        {"administered_date": "Date", "cvx_code": "CVX", "note": "Vaccine"},
    ),
    _Part(
        "Vital signs",
        "SELECT v.date, NULLIF(CONCAT_WS('/', v.bps, v.bpd), '') AS pressure, v.pulse, v.respiration, v.temperature, "
        "v.weight, v.height, v.BMI FROM form_vitals v WHERE v.pid = %s AND v.activity = 1 ORDER BY v.date DESC",
        {
            "date": "Date",
            "pressure": "Blood pressure",
            "pulse": "Pulse",
            "respiration": "Respiration",
            "temperature": "°F",
            "weight": "lb",
            "height": "in",
            "BMI": "BMI",
        },
    ),
    _Part(
        "Laboratory",
        "SELECT o.date_ordered, c.procedure_name, r.result, r.units, r.abnormal FROM procedure_order o "
        "JOIN procedure_order_code c ON c.procedure_order_id = o.procedure_order_id "
        "JOIN procedure_report p ON p.procedure_order_id = o.procedure_order_id "
        "AND p.procedure_order_seq = c.procedure_order_seq "
        "LEFT JOIN procedure_result r ON r.procedure_report_id = p.procedure_report_id "
        "WHERE o.patient_id = %s AND o.activity = 1 AND o.procedure_order_type <> 'procedure' "
        "ORDER BY o.date_ordered DESC, c.procedure_name",
        {
            "date_ordered": "Date",
            "procedure_name": "Test",
            "result": "Result",
            "units": "Unit",
            "abnormal": "Abnormal",
        },
    ),
    _Part(
        "Procedures and surgeries",
        "SELECT begdate AS date, title, diagnosis AS code FROM lists WHERE pid = %s AND type = 'surgery' "
        "AND activity = 1 UNION ALL SELECT o.date_ordered, c.procedure_name, c.procedure_code "
        "FROM procedure_order o JOIN procedure_order_code c ON c.procedure_order_id = o.procedure_order_id "
        "WHERE o.patient_id = %s AND o.activity = 1 AND o.procedure_order_type = 'procedure' ORDER BY 1 DESC, 2",
        {"date": "Date", "title": "Procedure", "code": "Code"},
    ),
    _Part(
        "Devices",
        "SELECT begdate, title, diagnosis FROM lists WHERE pid = %s AND type = 'medical_device' "
        "AND activity = 1 ORDER BY begdate DESC, title",
        {"begdate": "Since", "title": "Device", "diagnosis": "Code"},
    ),
    _Part(
        "Visits",
        "SELECT date, date_end, class_code, reason FROM form_encounter WHERE pid = %s ORDER BY date DESC",
        {"date": "From", "date_end": "To", "class_code": "Class", "reason": "Reason"},
    ),
)

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
header { border-bottom: 2px solid var(--line); margin-bottom: 1.5rem; }
h1 { margin: 0 0 .2rem; } h2 { margin: 1.8rem 0 .4rem; font-size: 1.1rem; }
.facts { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; margin: 0 0 1rem; opacity: .85; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { background: var(--soft); font-weight: 600; white-space: nowrap; }
.none { opacity: .6; }
"""


def richest_patient(read: Reads) -> int:
    """Return the pid of the patient with the most list rows."""
    return int(read("SELECT pid FROM lists GROUP BY pid ORDER BY count(*) DESC, pid LIMIT 1")[0]["pid"])


def chart_page(read: Reads, pid: int) -> str:
    """Return the chart of one patient as one self-contained HTML page."""
    patient = read(
        "SELECT fname, lname, DOB, sex, race, pubpid, deceased_date FROM patient_data WHERE pid = %s", pid
    )[0]
    name = escape(f"{patient['fname']} {patient['lname']}")
    facts = {
        "Born": patient["DOB"],
        "Sex": patient["sex"],
        "Race": patient["race"],
        "Died": patient["deceased_date"],
        "Record": patient["pubpid"],
        "pid": pid,
    }
    parts = "".join(_part(part, read(part.query, *[pid] * part.query.count("%s"))) for part in _PARTS)
    spans = "".join(
        f"<span><b>{label}</b> {escape(_text(value))}</span>" for label, value in facts.items() if value
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chart of {name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<header><h1>{name}</h1><p class="facts">{spans}</p></header>{parts}'
        "<footer><p class=none>Made from the tables of OpenEMR that carebus filled. "
        "The name is a pseudonym: OMOP holds none.</p></footer></body></html>"
    )


def _part(part: _Part, rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return f"<h2>{part.title}</h2><p class=none>Nothing recorded.</p>"
    heads = "".join(f"<th>{heading}</th>" for heading in part.columns.values())
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(row[column]))}</td>" for column in part.columns) + "</tr>"
        for row in rows
    )
    return (
        f"<h2>{part.title} ({len(rows)})</h2>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).removesuffix(" 00:00:00")
