"""Immunizations: drug exposures whose concept is a vaccine (CVX)."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import coder, template
from carebus_converter.domain.ccda.routes import route_of
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.sections.lots import lot_number
from carebus_converter.domain.ccda.times import stamp

_FRAME = frame(
    "2.2.1",
    "2.2",
    version="2015-08-01",
    code="11369-6",
    name="History of Immunization Narrative",
    title="Immunizations",
    columns=("Vaccine", "Date", "Route", "Lot"),
    required=False,
)
_START = (
    '<entry typeCode="DRIV"><substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="false">'
    + template("4.52", "2015-08-01")
)
_PRODUCT = (
    '<consumable><manufacturedProduct classCode="MANU">'
    + template("4.54", "2014-06-09")
    + "<manufacturedMaterial>"
)
_END = "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry>"

_vaccine = coder("code", "CVX")


def immunizations(exposures: Sequence[tuple[str, DrugExposure]], chart: Chart) -> str:
    """Build the Immunizations section, newest first; "" without rows.

    Args:
        exposures: Numbered rows whose concept, or source concept, is from CVX.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Immunizations Section (entries required), template 2.16.840.1.113883.10.20.22.2.2.1.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("drug_exposure")
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in exposures:
        code, label = _vaccine(concepts[row.drug_concept_id], concepts[row.drug_source_concept_id], None)
        when, shown = stamp(row.drug_exposure_start_date, row.drug_exposure_start_datetime, offset)
        route, way = route_of(concepts[row.route_concept_id], row.route_source_value)
        lot_text, lot = lot_number(row)
        narrative.append(
            f'<tr ID="vaccine-{ext}"><td>{label}</td><td>{shown}</td><td>{way}</td><td>{lot}</td></tr>'
        )
        time = f'<effectiveTime value="{when}"/>' if when else '<effectiveTime nullFlavor="UNK"/>'
        entries.append(
            f'{_START}{identity}{ext}"/><text><reference value="#vaccine-{ext}"/></text>'
            f'<statusCode code="completed"/>{time}{route}{_PRODUCT}{code}{lot_text}{_END}'
        )
    return _FRAME.filled(narrative, entries)
