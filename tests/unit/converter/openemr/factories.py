"""Bundles of one person by hand, and the rows that plans have for them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from carebus_contracts.omop.bundle import PersonRecords, decode_person, encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.plans import encode_plan, read_plan
from carebus_converter.domain.openemr import OpenEmrSettings, PlanParts

SETTINGS = OpenEmrSettings()
CONCEPTS = {
    201826: ("44054006", "SNOMED", "Type 2 diabetes mellitus"),
    45552385: ("E11.9", "ICD10CM", "Type 2 diabetes mellitus without complications"),
    4304110: ("419474003", "SNOMED", "Allergy to mold"),
    4084167: ("241929008", "SNOMED", "Acute allergic reaction"),
    40213160: ("10", "CVX", "poliovirus vaccine, inactivated"),
    1127078: ("282464", "RxNorm", "acetaminophen 160 MG Oral Tablet"),
    4132161: ("26643006", "SNOMED", "Oral"),
    43054909: ("72166-2", "LOINC", "Tobacco smoking status"),
    4310250: ("8517006", "SNOMED", "Ex-smoker"),
    4144272: ("266919005", "SNOMED", "Never smoked tobacco"),
    3025315: ("29463-7", "LOINC", "Body weight"),
    3036277: ("8302-2", "LOINC", "Body height"),
    3006322: ("8331-1", "LOINC", "Oral temperature"),
    3004249: ("8480-6", "LOINC", "Systolic blood pressure"),
    3012888: ("8462-4", "LOINC", "Diastolic blood pressure"),
    3027018: ("8867-4", "LOINC", "Heart rate"),
    3001122: ("2276-4", "LOINC", "Ferritin [Mass/volume] in Serum or Plasma"),
    4121121: ("117015009", "SNOMED", "Throat culture"),
    4171756: ("276136004", "SNOMED", "<"),
    4181412: ("52101004", "SNOMED", "Present"),
    9529: ("kg", "UCUM", "kilogram"),
    8582: ("cm", "UCUM", "centimeter"),
    586323: ("[degC]", "UCUM", "degree Celsius"),
    8876: ("mm[Hg]", "UCUM", "millimeter mercury column"),
    8842: ("ng/mL", "UCUM", "nanogram per milliliter"),
    4295880: ("73761001", "SNOMED", "Colonoscopy"),
    2106281: ("45378", "CPT4", "Colonoscopy, flexible; diagnostic"),
    4138762: ("72506001", "SNOMED", "Implantable defibrillator"),
    2000000161: ("1" * 26, "RxNorm", "a drug whose code is none"),
    4297090: ("84489001", "SNOMED", "Mold"),
    439224: ("416098002", "SNOMED", "Drug allergy"),
    4188539: ("373066001", "SNOMED", "Yes"),
    4188540: ("373067005", "SNOMED", "No"),
    4298794: ("77176002", "SNOMED", "Smoker"),
    4203722: ("428251008", "SNOMED", "History of appendectomy"),
    38004446: ("01", "Medicare Specialty", "General Practice"),
    38003660: ("207R00000X", "NUCC", "Internal Medicine"),
    8977: ("22", "CMS Place of Service", "On Campus-Outpatient Hospital"),
    42046186: ("US", "OSM", "United States of America"),
}


def a_row(table: str, **cells: Any) -> list[Any]:
    spec = (PERSON_TABLES | REFERENCE_TABLES)[table]
    return [{spec.key[0]: 1, "person_id": 7, **cells}.get(column) for column in spec.columns]


def a_bundle(
    *,
    source: str = "lab",
    person_id: int = 7,
    covers: Sequence[str] | None = None,
    seed: int | None = None,
    refers: Mapping[str, list[list[Any]]] | None = None,
    **tables: list[list[Any]],
) -> PersonRecords:
    """A bundle with a person, unless it says otherwise; ``seed`` shuffles rows and concepts."""
    rows = {"person": [a_row("person", person_id=person_id, year_of_birth=1958)], **tables}
    concepts = [[i, c, v, n, None, None] for i, (c, v, n) in CONCEPTS.items()]
    if seed is not None:
        for some in (*rows.values(), concepts):
            random.Random(seed).shuffle(some)
    return decode_person(
        encode_person(
            source=source,
            person_id=person_id,
            cdm_version="5.4",
            covers=list(PERSON_TABLES if covers is None else covers),
            tables={name: orjson.dumps(some) for name, some in rows.items()},
            concepts=[orjson.dumps(concept) for concept in concepts],
            refers={name: [orjson.dumps(row) for row in some] for name, some in (refers or {}).items()},
        )
    )


def rows_of(parts: PlanParts, write: str) -> list[dict[str, Any]]:
    read = read_plan(encode_plan(target="openemr", source="lab", subject="person/7", writes=parts.writes))
    (found,) = (w for w in read.writes if w.table == write)
    return [dict(zip(found.columns, row, strict=True)) for row in found.records()]


def without_uuid(row: dict[str, Any]) -> dict[str, Any]:
    return {column: cell for column, cell in row.items() if column != "uuid"}
