"""Where the rows of each write of a plan go, and what stands in the columns that a plan does not name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from carebus_contracts.errors import UnsupportedContract
from carebus_loader.adapters.openemr.schema import TABLES


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One table that takes rows of a plan.

    SQL in here may name a column of the plan in braces, and the session's ``@carebus_*``.
    """

    table: str
    patient: str = "pid"
    """Column of the patient's number."""
    refers: str = ""
    """Column of the plan that holds an encounter's uuid."""
    linked: bool = False
    """Whether that reference becomes a row of issue_encounter and no column."""
    numbered: bool = False
    """Whether each row gets an encounter number of its own."""
    once: Mapping[str, str] = field(default_factory=dict)
    """Columns that are set when a row is made and then left to OpenEMR."""
    always: Mapping[str, str] = field(default_factory=dict)
    """Columns that are set whenever a row is written; they bring back one that was taken away."""
    away: Mapping[str, str] = field(default_factory=dict)
    """Columns that mark a row as taken away: nothing is deleted in OpenEMR."""


_PROVIDER = "NULLIF(@carebus_provider, 0)"

ENCOUNTERS = Place(
    "form_encounter",
    numbered=True,
    once={
        "facility": "@carebus_facility_name",
        "facility_id": "@carebus_facility",
        "billing_facility": "@carebus_facility",
        "provider_id": "@carebus_provider",
    },
)
LISTS = Place(
    "lists",
    refers="encounter",
    linked=True,
    once={"date": "NOW()", "user": "@carebus_user", "groupname": "'Default'"},
    always={"activity": "1"},
    away={"activity": "0", "verification": "'entered-in-error'"},
)
PRESCRIPTIONS = Place(
    "prescriptions",
    patient="patient_id",
    refers="encounter",
    once={
        "provider_id": _PROVIDER,
        "user": "@carebus_user",
        "medication": "1",
        "usage_category": "'community'",
        "usage_category_title": "'Home/Community'",
        "request_intent": "'order'",
        "request_intent_title": "'Order'",
        "created_by": _PROVIDER,
        "updated_by": _PROVIDER,
    },
    always={
        "active": "1",
        "date_modified": "{date_added}",
        "datetime": "{date_added}",
        "txDate": "{start_date}",
    },
    away={"active": "0"},
)
IMMUNIZATIONS = Place(
    "immunizations",
    patient="patient_id",
    refers="encounter_id",
    once={
        "immunization_id": "0",
        "administered_by_id": _PROVIDER,
        "create_date": "NOW()",
        "created_by": _PROVIDER,
        "updated_by": _PROVIDER,
        "information_source": "'hist_inf_src_unspecified'",
    },
    always={"update_date": "NOW()", "added_erroneously": "0", "completion_status": "'Completed'"},
    away={"added_erroneously": "1"},
)
HISTORY = Place("history_data", once={"created_by": _PROVIDER}, away={"tobacco": "''"})

PLACES: Mapping[str, Place] = {
    "form_encounter": ENCOUNTERS,
    "lists.condition_occurrence": LISTS,
    "lists.observation": LISTS,
    "history_data": HISTORY,
    "prescriptions": PRESCRIPTIONS,
    "immunizations": IMMUNIZATIONS,
}
"""By write of a plan; ``patient_data`` and ``patient_data.death`` have ways of their own (``charts``)."""
TARGETS = (ENCOUNTERS, LISTS, PRESCRIPTIONS, IMMUNIZATIONS, HISTORY)


def place_of(write: str) -> Place:
    """Return the place of a write.

    Raises:
        UnsupportedContract: This version knows none.
    """
    if (place := PLACES.get(write)) is None:
        raise UnsupportedContract(f"plans write {write}, which this loader does not know: upgrade it")
    return place


def check_columns(table: str, columns: tuple[str, ...], also: str = "") -> None:
    """Refuse columns that we know nothing of: names go into SQL.

    Raises:
        UnsupportedContract: There is one.
    """
    known = TABLES[table].columns
    if unknown := [c for c in columns if c not in known and c != also]:
        raise UnsupportedContract(
            f"plans write {table}.{unknown[0]}, which this loader does not know: upgrade it"
            if unknown[0].isidentifier()
            else f"plans write a column of {table} that this loader does not know: upgrade it"
        )
    if columns and columns[0] != "uuid":
        raise UnsupportedContract(f"rows of {table} do not begin with their uuid")
