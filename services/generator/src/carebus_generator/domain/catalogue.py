"""The codes that generated records may carry, as data: ``data/codes.csv``.

A code has an OMOP concept id only where the shipped vocabulary or OHDSI's conventions say so; one
that is known from an independent clinical source has 0, and keeps vocabulary and code, so that a site
with the whole vocabulary can map it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import TypeVar

import numpy as np

from carebus_generator.domain.draws import Floats, Ints

Name = TypeVar("Name", bound=StrEnum)


class Domain(StrEnum):
    """OMOP's domain, which says the table that a code belongs into."""

    CONDITION = "Condition"
    PROCEDURE = "Procedure"
    DRUG = "Drug"
    MEASUREMENT = "Measurement"
    OBSERVATION = "Observation"
    VISIT = "Visit"
    GENDER = "Gender"
    TYPE = "Type Concept"


class Evidence(StrEnum):
    """Where it is known from that a code means what its name says."""

    CONCEPT = "omop-concept"
    """A standard concept of that domain in the CONCEPT tables of OHDSI's Synthea27Nj (CDM 5.4) or GiBleed (5.3)."""
    CONVENTIONS = "ohdsi-conventions"
    """Fixed by the conventions of the OMOP CDM: visits, gender, type of record."""
    INDEPENDENT = "independent-source"
    """Seen with this meaning in a clinical source that is no copy of another; concept id 0."""
    OWN = "own-code"
    """A fact of the exercise that no vocabulary has; concept id 0."""


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the catalogue."""

    key: str
    """Our name for it."""
    vocabulary: str
    code: str
    name: str
    concept_id: int
    """OMOP's, or 0."""
    domain: Domain
    unit: str
    """UCUM; empty where nothing is measured."""
    unit_concept_id: int
    decimals: int
    low: float
    """Least value that a living patient has, or least dose; NaN where nothing is measured."""
    high: float
    route: str
    """Of drugs."""
    verified_by: Evidence


class Catalogue:
    """All codes, and their columns by row."""

    def __init__(self, codes: Iterable[Code]) -> None:
        self.codes = tuple(codes)
        self._rows = {code.key: row for row, code in enumerate(self.codes)}
        if len(self._rows) != len(self.codes):
            raise ValueError("codes.csv has a key twice")
        self.concept_id: Ints = np.array([code.concept_id for code in self.codes], dtype=np.int64)
        self.decimals: Ints = np.array([code.decimals for code in self.codes], dtype=np.int64)
        self.low: Floats = np.array([code.low for code in self.codes], dtype=np.float64)
        self.high: Floats = np.array([code.high for code in self.codes], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> Code:
        return self.codes[row]

    def row(self, key: str) -> int:
        """Return the row of a key.

        Raises:
            KeyError: The catalogue has no such key.
        """
        try:
            return self._rows[key]
        except KeyError:
            raise KeyError(f"codes.csv has no key {key!r}") from None

    def of(self, domain: Domain) -> tuple[Code, ...]:
        """Return the codes of a domain."""
        return tuple(code for code in self.codes if code.domain == domain)


def read_catalogue(text: str) -> Catalogue:
    """Read codes.csv.

    Raises:
        ValueError: A row is not of a known domain, has no known evidence, or has a concept id without it.
    """
    return Catalogue(_code(row, line) for line, row in enumerate(csv.DictReader(text.splitlines()), start=2))


def data_text(name: str) -> str:
    """Return a data file of this package as text."""
    return files("carebus_generator").joinpath("data", name).read_text(encoding="utf-8")


def _code(row: dict[str, str], line: int) -> Code:
    domain = _one_of(Domain, row["domain"], f"codes.csv line {line}: domain")
    verified_by = _one_of(Evidence, row["verified_by"], f"codes.csv line {line}: verified_by")
    concept_id = int(row["concept_id"])
    if (concept_id != 0) != (verified_by in {Evidence.CONCEPT, Evidence.CONVENTIONS}):
        raise ValueError(
            f"codes.csv line {line}: a concept id needs a vocabulary as evidence, and the other way round"
        )
    return Code(
        key=row["key"],
        vocabulary=row["vocabulary"],
        code=row["code"],
        name=row["name"],
        concept_id=concept_id,
        domain=domain,
        unit=row["unit"],
        unit_concept_id=int(row["unit_concept_id"] or 0),
        decimals=int(row["decimals"] or 0),
        low=float(row["low"] or "nan"),
        high=float(row["high"] or "nan"),
        route=row["route"],
        verified_by=verified_by,
    )


def _one_of(names: type[Name], name: str, where: str) -> Name:
    try:
        return names(name)
    except ValueError:
        raise ValueError(f"{where} must be one of {', '.join(names)}") from None


CATALOGUE = read_catalogue(data_text("codes.csv"))
