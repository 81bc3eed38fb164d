"""Results: measurements that are no vital signs, and observations that no other section takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import ACT_CODE, Coded, coder, template
from carebus_converter.domain.ccda.not_mapped import NotMapped
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import Stamp, stamp
from carebus_converter.domain.ccda.units import unit_of
from carebus_converter.domain.ccda.values import UNKNOWN, Value, reference_range, value_of

_FRAME = frame(
    "2.3.1",
    "2.3",
    version="2015-08-01",
    code="30954-2",
    name="Relevant diagnostic tests/laboratory data note",
    title="Results",
    columns=("Test", "Result", "Unit", "Reference range", "Date"),
    required=True,
)
_ORGANIZER = '<entry typeCode="DRIV"><organizer classCode="BATTERY" moodCode="EVN">' + template(
    "4.1", "2015-08-01"
)
_COMPONENT = '<component><observation classCode="OBS" moodCode="EVN">' + template("4.2", "2015-08-01")
_END = "</observation></component></organizer></entry>"
_ASSERTION = Coded(f'<code code="ASSERTION" codeSystem="{ACT_CODE}" displayName="Assertion"/>', "Finding")

_test = coder("code", "LOINC", also=True)
_finding = coder("value", "SNOMED", attributes='xsi:type="CD"', also=True)


def results(
    measurements: Sequence[tuple[str, Measurement]],
    observations: Sequence[tuple[str, Observation]],
    chart: Chart,
) -> str:
    """Build the Results section, newest first, one organizer a test: OMOP knows no panels.

    A measurement without a value is a result with an unknown value: that the test was made is worth
    telling. So is a vital sign without a number or a unit, which its own template cannot hold. An
    observation that states a finding and has no value is an assertion of that finding.

    Args:
        measurements: Numbered rows that are no vital signs.
        observations: Numbered rows placed as RESULT.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Results Section (entries required), template 2.16.840.1.113883.10.20.22.2.3.1.
    """
    concepts, offset = chart.concepts, chart.offset
    found: list[tuple[str, str, str]] = []
    identity = chart.id_start("measurement")
    for ext, row in measurements:
        concept = concepts[row.measurement_concept_id]
        source = concepts[row.measurement_source_concept_id]
        value = UNKNOWN
        if row.value_as_number is not None or row.value_as_concept_id or row.value_source_value:
            value = value_of(
                row.value_as_number,
                concepts[row.value_as_concept_id],
                row.value_source_value,
                operator_id=row.operator_concept_id,
                unit=concepts[row.unit_concept_id],
                unit_text=row.unit_source_value,
            )
        if concept is None and value is UNKNOWN and not source and not clean(row.measurement_source_value):
            chart.skip("measurement", NotMapped.NOTHING_RECORDED)
            continue
        normal, limits = "", ""
        if row.range_low is not None or row.range_high is not None:
            unit = unit_of(concepts[row.unit_concept_id], row.unit_source_value)
            normal, limits = reference_range(row.range_low, row.range_high, unit)
        found.append(
            _rendered(
                identity,
                ext,
                anchor=f"measurement-{ext}",
                test=_test(concept, source, row.measurement_source_value),
                when=stamp(row.measurement_date, row.measurement_datetime, offset),
                value=value,
                normal=normal,
                limits=limits,
                performer=chart.directory.performer(row.provider_id),
            )
        )
    if observations:
        count = len(found)
        identity = chart.id_start("observation")
        for ext, observation in observations:
            rendered = _observed(identity, ext, observation, chart)
            if rendered:
                found.append(rendered)
        if 0 < count < len(found):
            found.sort(key=lambda item: item[0], reverse=True)
    return _FRAME.filled([item[1] for item in found], [item[2] for item in found])


def _observed(identity: str, ext: str, row: Observation, chart: Chart) -> tuple[str, str, str] | None:
    concepts = chart.concepts
    concept = concepts[row.observation_concept_id]
    source = concepts[row.observation_source_concept_id]
    value = value_of(
        row.value_as_number,
        concepts[row.value_as_concept_id],
        row.value_as_string,
        row.value_source_value,
        unit=concepts[row.unit_concept_id],
        unit_text=row.unit_source_value,
    )
    if concept is None and value is UNKNOWN and not source and not clean(row.observation_source_value):
        chart.skip("observation", NotMapped.NOTHING_RECORDED)
        return None
    if value is UNKNOWN and concept is not None and concept.vocabulary_id != "LOINC":
        test, value = _assertion(concept, source)
    else:
        test = _test(concept, source, row.observation_source_value)
    when = stamp(row.observation_date, row.observation_datetime, chart.offset)
    performer = chart.directory.performer(row.provider_id)
    return _rendered(
        identity, ext, anchor=f"observation-{ext}", test=test, when=when, value=value, performer=performer
    )


@lru_cache(maxsize=8192)
def _assertion(concept: ConceptInUse, source: ConceptInUse | None) -> tuple[Coded, Value]:
    """Return the subject and the value of a concept that is itself the finding."""
    xml, words = _finding(concept, source, None)
    return _ASSERTION, Value(xml, words, "")


def _rendered(
    identity: str,
    ext: str,
    *,
    anchor: str,
    test: Coded,
    when: Stamp,
    value: Value,
    normal: str = "",
    limits: str = "",
    performer: str = "",
) -> tuple[str, str, str]:
    """Return time, narrative row and entry of one result."""
    (code, label), (hl7, shown) = test, when
    if hl7:
        period = f'<effectiveTime><low value="{hl7}"/><high value="{hl7}"/></effectiveTime>'
        point = f'<effectiveTime value="{hl7}"/>'
    else:
        period, point = "", '<effectiveTime nullFlavor="UNK"/>'
    return (
        hl7,
        f'<tr ID="{anchor}"><td>{label}</td><td>{value.shown or "Not recorded"}</td><td>{value.unit}</td>'
        f"<td>{limits}</td><td>{shown}</td></tr>",
        f'{_ORGANIZER}{identity}{ext}.organizer"/>{code}<statusCode code="completed"/>{period}'
        f'{_COMPONENT}{identity}{ext}"/>{code}<text><reference value="#{anchor}"/></text>'
        f'<statusCode code="completed"/>{point}{value.xml}{performer}{normal}{_END}',
    )
