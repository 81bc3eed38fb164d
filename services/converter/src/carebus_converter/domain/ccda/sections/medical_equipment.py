"""Medical Equipment: device exposures."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import SNOMED, coder, template
from carebus_converter.domain.ccda.not_mapped import NotMapped
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import interval, stamp

_FRAME = frame(
    "2.23",
    version="2014-06-09",
    code="46264-8",
    name="History of medical device use",
    title="Medical Equipment",
    columns=("Device", "Identifier", "Start", "End"),
    required=False,
)
_START = '<entry typeCode="DRIV"><procedure classCode="PROC" moodCode="EVN">' + template("4.14", "2014-06-09")
_UNKNOWN_PROCEDURE = f'"/><code nullFlavor="UNK" codeSystem="{SNOMED}"/>'
_DEVICE = '<participant typeCode="DEV"><participantRole classCode="MANU">' + template("4.37")
_UDI = '<id root="2.16.840.1.113883.3.3719" assigningAuthorityName="FDA" extension="'
"""The FDA's OID for unique device identifiers."""
_END = (
    '</playingDevice><scopingEntity><id nullFlavor="UNK"/></scopingEntity></participantRole></participant>'
    "</procedure></entry>"
)

_device = coder("code", "SNOMED", also=True)


def medical_equipment(rows: Sequence[tuple[str, DeviceExposure]], chart: Chart) -> str:
    """Build the Medical Equipment section, newest first; "" without rows.

    OMOP names the device but not the procedure that applied it, so the procedure's code is unknown.

    Source:
        C-CDA R2.1 Medical Equipment Section, template 2.16.840.1.113883.10.20.22.2.23.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("device_exposure")
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in rows:
        concept = concepts[row.device_concept_id]
        source = concepts[row.device_source_concept_id]
        udi = clean(row.unique_device_id)
        if concept is None and source is None and not clean(row.device_source_value) and not udi:
            chart.skip("device_exposure", NotMapped.NOTHING_RECORDED)
            continue
        code, label = _device(concept, source, row.device_source_value)
        low, start = stamp(row.device_exposure_start_date, row.device_exposure_start_datetime, offset)
        high, end = stamp(row.device_exposure_end_date, row.device_exposure_end_datetime, offset)
        narrative.append(
            f'<tr ID="device-{ext}"><td>{label}</td><td>{udi or clean(row.production_id)}</td>'
            f"<td>{start}</td><td>{end}</td></tr>"
        )
        entries.append(
            f'{_START}{identity}{ext}{_UNKNOWN_PROCEDURE}<text><reference value="#device-{ext}"/></text>'
            f'<statusCode code="completed"/><effectiveTime>{interval(low, high)}</effectiveTime>'
            f'{_DEVICE}{_UDI + udi if udi else f"{identity}{ext}.device"}"/>'
            f"<playingDevice>{code}{_END}"
        )
    return _FRAME.filled(narrative, entries)
