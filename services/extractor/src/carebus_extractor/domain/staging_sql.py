"""SQL that brings a source's rows into the shape of CDM 5.4, sorted, faults marked and nothing lost.

A staged table has all columns of CDM 5.4 (COST also ``person_id``), ``_fault`` (why the row travels in
no bundle, or NULL) and ``_odd`` (a cell could not be read).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carebus_contracts.omop.catalog import PERSON_TABLES, TableSpec
from carebus_extractor.domain.casts import Cell, cell, kind_of, missing_cell, unreadable
from carebus_extractor.domain.columns import ALL_TABLES, NUMBERED_BY_US

MALFORMED = "malformed"
NO_PERSON_ID = "no_person_id"
ORPHAN = "orphan"
AMBIGUOUS_EVENT = "ambiguous_event"
DUPLICATE_PERSON = "duplicate_person"

COST_EVENTS: Mapping[str, str] = {
    "condition": "condition_occurrence",
    "device": "device_exposure",
    "drug": "drug_exposure",
    "measurement": "measurement",
    "note": "note",
    "observation": "observation",
    "procedure": "procedure_occurrence",
    "specimen": "specimen",
    "visit": "visit_occurrence",
    "visit_detail": "visit_detail",
    "payer_plan_period": "payer_plan_period",
}
"""cost_domain_id (lower case, blanks as underscores) to the table that cost_event_id points into."""


@dataclass(frozen=True, slots=True)
class RawPart:
    """One file or table of a source, as the engine can read it."""

    relation: str
    """SQL after FROM; its fields are called r0, r1, ..."""
    types: tuple[str, ...]
    """Type of each field as the engine names it."""
    places: Mapping[str, int]
    """Column of CDM 5.4 to number of the field."""


def staged_select(table: str, parts: Sequence[RawPart]) -> str:
    """Return the SELECT of a table's rows in the shape of the stage, in no order."""
    return " UNION ALL ".join(f"({_part_select(ALL_TABLES[table], part)})" for part in parts)


def _part_select(spec: TableSpec, part: RawPart) -> str:
    cells: dict[str, Cell] = {}
    for column, annotation in spec.types.items():
        kind = kind_of(annotation)
        place = part.places.get(column)
        cells[column] = missing_cell(kind) if place is None else cell(kind, f"r{place}", part.types[place])
    if spec.name == NUMBERED_BY_US and spec.key[0] not in part.places:
        cells[spec.key[0]] = Cell("CAST(0 AS BIGINT)", "false")
    # the engine lets a later expression use an earlier one by its name
    values = [f"{c.value} AS {column}" for column, c in cells.items()]
    return (
        f"SELECT {', '.join(values)}, {_fault(spec, cells)} AS _fault, "
        f"({unreadable(cells)}) AS _odd FROM {part.relation}"
    )


def _fault(spec: TableSpec, cells: Mapping[str, Cell]) -> str:
    keyless = " OR ".join(f"{column} IS NULL" for column in spec.key)
    if "person_id" not in spec.columns:
        return f"CASE WHEN {keyless} THEN '{MALFORMED}' END"
    return (
        f"CASE WHEN person_id IS NULL AND NOT ({cells['person_id'].given}) THEN '{NO_PERSON_ID}' "
        f"WHEN person_id IS NULL OR {keyless} THEN '{MALFORMED}' END"
    )


def staged_order(table: str) -> str:
    """Return the ORDER BY of a staged table; rows with equal keys are put in order when they are read."""
    spec = ALL_TABLES[table]
    if table not in PERSON_TABLES:
        return ", ".join(spec.columns if table == NUMBERED_BY_US else spec.key)
    return ", ".join(dict.fromkeys(("person_id", *spec.key)))


def numbered_select(relation: str) -> str:
    """Return METADATA with its rows numbered by content, where the source gives them no key."""
    spec = ALL_TABLES[NUMBERED_BY_US]
    rest = ", ".join(spec.columns[1:])
    return (
        f"SELECT CASE WHEN {spec.key[0]} = 0 THEN row_number() OVER (ORDER BY {rest}) "
        f"ELSE {spec.key[0]} END AS {spec.key[0]}, {rest}, _fault, _odd FROM {relation}"
    )


def cost_select(cost: str, events: Mapping[str, str]) -> str:
    """Return COST with the person of the event that each row points at.

    Args:
        cost: Relation of the rows in the shape of the stage, still without a person.
        events: Relation of each staged table that the source has.
    """
    owners = [
        f"SELECT '{domain}' AS domain, {table}_id AS event, min(person_id) AS person_id, "
        f"min(person_id) <> max(person_id) AS ambiguous FROM {events[table]} "
        f"WHERE _fault IS NULL AND {table}_id IN (SELECT cost_event_id FROM {cost}) GROUP BY 2"
        for domain, table in COST_EVENTS.items()
        if table in events
    ]
    none = (
        "SELECT NULL::VARCHAR AS domain, NULL::BIGINT AS event, NULL::BIGINT AS person_id, false AS ambiguous"
    )
    names = " ".join(f"WHEN '{table}' THEN '{domain}'" for domain, table in COST_EVENTS.items())
    word = "replace(lower(trim(c.cost_domain_id)), ' ', '_')"
    return (
        f"SELECT CASE WHEN o.ambiguous THEN NULL ELSE o.person_id END AS person_id, "
        f"c.* EXCLUDE (_fault, _odd), coalesce(c._fault, CASE WHEN o.event IS NULL THEN '{ORPHAN}' "
        f"WHEN o.ambiguous THEN '{AMBIGUOUS_EVENT}' END) AS _fault, c._odd "
        f"FROM {cost} c LEFT JOIN ({' UNION ALL '.join(owners) or none}) o "
        f"ON o.domain = CASE {word} {names} ELSE {word} END AND o.event = c.cost_event_id"
    )


def weights_select(relations: Mapping[str, str]) -> str:
    """Return (person_id, rows, size) of each person that PERSON knows, ascending; size in bytes, about."""
    parts = []
    for table, relation in relations.items():
        texts = [c for c, a in PERSON_TABLES[table].types.items() if kind_of(a) is str]
        text = " + ".join(f"coalesce(strlen({c}), 0)" for c in texts) or "0"
        width = 6 * len(PERSON_TABLES[table].columns)
        parts.append(
            f"SELECT person_id, count(*) AS n, sum({width} + {text}) AS size "
            f"FROM {relation} WHERE _fault IS NULL GROUP BY 1"
        )
    return (
        "SELECT person_id, CAST(sum(n) AS BIGINT) AS rows, CAST(sum(size) AS BIGINT) AS size "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY 1 HAVING person_id IN "
        f"(SELECT person_id FROM {relations['person']} WHERE _fault IS NULL) ORDER BY 1"
    )
