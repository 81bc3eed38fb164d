"""Where the rows of each write of a plan go, and what stands in the columns that a plan does not name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from carebus_contracts.errors import UnsupportedContract
from carebus_loader.adapters.openemr.schema import TABLES


@dataclass(frozen=True, slots=True)
class Parent:
    """A row that others refer to by its uuid."""

    table: str
    key: str = "id"
    """The column whose number a reference becomes."""


@dataclass(frozen=True, slots=True)
class Form:
    """The row of ``forms`` by which an encounter shows a row."""

    name: str
    """SQL; ``t`` is the row."""
    folder: str
    """``formdir``."""
    date: str = "date"
    """Column of the row."""
    encounter: str | None = "encounter"
    """Column of the row; None where only the link says it."""
    provider: str = ""
    """Column of the row; "" for the provider of the settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One table that takes rows of a plan.

    SQL in here may name a column of the plan in braces, and the session's ``@carebus_*``.
    """

    table: str
    key: str = "id"
    """Column of the row's own number."""
    patient: str = "pid"
    """Column of the patient's number; "" where only the parent says it."""
    refers: str = ""
    """Column of the plan that holds an encounter's uuid."""
    linked: bool = False
    """Whether that reference becomes a row of issue_encounter or of forms, and no column."""
    nowhere: int | None = None
    """What stands for an encounter that is not there."""
    parents: Mapping[str, Parent] = field(default_factory=dict)
    """Columns of the plan that hold uuids of other rows."""
    numbered: bool = False
    """Whether each row gets an encounter number of its own."""
    in_order: bool = False
    """Whether each row is a line of its order, and gets a number among these."""
    also: tuple[Place, ...] = ()
    """Tables that the same rows go to; a column belongs to each table that has it."""
    form: Form | None = None
    once: Mapping[str, str] = field(default_factory=dict)
    """Columns that are set when a row is made and then left to OpenEMR."""
    always: Mapping[str, str] = field(default_factory=dict)
    """Columns that are set whenever a row is written; they bring back one that was taken away."""
    away: Mapping[str, str] = field(default_factory=dict)
    """Columns that mark a row as taken away: nothing is deleted in OpenEMR."""
    in_step: tuple[str, ...] = ()
    """Columns that OpenEMR changes with rows of other tables: no edit of this row."""
    stands: str = "TRUE"
    """SQL that tells whether row ``t``, and what we derived from it, is still there as we left it."""


_PROVIDER = "NULLIF(@carebus_provider, 0)"


def _shown(folder: str) -> str:
    """Return SQL that tells whether row ``t`` has its form."""
    return (
        "EXISTS (SELECT 1 FROM forms f FORCE INDEX (form_id) WHERE f.form_id = t.id AND f.pid = t.pid "
        f"AND f.formdir = '{folder}' AND f.deleted = 0)"
    )


ENCOUNTERS = Place(
    "form_encounter",
    numbered=True,
    form=Form("'New Patient Encounter'", "newpatient", provider="provider_id"),
    once={
        "facility": "@carebus_facility_name",
        "facility_id": "@carebus_facility",
        "billing_facility": "@carebus_facility",
        "provider_id": "@carebus_provider",
    },
    stands=_shown("newpatient"),
)
LISTS = Place(
    "lists",
    refers="encounter",
    linked=True,
    once={"date": "NOW()", "user": "@carebus_user", "groupname": "'Default'"},
    always={"activity": "1"},
    away={"activity": "0", "verification": "'entered-in-error'"},
    stands="t.activity = 1",
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
    stands=(
        "t.active = 1 AND EXISTS (SELECT 1 FROM lists l FORCE INDEX (uuid) "
        "WHERE l.uuid = UNHEX(CONCAT(LEFT(HEX(t.uuid), 31), '1')) AND l.activity = 1 AND l.title = t.drug "
        "AND l.begdate <=> t.start_date AND l.enddate <=> t.end_date)"
    ),
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
    stands="t.added_erroneously = 0",
)
HISTORY = Place("history_data", once={"created_by": _PROVIDER}, away={"tobacco": "''"})

VITALS = Place(
    "form_vitals",
    refers="encounter",
    linked=True,
    nowhere=0,
    form=Form("'Vitals'", "vitals", encounter=None),
    once={"user": "@carebus_user", "groupname": "'Default'"},
    always={"authorized": "1", "activity": "1"},
    away={"activity": "0"},
    stands=f"t.activity = 1 AND {_shown('vitals')}",
)
ORDERS = Place(
    "procedure_order",
    key="procedure_order_id",
    patient="patient_id",
    refers="encounter_id",
    nowhere=0,
    form=Form(
        "IF(t.procedure_order_type = 'procedure', 'Procedure', 'Results')",
        "procedure_order",
        date="date_ordered",
        encounter="encounter_id",
        provider="provider_id",
    ),
    once={
        "provider_id": "@carebus_provider",
        "lab_id": "@carebus_lab",
        "order_priority": "'normal'",
        "history_order": "'1'",
        "order_intent": "'order'",
    },
    always={"activity": "1", "order_status": "'complete'", "date_collected": "{date_ordered}"},
    away={"activity": "0"},
    stands="t.activity = 1",
)
ORDER_LINES = Place(
    "procedure_order_code",
    patient="",
    once={"procedure_source": "'1'"},
    always={"procedure_order_title": "{procedure_type}"},
)
REPORTS = Place(
    "procedure_report",
    key="procedure_report_id",
    patient="",
    parents={"procedure_order_id": Parent("procedure_order", "procedure_order_id")},
    in_order=True,
    also=(ORDER_LINES,),
    once={"source": "@carebus_provider"},
    always={"date_collected": "{date_report}", "report_status": "'final'", "review_status": "'reviewed'"},
    away={"report_status": "'error'"},
    stands="t.report_status <> 'error'",
)
RESULTS = Place(
    "procedure_result",
    key="procedure_result_id",
    patient="",
    parents={"procedure_report_id": Parent("procedure_report", "procedure_report_id")},
    always={"result_status": "'final'"},
    away={"result_status": "'error'"},
    stands="t.result_status <> 'error'",
)

