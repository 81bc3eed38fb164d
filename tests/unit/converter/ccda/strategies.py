"""Anything that a bundle can hold, however odd."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from hypothesis import strategies as st

from carebus_contracts.omop.bundle import REFERRED_TABLES, ConceptInUse, GivenName
from carebus_contracts.omop.catalog import PERSON_TABLES, TableSpec
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_row

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=60)
"""Every code point, lone surrogates, controls and non-characters too."""

ODD_IDS = (1, 2, 3)
"""Ids of ``odd_concepts``."""

CONCEPT_IDS = st.sampled_from([0, None, 4711, *ODD_IDS, *(concept.concept_id for concept in f.KNOWN)])
CELLS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-3, 3),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: ANY_TEXT,
    date: st.dates(),
}


@st.composite
def rows_of_any_table(draw: st.DrawFn) -> NamedTuple:
    """Draw a row with few ids, so that they repeat, and with anything in its other cells."""
    return draw(_rows_of(PERSON_TABLES[draw(st.sampled_from(sorted(PERSON_TABLES)))]))


@st.composite
def directories(draw: st.DrawFn) -> list[NamedTuple]:
    """Draw a place, a site and a provider with the ids of the full directory, and anything else in them."""
    return [
        draw(_rows_of(REFERRED_TABLES[name]))._replace(**{key: row[0]})
        for row in f.FULL_DIRECTORY
        for name, (key, *_) in ((n, s.columns) for n, s in REFERRED_TABLES.items() if s.row is type(row))
    ]


def given_names() -> st.SearchStrategy[GivenName]:
    """Draw a name of anything."""
    parts = {name: st.none() | ANY_TEXT for name in GivenName.model_fields if name != "synthetic"}
    return st.builds(GivenName.model_construct, synthetic=st.booleans(), **parts)


@st.composite
def _rows_of(draw: st.DrawFn, spec: TableSpec) -> NamedTuple:
    values: dict[str, Any] = {}
    for column, annotation in spec.types.items():
        kinds = [kind for kind in getattr(annotation, "__args__", (annotation,)) if kind is not type(None)]
        if column.endswith("concept_id"):
            values[column] = draw(CONCEPT_IDS)
        elif kinds[0] in CELLS:
            cell = CELLS[kinds[0]]
            values[column] = draw(cell if column in spec.key else st.none() | cell)
        else:
            values[column] = draw(st.none() | st.datetimes() | st.datetimes(timezones=st.timezones()))
    return a_row(spec.row, **values)


@st.composite
def odd_concepts(draw: st.DrawFn) -> list[ConceptInUse]:
    """Draw concepts whose codes and names are any text, of vocabularies that HL7 knows and others."""
    vocabularies = st.sampled_from(["SNOMED", "LOINC", "RxNorm", "CVX", "UCUM", "Our codes"]) | ANY_TEXT
    return [
        ConceptInUse(
            number,
            draw(st.none() | ANY_TEXT),
            draw(st.none() | vocabularies),
            draw(st.none() | ANY_TEXT),
            None,
            None,
        )
        for number in ODD_IDS
    ]
