"""DRUG_EXPOSURE as prescriptions, and as immunizations where the drug has a CVX code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_converter.domain.openemr.cells import NULL, day, moment, number, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import bare_code, title_of
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered

PRESCRIPTIONS = (
    "uuid",
    "drug",
    "rxnorm_drugcode",
    "route",
    "date_added",
    "start_date",
    "end_date",
    "quantity",
    "refills",
    "drug_dosage_instructions",
    "external_id",
    "encounter",
    "provider",
)
IMMUNIZATIONS = (
    "uuid",
    "cvx_code",
    "note",
    "route",
    "administered_date",
    "lot_number",
    "amount_administered",
    "amount_administered_unit",
    "external_id",
    "encounter_id",
    "provider",
)

MOST_REFILLS = 2**31 - 1
"""``prescriptions.refills`` is an INT."""
RXNORM_WIDTH = 25
"""``prescriptions.rxnorm_drugcode`` is a VARCHAR(25); real codes have eight digits at most."""
FLOAT_RANGE = (1.2e-38, 3.4e38)
"""``immunizations.amount_administered`` is a FLOAT, of which the server shows six digits."""

ROUTES = {
    "26643006": "bymouth",
    "78421000": "intramuscular",
    "47625008": "11",
    "34206005": "9",
    "45890007": "transdermal",
    "6064005": "3",
    "37161004": "2",
    "37839007": "5",
    "46713006": "12",
    "372464004": "intradermal",
    "447694001": "inhale",
    "18679011000001101": "inhale",
}
"""SNOMED CT routes by OpenEMR's option of ``drug_route``: oral, intramuscular, intravenous, subcutaneous,
transdermal, topical, rectal, sublingual, nasal, intradermal, respiratory tract, inhalation."""


class Drug(NamedTuple):
    """What concepts and source values say of an exposure, as cells."""

    vaccine: bool
    cells: str


class DrugRows(NamedTuple):
    """Rows of the two tables that drugs go to."""

    prescriptions: list[str]
    immunizations: list[str]


def drug_rows(chart: Chart, exposures: Sequence[DrugExposure]) -> DrugRows:
    """Return one row an exposure."""
    prescriptions: list[str] = []
    immunizations: list[str] = []
    concept_of, uuid = chart.concepts.get, chart.ids.uuid
    for row, copy in numbered(exposures):
        drug = _drug(
            row.drug_concept_id,
            concept_of(row.drug_concept_id),
            concept_of(row.drug_source_concept_id),
            row.drug_source_value,
            concept_of(row.route_concept_id),
        )
        if drug is None:
            chart.skip("drug_exposure", NotMapped.NOTHING_RECORDED)
        elif (on := row.drug_exposure_start_date or _day(row.drug_exposure_start_datetime)) is None:
            chart.skip("drug_exposure", NotMapped.NO_DATE)
        elif drug.vaccine:
            immunizations.append(
                f'["{uuid("drug_exposure", row.drug_exposure_id, copy)}",{drug.cells}'
                f",{moment(on, row.drug_exposure_start_datetime)},{_given(row)}"
                f',"{row.drug_exposure_id}",{chart.encounter(row.visit_occurrence_id)}'
                f",{chart.directory.provider(row.provider_id)}]"
            )
        else:
            prescriptions.append(
                f'["{uuid("drug_exposure", row.drug_exposure_id, copy)}",{drug.cells}'
                f",{moment(on, row.drug_exposure_start_datetime)}"
                f',"{on.isoformat()}"'
                f",{day(_end(row))}"
                f",{number(row.quantity)},{_refills(row.refills)}"
                f",{text(row.sig, 10_000) if row.sig else NULL}"
                f',"{row.drug_exposure_id}",{chart.encounter(row.visit_occurrence_id)}'
                f",{chart.directory.provider(row.provider_id)}]"
            )
    return DrugRows(prescriptions, immunizations)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _end(row: DrugExposure) -> date | None:
    return row.drug_exposure_end_date or _day(row.drug_exposure_end_datetime) or row.verbatim_end_date


def _refills(count: int | None) -> str:
    """Return a count that the column can hold; a negative one counts nothing."""
    return str(count) if count is not None and 0 <= count <= MOST_REFILLS else NULL


def _amount(quantity: float | None) -> str:
    """Return a number as a FLOAT shows it again; one that it cannot hold would cost the whole chart."""
    smallest, largest = FLOAT_RANGE
    return f'"{quantity:.6g}"' if quantity and smallest <= abs(quantity) <= largest else NULL


def _given(row: DrugExposure) -> str:
    lot = text(row.lot_number, 50) if row.lot_number and row.lot_number != "0" else NULL
    unit = text(row.dose_unit_source_value, 50) if row.dose_unit_source_value else NULL
    return f"{lot},{_amount(row.quantity)},{unit}"


@lru_cache(maxsize=65_536)
def _drug(
    concept_id: int | None,
    concept: ConceptInUse | None,
    source: ConceptInUse | None,
    value: str | None,
    route: ConceptInUse | None,
) -> Drug | None:
    title = title_of(concept, source, value, concept_id)
    if not title:
        return None
    way = f'"{ROUTES[route.concept_code]}"' if route and route.concept_code in ROUTES else NULL
    if cvx := bare_code(concept, "CVX") or bare_code(source, "CVX"):
        return Drug(True, f"{text(cvx, 25)},{text(title, 255)},{way}")
    rxnorm = bare_code(concept, "RxNorm") or bare_code(source, "RxNorm")
    code = f'"{rxnorm}"' if rxnorm.isascii() and rxnorm.isdigit() and len(rxnorm) <= RXNORM_WIDTH else NULL
    return Drug(False, f"{text(title, 150)},{code},{way}")
