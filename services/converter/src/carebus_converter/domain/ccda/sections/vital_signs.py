"""Vital Signs: measurements of the vital signs value set that carry a number and a unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.measurement import Measurement
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import LOINC, SNOMED, Concepts, coder, fixed, template
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.times import stamp
from carebus_converter.domain.ccda.units import NO_UNIT, unit_of
from carebus_converter.domain.ccda.values import reference_range, value_of

_FRAME = frame(
    "2.4.1",
    "2.4",
    version="2015-08-01",
    code="8716-3",
    name="Vital signs note",
    title="Vital Signs",
    columns=("Vital sign", "Value", "Unit", "Date"),
    required=True,
)
_ORGANIZER = '<entry typeCode="DRIV"><organizer classCode="CLUSTER" moodCode="EVN">' + template(
    "4.26", "2015-08-01"
)
_PANEL = '.organizer"/>' + fixed(
    "code",
    "46680005",
    SNOMED,
    "Vital signs",
    fixed(
        "translation",
        "74728-7",
        LOINC,
        "Vital signs, weight, height, head circumference, oxygen saturation and BMI panel",
    ),
)
_COMPONENT = '<component><observation classCode="OBS" moodCode="EVN">' + template("4.27", "2014-06-09")

_MOST = 9
"""OpenEMR's import drops an organizer with more components than this."""

# fmt: off
_VITALS = frozenset(
    {
        "8480-6", "8462-4", "8867-4", "9279-1", "8310-5", "8302-2", "8306-3", "29463-7", "39156-5",
        "2708-6", "59408-5", "3140-1", "8287-5", "9843-4",
    }
)
# fmt: on
"""Value set 2.16.840.1.113883.3.88.12.80.62, LOINC."""

_sign = coder("code", "LOINC")


@lru_cache(maxsize=65_536)
def is_vital(concept: ConceptInUse | None) -> bool:
    """Whether a concept is of the vital signs value set."""
    return concept is not None and concept.vocabulary_id == "LOINC" and concept.concept_code in _VITALS


def fits(row: Measurement, concepts: Concepts) -> bool:
    """Whether a vital sign has what its template demands: an exact number with a unit."""
    return (
        row.value_as_number is not None
        and row.operator_concept_id in (None, 0, _EQUALS)
        and unit_of(concepts[row.unit_concept_id], row.unit_source_value) is not NO_UNIT
    )


_EQUALS = 4172703
"""The standard concept of the operator "="."""


def vital_signs(rows: Sequence[tuple[str, Measurement]], chart: Chart) -> str:
    """Build the Vital Signs section, newest first, one organizer a visit and moment.

    OpenEMR reads organizers of two to nine components, so larger groups are split evenly.

    Args:
        rows: Numbered measurements for which ``is_vital`` and ``fits`` hold.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Vital Signs Section (entries required), template 2.16.840.1.113883.10.20.22.2.4.1.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("measurement")
    narrative: list[str] = []
    groups: dict[tuple[int | None, str], list[tuple[str, str]]] = {}
    for ext, row in rows:
        concept = concepts[row.measurement_concept_id]
        code, label = _sign(concept, concepts[row.measurement_source_concept_id], None)
        unit = concepts[row.unit_concept_id]
        value = value_of(
            row.value_as_number,
            concepts[row.value_as_concept_id],
            unit=unit,
            unit_text=row.unit_source_value,
        )
        normal, seen = "", value.shown
        if row.range_low is not None or row.range_high is not None:
            of_unit = unit_of(unit, row.unit_source_value)
            normal, limits = reference_range(row.range_low, row.range_high, of_unit)
            seen = f"{seen} (reference range {limits})"
        when, shown = stamp(row.measurement_date, row.measurement_datetime, offset)
        narrative.append(
            f'<tr ID="measurement-{ext}"><td>{label}</td><td>{seen}</td><td>{value.unit}</td>'
            f"<td>{shown}</td></tr>"
        )
        time = f'<effectiveTime value="{when}"/>' if when else '<effectiveTime nullFlavor="UNK"/>'
        component = (
            f'{_COMPONENT}{identity}{ext}"/>{code}<text><reference value="#measurement-{ext}"/></text>'
            f'<statusCode code="completed"/>{time}{value.xml}{normal}</observation></component>'
        )
        groups.setdefault((row.visit_occurrence_id, when), []).append((ext, component))
    entries = [
        _organizer(identity, when, part) for (_, when), group in groups.items() for part in _parts(group)
    ]
    return _FRAME.filled(narrative, entries)


def _parts(group: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    if len(group) <= _MOST:
        return [group]
    count = -(-len(group) // _MOST)
    return [group[len(group) * n // count : len(group) * (n + 1) // count] for n in range(count)]


def _organizer(identity: str, when: str, components: list[tuple[str, str]]) -> str:
    known = f'<effectiveTime><low value="{when}"/><high value="{when}"/></effectiveTime>'
    unknown = '<effectiveTime><low nullFlavor="UNK"/><high nullFlavor="UNK"/></effectiveTime>'
    return (
        f'{_ORGANIZER}{identity}{components[0][0]}{_PANEL}<statusCode code="completed"/>'
        f"{known if when else unknown}{''.join(c for _, c in components)}</organizer></entry>"
    )
