"""Plans of one person with texts, written by hand from the wire format."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan

OBSERVATION = ("record_copy", *PERSON_TABLES["observation"].columns)
PERSON = ("record_copy", *PERSON_TABLES["person"].columns)


def person_plan(source: str, person_id: int, texts: Sequence[str | None], **cells: object) -> ReadPlan:
    """Texts become observations; equal ones are copies of one record, as real data have them."""
    rows = []
    for number, text in enumerate(texts):
        named = {
            "record_copy": texts[:number].count(text),
            "observation_id": len(set(texts[: texts.index(text)])) + 1,
            "person_id": person_id,
            "observation_concept_id": 0,
            "observation_date": "1999-12-31",
            "observation_datetime": "1850-01-02T03:04:05.678900",
            "value_as_number": 1.5,
            "value_as_string": text,
            **cells,
        }
        rows.append(orjson.dumps([named.get(column) for column in OBSERVATION]))
    person = {"record_copy": 0, "person_id": person_id, "year_of_birth": 1900}
    lines = [orjson.dumps([person.get(column) for column in PERSON])] if texts else []
    writes = [encode_write("person", PERSON, lines), encode_write("observation", OBSERVATION, sorted(rows))]
    return read_plan(encode_plan(target="any", source=source, subject=f"person/{person_id}", writes=writes))


def retired_plan(source: str, person_id: int) -> ReadPlan:
    """Return the plan that retires a person."""
    writes = [
        b'{"kind":"tombstone","table":"%b","hash":"","count":0}' % table.encode() for table in PERSON_TABLES
    ]
    return read_plan(encode_plan(target="any", source=source, subject=f"person/{person_id}", writes=writes))
