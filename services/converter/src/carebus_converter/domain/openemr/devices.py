"""DEVICE_EXPOSURE as the medical devices of ``lists``, with what their UDI says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import orjson

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_converter.domain.openemr.cells import NULL, moment, shortened, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import codes_of, title_of
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered

DEVICES = (
    "uuid",
    "type",
    "title",
    "diagnosis",
    "verification",
    "begdate",
    "enddate",
    "udi",
    "udi_data",
    "external_id",
)

UNNAMED = '"medical_device","Unnamed device","",""'
"""A device of which only the UDI is known, which is worth more than a name."""

_ELEMENT = re.compile(r"\((01|10|11|17|21)\)([^()]+)")
"""Parts of a UDI in the spelling of GS1 for people; other agencies' UDIs are kept whole only."""
_ELEMENTS = {
    "01": "di",
    "10": "lotNumber",
    "11": "manufacturingDate",
    "17": "expirationDate",
    "21": "serialNumber",
}
"""GS1 application identifiers by the names under which OpenEMR's FHIR looks for them."""
_DATES = frozenset({"11", "17"})


def device_rows(chart: Chart, devices: Sequence[DeviceExposure]) -> list[str]:
    """Return one list row a device."""
    rows: list[str] = []
    concept_of = chart.concepts.get
    for row, copy in numbered(devices):
        what = _device(
            row.device_concept_id,
            concept_of(row.device_concept_id),
            concept_of(row.device_source_concept_id),
            row.device_source_value,
        ) or (UNNAMED if shortened(row.unique_device_id, 255) else None)
        if what is None:
            chart.skip("device_exposure", NotMapped.NOTHING_RECORDED)
            continue
        uuid = chart.ids.uuid("device_exposure", row.device_exposure_id, copy)
        rows.append(
            f'["{uuid}",{what},{moment(row.device_exposure_start_date, row.device_exposure_start_datetime)}'
            f",{moment(row.device_exposure_end_date, row.device_exposure_end_datetime)}"
            f',{_udi(row.unique_device_id)},"{row.device_exposure_id}"]'
        )
    return rows


def _udi(udi: str | None) -> str:
    """Return the UDI, and its parts as the JSON that OpenEMR keeps beside it."""
    whole = shortened(udi, 255)
    if not whole:
        return f"{NULL},{NULL}"
    parts = {
        _ELEMENTS[key]: _date(value) if key in _DATES else value.strip()
        for key, value in _ELEMENT.findall(whole)
    }
    data = orjson.dumps({"standard_elements": parts}).decode() if parts else None
    return f"{text(whole, 255)},{text(data, 4_000) if data else NULL}"


def _date(digits: str) -> str:
    """Return ``2008-12-21`` for GS1's ``081221``; what is no such date stays as it is."""
    plain = digits.strip()
    if len(plain) != 6 or not plain.isdigit():
        return plain
    return f"20{plain[:2]}-{plain[2:4]}-{plain[4:] if plain[4:] != '00' else '01'}"


@lru_cache(maxsize=16_384)
def _device(
    concept_id: int | None, concept: ConceptInUse | None, source: ConceptInUse | None, value: str | None
) -> str | None:
    title = title_of(concept, source, value, concept_id)
    if not title:
        return None
    return f'"medical_device",{text(title, 255)},{text(codes_of(concept, source), 255)},""'
