"""Medications: drug exposures that are no vaccines."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import coder, template
from carebus_converter.domain.ccda.not_mapped import NotMapped
from carebus_converter.domain.ccda.routes import route_of
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.sections.lots import lot_number
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import interval, stamp
from carebus_converter.domain.ccda.values import number

_FRAME = frame(
    "2.1.1",
    "2.1",
    version="2014-06-09",
    code="10160-0",
    name="History of Medication use Narrative",
    title="Medications",
    columns=("Medication", "Directions", "Route", "Supply", "Start", "Stop"),
    required=True,
)
_START = '<entry typeCode="DRIV"><substanceAdministration classCode="SBADM" moodCode="EVN">' + template(
    "4.16", "2014-06-09"
)
_PRODUCT = (
    '<doseQuantity nullFlavor="UNK"/><consumable><manufacturedProduct classCode="MANU">'
    + template("4.23", "2014-06-09")
    + "<manufacturedMaterial>"
)
_END = "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry>"

_material = coder("code", "RxNorm")


def medications(exposures: Sequence[tuple[str, DrugExposure]], chart: Chart) -> str:
    """Build the Medications section, newest first.

    OMOP keeps no dose of a single intake, so the dose is unknown; directions, quantity and days of
    supply are in the narrative.

    Args:
        exposures: Numbered rows whose concept is not from CVX.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Medications Section (entries required), template 2.16.840.1.113883.10.20.22.2.1.1.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("drug_exposure")
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in exposures:
        concept = concepts[row.drug_concept_id]
        source = concepts[row.drug_source_concept_id]
        if concept is None and source is None and not clean(row.drug_source_value):
            chart.skip("drug_exposure", NotMapped.NOTHING_RECORDED)
            continue
        code, label = _material(concept, source, row.drug_source_value)
        low, start = stamp(row.drug_exposure_start_date, row.drug_exposure_start_datetime, offset)
        high, stop = stamp(row.drug_exposure_end_date, row.drug_exposure_end_datetime, offset)
        route, way = route_of(concepts[row.route_concept_id], row.route_source_value)
        lot_text, lot = lot_number(row)
        if row.stop_reason:
            stop = f"{stop} ({clean(row.stop_reason)})"
        narrative.append(
            f'<tr ID="drug-{ext}"><td>{label}</td><td>{clean(row.sig)}</td><td>{way}</td>'
            f"<td>{_supply(row, lot)}</td><td>{start}</td><td>{stop}</td></tr>"
        )
        entries.append(
            f'{_START}{identity}{ext}"/><text><reference value="#drug-{ext}"/></text>'
            f'<statusCode code="{"completed" if high else "active"}"/>'
            f'<effectiveTime xsi:type="IVL_TS">{interval(low, high)}</effectiveTime>'
            f"{route}{_PRODUCT}{code}{lot_text}{_END}"
        )
    return _FRAME.filled(narrative, entries)


def _supply(row: DrugExposure, lot: str) -> str:
    """Return quantity, days and refills and lot in words; OMOP loads write 0 for what they do not know."""
    parts = []
    if row.quantity:
        unit = clean(row.dose_unit_source_value)
        parts.append(f"{number(row.quantity)} {unit}" if unit else number(row.quantity))
    if row.days_supply:
        parts.append(f"{row.days_supply} days")
    if row.refills:
        parts.append(f"{row.refills} refills")
    if lot:
        parts.append(f"lot {lot}")
    return ", ".join(parts)
