"""SQL for persons' names out of a table of the source, which need be no table of the CDM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carebus_contracts.errors import JobError
from carebus_contracts.names import NameColumns
from carebus_extractor.domain.casts import cell
from carebus_extractor.domain.columns import clean_name, shortened
from carebus_extractor.domain.table_names import table_named

NAMES = "_names"
"""Name of the relation in a stage: (person_id, name, nameless), one row a person."""


@dataclass(frozen=True, slots=True)
class NamesPart:
    """One file or table with names."""

    relation: str
    """SQL after FROM; its fields are called r0, r1, ..."""
    types: tuple[str, ...]
    """Type of each field as the engine names it."""
    places: Mapping[str, int]
    """``person_id`` and each wanted field of ``GivenName`` to number of the field."""


def is_named(name: str, wanted: str) -> bool:
    """Whether a file or table, without folder and suffix, is the one that a job calls ``wanted``.

    A table of the CDM goes by all the names that it may have in a source; others by their own only.
    """
    there, asked = table_named(name), table_named(wanted)
    if asked is not None and not asked.part:
        return there is not None and there.table == asked.table
    return clean_name(name) == wanted.lower()


def no_such_table(wanted: str, found: Sequence[str]) -> JobError:
    """Return the error of a table that is not there."""
    return JobError(
        f"names.table: the source has no {wanted}; it has {shortened(sorted(found)) or 'nothing'}"
    )


def places_of_names(names: NameColumns, where: str, fields: Sequence[str | None]) -> dict[str, int]:
    """Find the wanted columns among the fields of a table; capitals do not count.

    Raises:
        JobError: One is not there; the sentence names it.
    """
    numbers: dict[str, int] = {}
    for number, field in enumerate(fields):
        numbers.setdefault(clean_name(field or ""), number)
    there = shortened([name for name in numbers if name]) or "no header"
    if "person_id" not in numbers:
        raise JobError(f"names.table: {where} has no column person_id; it has {there}")
    places = {"person_id": numbers["person_id"]}
    for what, column in names.columns.items():
        if clean_name(column) not in numbers:
            raise JobError(f"names.{what}: {where} has no column {column}; it has {there}")
        places[what] = numbers[clean_name(column)]
    return places


def names_select(parts: Sequence[NamesPart]) -> str:
    """Return (person_id, name, nameless) of each person, ascending.

    ``name`` is the text of a ``GivenName``; of several rows of a person one with a name, and of those the
    first by content.
    """
    rows = " UNION ALL ".join(_rows(part) for part in parts)
    return (
        "SELECT DISTINCT ON (person_id) person_id, name, nameless FROM "
        f"({rows}) WHERE person_id IS NOT NULL ORDER BY person_id, nameless, name"
    )


def _rows(part: NamesPart) -> str:
    def value(what: str, kind: type) -> str:
        place = part.places[what]
        return cell(kind, f"r{place}", part.types[place]).value

    texts = {what: f"nullif(trim({value(what, str)}), '')" for what in part.places if what != "person_id"}
    pairs = ", ".join(f"'{what}', {what}" for what in texts)
    return (
        f"SELECT person_id, CAST(json_object({pairs}) AS VARCHAR) AS name, "
        "given IS NULL AND family IS NULL AS nameless FROM "
        f"(SELECT {value('person_id', int)} AS person_id, "
        f"{', '.join(f'{sql} AS {what}' for what, sql in texts.items())} FROM {part.relation})"
    )


def nameless_sql(persons: str, names: str) -> str:
    """Return the number of persons without a name.

    Args:
        persons: SELECT of their person_id.
        names: Relation of the names.
    """
    named = f"SELECT person_id FROM {names} WHERE NOT nameless"
    return f"SELECT count(*) FROM ({persons}) WHERE person_id NOT IN ({named})"
