"""What OMOP rows of a data set have in common: places, labels, concepts, ids; made once for each job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from carebus_generator.domain.catalogue import CATALOGUE, Catalogue, Code
from carebus_generator.domain.omop.columns import Labels

SOURCE_VALUE_CHARS = 50
"""Width of the ``*_source_value`` columns of CDM 5.4."""

EHR = 32817
"""Type of all records: OMOP's "EHR"."""

UNITS: Mapping[int, tuple[str, str]] = {
    8504: ("g", "gram"),
    8541: ("/min", "per minute"),
    8554: ("%", "percent"),
    8576: ("mg", "milligram"),
    8582: ("cm", "centimeter"),
    8587: ("mL", "milliliter"),
    8713: ("g/dL", "gram per deciliter"),
    8753: ("mmol/L", "millimole per liter"),
    8840: ("mg/dL", "milligram per deciliter"),
    8848: ("10*3/uL", "thousand per microliter"),
    8876: ("mm[Hg]", "millimeter mercury column"),
    9529: ("kg", "kilogram"),
    9655: ("ug", "microgram"),
    586323: ("Cel", "degree Celsius"),
}
"""Concepts of units: UCUM code and OMOP's name."""

NO_CONCEPT = (0, "No matching concept", "None", "No matching concept", "Metadata", None)


@dataclass(frozen=True, slots=True)
class Site:
    """A facility of the scenario."""

    name: str
    role: int
    """1 to 4."""
    front: int
    """Row of the fronts; NONE where it serves all."""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Surroundings:
    """All that rows are named by, besides the patients themselves."""

    source: str
    """Slug of the data set as a source of records."""
    base_date: date
    first_person_id: int
    """Person id of the patient with index 0."""
    nations: tuple[str, ...]
    """ISO 3166 alpha-3, in the order of the reference data."""
    fronts: tuple[str, ...]
    sites: tuple[Site, ...]
    warfare: tuple[str, ...]
    specials: tuple[str, ...]
    blood_groups: tuple[str, ...]
    environments: tuple[tuple[str, ...], ...]
    """Conditions of each front."""
    posture: str
    mark: str = "SYNTHETIC"
    """In service numbers: keeps the patients of two data sets apart."""
    title: str = "Synthetic casualties"
    description: str = ""
    last_day: int = 0
    """Days after the base date on which the observed time ends at the latest: the release date."""
    catalogue: Catalogue = field(default=CATALOGUE)

    @cached_property
    def source_values(self) -> Labels:
        """What rows say of their code: ``VOCABULARY:code``, and in words where no concept names it."""
        return Labels([source_value(code) for code in self.catalogue.codes])

    @cached_property
    def concept_ids(self) -> Labels:
        """Concept of each code, or 0."""
        return Labels([code.concept_id for code in self.catalogue.codes])

    @cached_property
    def units(self) -> Labels:
        """Unit of each code, or null."""
        return Labels([code.unit or None for code in self.catalogue.codes])

    @cached_property
    def unit_concept_ids(self) -> Labels:
        """Concept of each code's unit: null without a unit, 0 where OMOP has none."""
        return Labels([code.unit_concept_id if code.unit else None for code in self.catalogue.codes])

    @cached_property
    def routes(self) -> Labels:
        """Route of each drug."""
        return Labels([code.route or None for code in self.catalogue.codes])

    @cached_property
    def concepts(self) -> Concepts:
        """The concepts that rows may carry."""
        return Concepts(self.catalogue.codes)


class Concepts:
    """The concepts of a catalogue and of its units, ascending by id."""

    def __init__(self, codes: Sequence[Code]) -> None:
        rows: dict[int, tuple[int, str | None, str, str, str, str | None]] = {0: NO_CONCEPT}
        for code in codes:
            if code.concept_id:
                rows[code.concept_id] = (
                    code.concept_id, code.code or None, code.vocabulary, code.name, str(code.domain), "S",
                )  # fmt: skip
            if code.unit_concept_id:
                ucum, name = UNITS[code.unit_concept_id]
                rows[code.unit_concept_id] = (code.unit_concept_id, ucum, "UCUM", name, "Unit", "S")
        self.rows = tuple(rows[concept_id] for concept_id in sorted(rows))
        """In the order of ``ConceptInUse``."""
        self.place = {row[0]: place for place, row in enumerate(self.rows)}
        """Place of a concept id in ``rows``."""


def source_value(code: Code) -> str:
    """Return what a row says of its code, so that it can be mapped by whoever has more vocabulary."""
    text = code.code if code.vocabulary == "MIL" else f"{code.vocabulary}:{code.code}"
    if not code.concept_id and code.vocabulary != "MIL":
        text += f" {code.name}"
    return text[:SOURCE_VALUE_CHARS].rstrip()