DOCUMENTS = Place(
    "documents",
    patient="foreign_id",
    # Who moves a document to another patient in OpenEMR leaves its file where it is.
    stands="t.deleted = 0 AND SUBSTRING_INDEX(SUBSTRING_INDEX(t.url, '/', -2), '/', 1) = t.foreign_id",
)
USERS = Place(
    "users",
    patient="",
    # Without a row in users_secure nobody logs in by it.
    once={"fname": "''", "authorized": "1", "abook_type": "'external_provider'"},
    always={"active": "1"},
    away={"active": "0"},
    in_step=("facility",),
    stands="t.active = 1",
)
FACILITIES = Place(
    "facility",
    patient="",
    # OMOP does not say who sends the bills.
    once={"service_location": "1", "billing_location": "0", "primary_business_entity": "0"},
    always={"inactive": "0"},
    away={"inactive": "1"},
    stands="t.inactive = 0",
)
SHARED: Mapping[str, Place] = {place.table: place for place in (FACILITIES, USERS)}
"""Tables of rows that belong to no person (``shared_rows``)."""
NEW_COLUMNS = {USERS.table: ("uuid", "username"), FACILITIES.table: ("uuid",)}
"""Their columns of a plan that are set when a row is made and then stay."""
KEPT_COLUMNS = {
    USERS.table: (
        "lname",
        "npi",
        "federaldrugid",
        "specialty",
        "taxonomy",
        "facility_id",
        "facility",
        "organization",
    ),
    FACILITIES.table: ("name", "street", "city", "state", "postal_code", "country_code", "pos_code"),
}
"""Those that follow the source. No others are written: by some of ``users`` one could log in."""

PLACES: Mapping[str, Place] = {
    "documents": DOCUMENTS,
    "form_encounter": ENCOUNTERS,
    "form_encounter.measurement": ENCOUNTERS,
    "form_vitals.measurement": VITALS,
    "lists.condition_occurrence": LISTS,
    "lists.device_exposure": LISTS,
    "lists.observation": LISTS,
    "lists.procedure_occurrence": LISTS,
    "history_data": HISTORY,
    "prescriptions": PRESCRIPTIONS,
    "immunizations": IMMUNIZATIONS,
    "procedure_order.measurement": ORDERS,
    "procedure_order.observation": ORDERS,
    "procedure_order.procedure_occurrence": ORDERS,
    "procedure_report.measurement": REPORTS,
    "procedure_report.observation": REPORTS,
    "procedure_report.procedure_occurrence": REPORTS,
    "procedure_result.measurement": RESULTS,
    "procedure_result.observation": RESULTS,
}
"""By write of a plan; ``patient_data`` and ``patient_data.death`` have ways of their own (``charts``), and so
have ``documents`` (``filing``)."""
TARGETS = (
    ENCOUNTERS,
    LISTS,
    ORDERS,
    PRESCRIPTIONS,
    REPORTS,
    IMMUNIZATIONS,
    RESULTS,
    HISTORY,
    VITALS,
)
"""In the order of writing: a row comes after those that it refers to."""
FILLED = tuple(filled for place in TARGETS for filled in (place, *place.also))
"""Every place of which rows of a plan come to stand."""


def place_of(write: str) -> Place:
    """Return the place of a write.

    Raises:
        UnsupportedContract: This version knows none.
    """
    if (place := PLACES.get(write) or SHARED.get(write)) is None:
        raise UnsupportedContract(f"plans write {write}, which this loader does not know: upgrade it")
    return place


def is_of(write: str, place: Place) -> bool:
    """Return whether a write goes to a place."""
    return PLACES.get(write) is place


@lru_cache(maxsize=256)
def check_rows(place: Place, columns: tuple[str, ...]) -> None:
    """Refuse columns of a place that we know nothing of.

    Raises:
        UnsupportedContract: There is one.
    """
    more = [c for other in place.also for c in TABLES[other.table].columns]
    check_columns(place.table, columns, [place.refers, *more])


def has(place: Place, column: str) -> bool:
    """Return whether the place's own table has a column."""
    return column in TABLES[place.table].columns


def check_columns(table: str, columns: tuple[str, ...], also: Iterable[str] = ()) -> None:
    """Refuse columns that we know nothing of: names go into SQL.

    Args:
        table: Where rows go.
        columns: As the plan names them.
        also: What else it may name.

    Raises:
        UnsupportedContract: There is one.
    """
    known = {*TABLES[table].columns, *also}
    if unknown := [c for c in columns if c not in known]:
        raise UnsupportedContract(
            f"plans write {table}.{unknown[0]}, which this loader does not know: upgrade it"
            if unknown[0].isidentifier()
            else f"plans write a column of {table} that this loader does not know: upgrade it"
        )
    if columns and columns[0] != "uuid":
        raise UnsupportedContract(f"rows of {table} do not begin with their uuid")
