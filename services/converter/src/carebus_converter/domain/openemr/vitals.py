"""Vital signs as rows of ``form_vitals``, in the units that OpenEMR keeps: pounds, inches, Fahrenheit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.measurement import Measurement
from carebus_converter.domain.openemr.cells import NULL
from carebus_converter.domain.openemr.row_ids import RowIds
from carebus_converter.domain.ucum import conversion, ucum_code

EQUALS = 4172703
"""The standard concept of the operator "="."""


class Vital(NamedTuple):
    """A column of ``form_vitals``."""

    column: str
    unit: str
    """UCUM; what the column holds."""
    only_unit: bool = False
    """Whether nothing else is in use, so that a value without a unit can be read."""
    most: float = 1e6
    """Where the column ends."""
    decimals: int = 6
    method: str = ""
    """How a temperature was taken: OpenEMR's words."""


_SYSTOLIC = Vital("bps", "mm[Hg]", most=1e4, decimals=2)
_DIASTOLIC = Vital("bpd", "mm[Hg]", most=1e4, decimals=2)
_WEIGHT = Vital("weight", "[lb_av]")
_HEIGHT = Vital("height", "[in_i]")
_TEMPERATURE = Vital("temperature", "[degF]")
_PULSE = Vital("pulse", "/min", only_unit=True)
_RESPIRATION = Vital("respiration", "/min", only_unit=True)
_BMI = Vital("BMI", "kg/m2", only_unit=True)
_WAIST = Vital("waist_circ", "[in_i]")
_HEAD = Vital("head_circ", "[in_i]")
_SATURATION = Vital("oxygen_saturation", "%", most=1e4, decimals=2)

VITALS: dict[tuple[str, str], Vital] = {
    **{("LOINC", code): _SYSTOLIC for code in ("8480-6", "8459-0", "8460-8", "8461-4")},
    **{("LOINC", code): _DIASTOLIC for code in ("8462-4", "8453-3", "8454-1", "8455-8")},
    **{("LOINC", code): _WEIGHT for code in ("29463-7", "3141-9", "3142-7")},
    **{("LOINC", code): _HEIGHT for code in ("8302-2", "8306-3", "8308-9", "3137-7")},
    **{("LOINC", code): _TEMPERATURE for code in ("8310-5", "8329-5")},
    ("LOINC", "8331-1"): _TEMPERATURE._replace(method="Oral"),
    ("LOINC", "8332-1"): _TEMPERATURE._replace(method="Rectal"),
    ("LOINC", "8328-7"): _TEMPERATURE._replace(method="Axillary"),
    ("LOINC", "8333-0"): _TEMPERATURE._replace(method="Tympanic Membrane"),
    ("LOINC", "8867-4"): _PULSE,
    ("LOINC", "9279-1"): _RESPIRATION,
    ("LOINC", "39156-5"): _BMI,
    ("LOINC", "8280-0"): _WAIST,
    **{("LOINC", code): _HEAD for code in ("9843-4", "8287-5")},
    **{("LOINC", code): _SATURATION for code in ("2708-6", "59408-5")},
    ("LOINC", "3151-8"): Vital("oxygen_flow_rate", "L/min"),
    ("LOINC", "3150-6"): Vital("inhaled_oxygen_concentration", "%", most=1e4, decimals=2),
    ("LOINC", "77606-2"): Vital("ped_weight_height", "%", most=1e4, decimals=2),
    ("LOINC", "59576-9"): Vital("ped_bmi", "%", most=1e4, decimals=2),
    ("LOINC", "8289-1"): Vital("ped_head_circ", "%", most=1e4, decimals=2),
    ("SNOMED", "271649006"): _SYSTOLIC,
    ("SNOMED", "271650006"): _DIASTOLIC,
    ("SNOMED", "27113001"): _WEIGHT,
    **{("SNOMED", code): _HEIGHT for code in ("50373000", "1153637007")},
    ("SNOMED", "386725007"): _TEMPERATURE,
    ("SNOMED", "364075005"): _PULSE,
    ("SNOMED", "86290005"): _RESPIRATION,
    ("SNOMED", "60621009"): _BMI,
    ("SNOMED", "276361009"): _WAIST,
    ("SNOMED", "363812007"): _HEAD,
}
"""By vocabulary and code of the measurement."""

_MEASURED = (
    "bps",
    "bpd",
    "weight",
    "height",
    "temperature",
    "temp_method",
    "pulse",
    "respiration",
    "BMI",
    "waist_circ",
    "head_circ",
    "oxygen_saturation",
    "oxygen_flow_rate",
    "inhaled_oxygen_concentration",
    "ped_weight_height",
    "ped_bmi",
    "ped_head_circ",
)
FORM_VITALS = ("uuid", "date", *_MEASURED, "external_id", "encounter")


@lru_cache(maxsize=65_536)
def vital_of(concept: ConceptInUse | None) -> Vital | None:
    """Return the column for a measurement's concept."""
    return VITALS.get((concept.vocabulary_id or "", concept.concept_code or "")) if concept else None


def measured(vital: Vital, row: Measurement, unit: ConceptInUse | None) -> str | None:
    """Return the value as the column holds it; None when it cannot.

    It cannot without a number, with a bound (``<40``), with no unit where several are in use, with one
    that does not convert, or with a number that is not above 0 and inside of the column: OpenEMR takes 0
    for "not measured".
    """
    if row.value_as_number is None or row.operator_concept_id not in (None, 0, EQUALS):
        return None
    code = ucum_code(unit) or (row.unit_source_value or "").strip() or (vital.unit if vital.only_unit else "")
    known = conversion(code, vital.unit) if code else None
    if known is None:
        return None
    value = round(row.value_as_number * known.factor + known.offset, vital.decimals)
    if not 0 < value < vital.most:
        return None
    digits = f"{value:.{vital.decimals}f}".rstrip("0").rstrip(".")
    return f'"{digits}"'


@dataclass(slots=True)
class Form:
    """One row under way."""

    first_id: int
    cells: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class VitalForms:
    """Gathers vital signs: one row an encounter and moment; a second value of a kind begins another."""

    ids: RowIds
    _groups: dict[tuple[str, str], list[Form]] = field(default_factory=dict)

    def add(self, vital: Vital, cell: str, record_id: int, *, when: str, encounter: str) -> None:
        """Put one value; to be called in the order of record ids.

        Args:
            vital: Its column.
            cell: From ``measured``.
            record_id: Of the measurement.
            when: Cell of its moment.
            encounter: Cell of its encounter.
        """
        forms = self._groups.setdefault((encounter, when), [])
        form = next((f for f in forms if vital.column not in f.cells), None)
        if form is None:
            form = Form(record_id)
            forms.append(form)
        form.cells[vital.column] = cell
        if vital.method:
            form.cells["temp_method"] = f'"{vital.method}"'

    def rows(self) -> Iterator[str]:
        """Yield the rows."""
        for (encounter, when), forms in self._groups.items():
            for number, form in enumerate(forms):
                uuid = self.ids.uuid(f"form_vitals:{encounter}:{when}", number)
                cells = ",".join(form.cells.get(column, NULL) for column in _MEASURED)
                yield f'["{uuid}",{when},{cells},"{form.first_id}",{encounter}]'
