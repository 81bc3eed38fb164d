"""What a data set will be before it is made: rows, bytes and seconds, from a sample of its patients.

Rows come from patients spread evenly over the data set, made as they will be. Bytes and seconds a row are
measured constants: they say whether a job takes seconds or hours, and whether a disk has room for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.making import cohort_of
from carebus_generator.domain.model import Model
from carebus_generator.domain.omop import omop_tables
from carebus_generator.domain.surroundings import surroundings_of

SAMPLE = 1000
"""Patients. Rows a patient vary by half their mean, so the mean of so many is good to 2 %."""

BYTES_A_ROW: Mapping[tuple[str, str], float] = {
    ("ndjson", "none"): 171,
    ("ndjson", "gzip"): 35,
    ("ndjson", "zstd"): 16.7,
    ("json", "none"): 171,
    ("json", "gzip"): 35,
    ("json", "zstd"): 16.7,
    ("csv", "none"): 113,
    ("csv", "gzip"): 19.8,
    ("csv", "zstd"): 14.6,
    ("parquet", "none"): 8.1,
}
"""By format and compression; Parquet compresses by itself. Measured on presets of 10,000 patients."""

BYTES_A_PATIENT: Mapping[tuple[str, str], float] = {
    ("ndjson", "none"): 5_300,
    ("ndjson", "gzip"): 350,
    ("ndjson", "zstd"): 130,
    ("json", "none"): 5_300,
    ("json", "gzip"): 350,
    ("json", "zstd"): 130,
}
"""Besides its rows: a bundle names the columns of each table, and has its concepts and places with it."""

JOINED = frozenset({"json", "csv"})
"""Formats whose parts are copied into one file at the end, so that they need their room twice."""

MODEL_S_A_PATIENT = 16e-6
"""Of one core: the patients and their OMOP columns, in chunks of 2,000."""
SECONDS_A_ROW: Mapping[str, float] = {
    "records": 1.4e-6,
    "ndjson": 1.7e-6,
    "json": 2.6e-6,
    "csv": 2.0e-6,
    "parquet": 2.0e-6,
}
"""Of one core: writing, compressing and hashing. Measured on two cores of an AMD EPYC with other work."""

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of a data set."""

    patients: int
    rows: Mapping[str, int]
    """By OMOP table."""

    @property
    def all_rows(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())

    def file_bytes(self, form: str, compression: str = "none") -> int:
        """Return how large the files of one format are."""
        kind = form, "none" if form == "parquet" else compression
        return round(self.all_rows * BYTES_A_ROW[kind] + self.patients * BYTES_A_PATIENT.get(kind, 0))

    def room_bytes(self, form: str, compression: str = "none") -> int:
        """Return the room that the files of one format need while they are made."""
        return self.file_bytes(form, compression) * (2 if form in JOINED else 1)

    def seconds(self, forms: Sequence[str], *, cores: int) -> float:
        """Return how long it takes.

        Args:
            forms: Formats of files, and "records" where patients go to the records topic.
            cores: That share the work.
        """
        writing = sum(SECONDS_A_ROW[form] for form in forms) * self.all_rows
        return (self.patients * MODEL_S_A_PATIENT + writing) / cores


def estimate(model: Model) -> Estimate:
    """Estimate a data set from a sample of its patients. Takes some hundredths of a second."""
    total = model.timeline.total
    size = min(SAMPLE, total)
    cohort = cohort_of(model, np.arange(size, dtype=np.int64) * total // size)
    counts = omop_tables(surroundings_of(model, "estimate"), cohort).counts
    return Estimate(
        patients=total,
        rows={table: round(count / size * total) for table, count in counts.items()},
    )


def room_warning(needed: int, free: int, where: str) -> str:
    """Return a sentence if files do not fit, or nothing.

    Args:
        needed: Bytes, of all files that go there.
        free: Bytes.
        where: What people call the place.
    """
    if needed <= free:
        return ""
    return f"the files need about {readable(needed)}, {where} has {readable(free)} free"


def readable(count: int) -> str:
    """Return a number of bytes as people say it: 1.3 TB."""
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
