"""Rules about codes: each is in the shipped table, of the domain of its OMOP table, with its unit.

The table of codes is read here anew, as a file, and what units and sexes go with a code is written down
here again: a wrong row of the table, or a wrong reader of it, is seen.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from carebus_generator.domain.cohort import Cohort
from carebus_generator.domain.draws import Bools, Floats, Ints

UNITS: Mapping[str, str] = {
    "8867-4": "/min",
    "8480-6": "mm[Hg]",
    "8462-4": "mm[Hg]",
    "9279-1": "/min",
    "59408-5": "%",
    "8310-5": "Cel",
    "72514-3": "{score}",
    "9269-2": "{score}",
    "29463-7": "kg",
    "8302-2": "cm",
    "718-7": "g/dL",
    "59032-3": "mg/dL",
    "6301-6": "{INR}",
    "777-3": "10*3/uL",
    "2744-1": "[pH]",
    "2019-8": "mm[Hg]",
    "882-1": "",
}
"""UCUM units of LOINC codes, after loinc.org's example units."""
WOMEN_ONLY = frozenset({"79586000"})
"""SNOMED: tubal pregnancy."""
DOMAINS: Mapping[str, frozenset[str]] = {
    "wounds": frozenset({"Condition", "Observation"}),
    "diagnoses": frozenset({"Condition", "Observation"}),
    "treatments": frozenset({"Procedure", "Drug"}),
    "measurements": frozenset({"Measurement"}),
}
VOCABULARIES: Mapping[str, frozenset[str]] = {
    "wounds": frozenset({"SNOMED"}),
    "diagnoses": frozenset({"SNOMED"}),
    "treatments": frozenset({"SNOMED", "RxNorm"}),
    "measurements": frozenset({"LOINC"}),
}


@dataclass(frozen=True, slots=True)
class Table:
    """The shipped codes, a row each."""

    vocabulary: tuple[str, ...]
    code: tuple[str, ...]
    domain: tuple[str, ...]
    unit: tuple[str, ...]
    low: Floats
    """NaN where there is no bound."""
    high: Floats
    decimals: Floats

    def where(self, *codes: str) -> Bools:
        """Return which rows have one of these codes."""
        return np.asarray([code in codes for code in self.code])

    def among(self, rows: Ints, *codes: str) -> Bools:
        """Return which of some rows have one of these codes; rows that are not there have none."""
        known: Bools = (rows >= 0) & (rows < len(self.code))
        return known & self.where(*codes)[np.where(known, rows, 0)]


def read_table() -> Table:
    """Read the table of codes."""
    text = files("carebus_generator").joinpath("data", "codes.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))

    def numbers(name: str) -> Floats:
        return np.asarray([float(row[name] or "nan") for row in rows])

    return Table(
        vocabulary=tuple(row["vocabulary"] for row in rows),
        code=tuple(row["code"] for row in rows),
        domain=tuple(row["domain"] for row in rows),
        unit=tuple(row["unit"] for row in rows),
        low=numbers("low"),
        high=numbers("high"),
        decimals=numbers("decimals"),
    )


TABLE = read_table()
_WOMEN_ONLY = TABLE.where(*WOMEN_ONLY)
_UNIT_FITS = np.asarray(
    [UNITS.get(code) == unit for code, unit in zip(TABLE.code, TABLE.unit, strict=True)], dtype=np.bool_
)


def of_codes(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """Codes that are known, fit their table, and are possible for the patient."""
    tables = (
        ("wounds", cohort.wounds.patient, cohort.wounds.condition),
        ("diagnoses", cohort.diagnoses.patient, cohort.diagnoses.condition),
        ("treatments", cohort.treatments.patient, cohort.treatments.code),
        ("measurements", cohort.measurements.patient, cohort.measurements.code),
    )
    for name, patient, code in tables:
        known = (code >= 0) & (code < len(TABLE.code))
        row = np.where(known, code, 0)
        fits = np.asarray(
            [
                domain in DOMAINS[name] and vocabulary in VOCABULARIES[name]
                for domain, vocabulary in zip(TABLE.domain, TABLE.vocabulary, strict=True)
            ]
        )
        yield (
            f"{name}: codes",
            f"codes of {name} are in the shipped table, with the domain and vocabulary of their OMOP table",
            patient,
            ~known | ~fits[row],
        )
        if name in {"wounds", "diagnoses"}:
            yield (
                f"{name}: sex",
                f"no man has {name} that only women have",
                patient,
                known & _WOMEN_ONLY[row] & ~cohort.patients.female[patient],
            )
    code = np.clip(cohort.measurements.code, 0, len(TABLE.code) - 1)
    yield (
        "measurements: units",
        "each measurement has the unit of its LOINC code",
        cohort.measurements.patient,
        ~_UNIT_FITS[code],
    )
    t = cohort.treatments
    row = np.clip(t.code, 0, len(TABLE.code) - 1)
    low, high = TABLE.low[row], TABLE.high[row]
    yield (
        "doses",
        "drugs and blood products have a quantity within the bounds of the table, other treatments have none",
        t.patient,
        np.where(np.isnan(low), t.quantity != 0, (t.quantity < low) | (t.quantity > high)),
    )
