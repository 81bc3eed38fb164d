"""Rules about what is measured: within what a living body can have, and consistent with itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from carebus_generator.domain.checks.coding import TABLE
from carebus_generator.domain.checks.rules import at
from carebus_generator.domain.cohort import NONE, Cohort, Role
from carebus_generator.domain.draws import Bools, Floats, Ints

HEART_RATE, SYSTOLIC, DIASTOLIC, PAIN, COMA = "8867-4", "8480-6", "8462-4", "72514-3", "9269-2"
RANGES: Mapping[str, tuple[float, float]] = {
    HEART_RATE: (20, 230),
    SYSTOLIC: (40, 260),
    DIASTOLIC: (15, 160),
    "9279-1": (3, 70),
    "59408-5": (40, 100),
    "8310-5": (24, 43),
    PAIN: (0, 10),
    COMA: (3, 15),
    "718-7": (2, 22),
    "59032-3": (2, 270),
    "6301-6": (0.7, 12),
    "777-3": (5, 900),
    "2744-1": (6.6, 7.9),
    "2019-8": (10, 130),
}
"""What has been measured in people who lived, by LOINC code, in the units of ``coding.UNITS``."""
LABORATORY = ("718-7", "59032-3", "6301-6", "777-3", "2744-1", "2019-8")
SPEAKS = 9
"""Below this coma score nobody tells how much it hurts."""

_LOW = np.asarray([RANGES.get(code, (-np.inf, np.inf))[0] for code in TABLE.code])
_HIGH = np.asarray([RANGES.get(code, (-np.inf, np.inf))[1] for code in TABLE.code])


def of_measurements(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """Values by themselves, and against others of the same patient at the same time."""
    m = cohort.measurements
    code = np.clip(m.code, 0, len(TABLE.code) - 1)
    yield (
        "physiologic range",
        "measured values are such as people live with",
        m.patient,
        ~((m.value >= _LOW[code]) & (m.value <= _HIGH[code])),
    )
    patient, systolic, diastolic = together(cohort, SYSTOLIC, DIASTOLIC)
    yield "blood pressure", "diastolic pressure is below systolic", patient, diastolic >= systolic
    patient, coma, _ = together(cohort, COMA, PAIN)
    yield "pain", "who does not speak tells no pain", patient, coma < SPEAKS
    decimals = np.nan_to_num(TABLE.decimals[code])
    scale = 10.0**decimals
    yield (
        "decimals",
        "values have no more decimals than are measured",
        m.patient,
        np.abs(m.value * scale - np.rint(m.value * scale)) > 1e-6 * scale,
    )
    role = np.where(m.stay == NONE, int(Role.POI), at(cohort.stays.role, np.maximum(m.stay, 0)))
    yield (
        "laboratory",
        "blood is tested at Role 2 and above",
        m.patient,
        TABLE.among(m.code, *LABORATORY) & (role < Role.R2),
    )


def together(cohort: Cohort, one: str, other: str) -> tuple[Ints, Floats, Floats]:
    """Return patient and values of two codes where both were measured at the same time."""
    m = cohort.measurements
    key = m.patient << np.int64(34) | m.at_s
    first, second = (np.flatnonzero(TABLE.among(m.code, code)) for code in (one, other))
    _, mine, theirs = np.intersect1d(key[first], key[second], return_indices=True)
    return m.patient[first[mine]], m.value[first[mine]], m.value[second[theirs]]


def shock_indices(cohort: Cohort) -> tuple[Ints, Floats]:
    """Return the patient and the shock index (heart rate by systolic pressure), at the first measurement."""
    patient, rate, systolic = together(cohort, HEART_RATE, SYSTOLIC)
    first: Bools = np.diff(patient, prepend=-1) != 0
    return patient[first], rate[first] / systolic[first]
