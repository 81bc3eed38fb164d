"""Which CDM table a file or table holds, by a name that may be prefixed, plural, numbered or shouted."""

from __future__ import annotations

import re
from typing import NamedTuple

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES

NOT_CARRIED = (
    "attribute_definition",
    "cohort",
    "cohort_attribute",
    "cohort_definition",
    "episode_event",
    "fact_relationship",
    "note_nlp",
)
"""Tables of the CDM that carebus does not carry; they are named, with their rows, in the notes of a plan."""

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt", ".psv", ".tab")
COMPRESSED_SUFFIXES = (".gz", ".bz2")
PARQUET_SUFFIXES = (".parquet", ".pq")

_PREFIXES = ("omop_cdm_", "omopcdm_", "cdm_", "omop_")
_PART = re.compile(r"^(?P<name>.+?)[-_.]?(?:part)?[-_.]?\d+(?:[-_]of[-_]\d+)?$")


class NamedTable(NamedTuple):
    """What a name says."""

    table: str
    part: bool
    """The name is numbered: the table comes in several files."""


def _singular(name: str) -> str:
    return "_".join(word.rstrip("s") for word in name.split("_"))


_BY_SINGULAR = {_singular(name): name for name in (*PERSON_TABLES, *REFERENCE_TABLES, *NOT_CARRIED)}


def table_named(name: str) -> NamedTable | None:
    """Return the table that a name without folder and suffix stands for, or None.

    ``PERSON``, ``cdm_person``, ``DEVICES_EXPOSURE``, ``public.person``, ``person_003`` and
    ``person-00001-of-00004`` are understood.
    """
    plain = name.strip().lower().replace(" ", "_").rpartition(".")[2] or name.lower()
    if table := _table(plain):
        return NamedTable(table, part=False)
    if (match := _PART.match(plain)) and (table := _table(match["name"])):
        return NamedTable(table, part=True)
    return None


def stem_of(file_name: str, suffixes: tuple[str, ...]) -> str | None:
    """Return the name without its suffixes, or None for a file of another kind."""
    name = file_name.lower()
    if suffixes is DELIMITED_SUFFIXES:
        for packed in COMPRESSED_SUFFIXES:
            name = name.removesuffix(packed)
    for suffix in suffixes:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return None


def _table(name: str) -> str | None:
    if found := _BY_SINGULAR.get(_singular(name)):
        return found
    for prefix in _PREFIXES:
        if name.startswith(prefix) and (found := _BY_SINGULAR.get(_singular(name.removeprefix(prefix)))):
            return found
    return None
