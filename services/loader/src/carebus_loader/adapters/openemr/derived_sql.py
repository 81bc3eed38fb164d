"""Rows that follow from others: forms, the medication list, links, and uuids known to OpenEMR.

Each statement takes its rows from a clause that names them ``t``: all rows of charts that were made just
now, staged rows that were not there before, or all that were staged. The order
of joins is given, from the few rows that we name to the big tables, and so is the key of each: just after
a first load the server's statistics still hold a table for empty, and it would read all of it for each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from carebus_loader.adapters.openemr.places import (
    FACILITIES,
    LISTS,
    PRESCRIPTIONS,
    TARGETS,
    USERS,
    VITALS,
    Form,
    Place,
)
from carebus_loader.adapters.openemr.row_sql import GONE, LINKS, NEW, staging

MEDICATION_ROW = 1
"""Last digit of the uuid of a prescription's row in ``lists``; the prescription's own is 0."""
LINK_ROW = 2
"""Last digit of the uuid of a diagnosis's row in ``issue_encounter``."""
LOCATION_ROW, SOCIAL_ROW = 1, 2
"""Last digits of the uuids of a patient's two rows in ``uuid_mapping``."""
GROUP_ROW = 2
"""Last digit of the uuid of a provider's second row there; the first is of the location, as a facility's only one."""

VITAL_SIGNS = (
    "85353-1",
    "9279-1",
    "8867-4",
    "2708-6",
    "59408-5",
    "8310-5",
    "8327-9",
    "8302-2",
    "9843-4",
    "29463-7",
    "39156-5",
    "85354-9",
    "8289-1",
    "59576-9",
    "77606-2",
)
"""LOINC codes under which FHIR shows a row of vitals, each by a mapping of its own: the last digits of their
uuids are 1 to f."""

OF_LIST, OF_FORM, OF_TARGET = "lists_medication_list_idx", "form_id", "target_uuid"
"""Keys of lists_medication by list_id, of forms by form_id, and of uuid_mapping by target_uuid."""


def part(uuid: str, digit: int) -> str:
    """Return SQL for the uuid of a row that belongs to another: the same up to the last digit."""
    return f"UNHEX(CONCAT(LEFT(HEX({uuid}), 31), '{digit}'))"


def of_charts(place: Place, pids: Sequence[int]) -> str:
    """Return the clause for all rows of some charts; rows without a patient are found by their parents."""
    charts = ", ".join(map(str, pids))
    if place.patient:
        return f"`{place.table}` t WHERE t.`{place.patient}` IN ({charts})"
    above: list[tuple[str, Place]] = []
    child = place
    while not child.patient:
        ((column, parent),) = child.parents.items()
        above.append((column, child))
        child = next(p for p in TARGETS if p.table == parent.table)
    joined = f"`{child.table}` p{len(above)} FORCE INDEX ({child.patient})"
    for depth in range(len(above) - 1, -1, -1):
        column, under = above[depth]
        name = f"p{depth}" if depth else "t"
        joined += (
            f" STRAIGHT_JOIN `{under.table}` {name} FORCE INDEX ({column}) "
            f"ON {name}.`{column}` = p{depth + 1}.`{column}`"
        )
    return f"{joined} WHERE p{len(above)}.`{child.patient}` IN ({charts})"


def of_staged(place: Place) -> str:
    """Return the clause for the rows that were staged."""
    return f"{staging(place.table)} s STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = s.uuid WHERE TRUE"


def note_new(place: Place) -> str:
    """Return the statement that notes which staged rows are not there yet; to be run before they are put."""
    return (
        f"INSERT INTO {NEW} (uuid) SELECT s.uuid FROM {staging(place.table)} s "
        f"LEFT JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = s.uuid WHERE t.uuid IS NULL"
    )


def of_new(place: Place) -> str:
    """Return the clause for the staged rows that were not there."""
    return f"{NEW} n STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = n.uuid WHERE TRUE"


def register(table: str, rows: str, *, key: str = "id", uuid: str = "t.uuid", mapped: int = 0) -> str:
    """Return the statement that tells OpenEMR of uuids."""
    return (
        "INSERT INTO uuid_registry (uuid, table_name, table_id, mapped, created) "
        f"SELECT {uuid}, '{table}', '{key}', {mapped}, NOW() FROM {rows} "
        "ON DUPLICATE KEY UPDATE table_name = VALUES(table_name)"
    )


def forms(place: Place, form: Form, rows: str, *, fresh: bool = True) -> str:
    """Return the statement that makes encounters show rows; a row of no encounter has nowhere to be shown.

    Args:
        place: The table.
        form: What is shown.
        rows: The clause that names the rows.
        fresh: Whether none is shown yet. Then nothing is looked up in the table that is filled, for which
            the server would keep the rows in a temporary file.
    """
    there = (
        f" AND NOT EXISTS (SELECT 1 FROM forms f FORCE INDEX ({OF_FORM}) "
        f"WHERE f.form_id = t.`{place.key}` AND f.pid = t.`{place.patient}` AND f.formdir = '{form.folder}')"
    )
    return (
        "INSERT INTO forms (date, encounter, form_name, form_id, pid, user, groupname, authorized, deleted, "
        f"formdir, provider_id) SELECT t.`{form.date}`, {_encounter(form)}, {form.name}, t.`{place.key}`, "
        f"t.`{place.patient}`, @carebus_user, 'Default', 1, 0, '{form.folder}', {_provider(form)} "
        f"FROM {rows} AND {_encounter(form)} <> 0{'' if fresh else there}"
    )


def changed_forms(place: Place, form: Form, rows: str) -> str:
    """Return the statement that brings changed rows into forms that are there."""
    tables, _, condition = rows.partition(" WHERE ")
    encounter = _encounter(form)
    return (
        f"UPDATE {tables} STRAIGHT_JOIN forms f FORCE INDEX ({OF_FORM}) "
        f"ON f.form_id = t.`{place.key}` AND f.pid = t.`{place.patient}` AND f.formdir = '{form.folder}' "
        f"SET f.date = t.`{form.date}`, f.encounter = {encounter}, f.deleted = {encounter} = 0"
        f"{f', f.provider_id = {_provider(form)}' if form.provider else ''} "
        f"WHERE {condition}"
    )


def _encounter(form: Form) -> str:
    return f"t.`{form.encounter}`" if form.encounter else "k.encounter"


def _provider(form: Form) -> str:
    return f"COALESCE(t.`{form.provider}`, 0)" if form.provider else "@carebus_provider"


def after_vitals(rows: str) -> Iterator[str]:
    """Yield what follows from vitals: the mappings without which FHIR does not show them."""
    tables, _, condition = rows.partition(" WHERE ")
    codes = " UNION ALL ".join(
        f"SELECT '{digit:x}' AS digit, '{code}' AS code" for digit, code in enumerate(VITAL_SIGNS, start=1)
    )
    yield (
        "INSERT INTO uuid_mapping (uuid, resource, resource_path, `table`, target_uuid, created) "
        "SELECT UNHEX(CONCAT(LEFT(HEX(t.uuid), 31), c.digit)), 'Observation', "
        "CONCAT('category=vital-signs&code=', c.code), 'form_vitals', t.uuid, "
        f"NOW() FROM {tables} STRAIGHT_JOIN ({codes}) c WHERE {condition}"
    )
    yield register_mappings(rows)
    yield register(VITALS.table, rows)


def medication_rows(rows: str, *, fresh: bool = True) -> str:
    """Return the statement that puts the rows of prescriptions in the medication list.

    Args:
        rows: The clause that names the prescriptions.
        fresh: Whether they were not there; otherwise their rows are looked up, which is quicker than to
            put them and fail.
    """
    there = "NULL" if fresh else "l.id"
    if not fresh:
        tables, _, condition = rows.partition(" WHERE ")
        rows = (
            f"{tables} LEFT JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('t.uuid', MEDICATION_ROW)} "
            f"WHERE {condition}"
        )
    return (
        "INSERT INTO lists (id, uuid, date, type, title, begdate, enddate, diagnosis, activity, verification, "
        f"pid, user, groupname, external_id) SELECT {there}, {part('t.uuid', MEDICATION_ROW)}, NOW(), 'medication', "
        "t.drug, t.start_date, t.end_date, COALESCE(CONCAT('RXCUI:', t.rxnorm_drugcode), ''), t.active, '', "
        f"t.patient_id, @carebus_user, 'Default', t.external_id FROM {rows} ON DUPLICATE KEY UPDATE "
        "title = VALUES(title), begdate = VALUES(begdate), enddate = VALUES(enddate), "
        "diagnosis = VALUES(diagnosis), activity = VALUES(activity), verification = VALUES(verification)"
    )


def after_prescriptions(rows: str) -> Iterator[str]:
    """Yield what follows from prescriptions: their rows in the medication list, tied to them.

    Without the tie FHIR shows the drug twice.
    """
    yield medication_rows(rows)
    yield (
        "INSERT INTO lists_medication (list_id, drug_dosage_instructions, usage_category, "
        "usage_category_title, request_intent, request_intent_title, prescription_id, is_primary_record) "
        "SELECT l.id, t.drug_dosage_instructions, t.usage_category, t.usage_category_title, "
        f"t.request_intent, t.request_intent_title, t.id, 1 FROM {_with_list_row(rows)}"
    )
    yield register(PRESCRIPTIONS.table, rows)


def register_medications(rows: str) -> str:
    """Return the statement that tells OpenEMR of the uuids of prescriptions' rows in the medication list."""
    return register(LISTS.table, rows, uuid=part("t.uuid", MEDICATION_ROW))


def changed_prescriptions() -> Iterator[str]:
    """Yield what follows from staged prescriptions that were there: their medication list rows change too."""
    yield medication_rows(of_staged(PRESCRIPTIONS), fresh=False)
    yield (
        f"UPDATE {staging(PRESCRIPTIONS.table)} s STRAIGHT_JOIN prescriptions t FORCE INDEX (uuid) ON t.uuid = s.uuid "
        f"STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('t.uuid', MEDICATION_ROW)} "
        f"STRAIGHT_JOIN lists_medication m FORCE INDEX ({OF_LIST}) ON m.list_id = l.id AND m.prescription_id = t.id "
        "SET m.drug_dosage_instructions = t.drug_dosage_instructions "
        "WHERE NOT m.drug_dosage_instructions <=> t.drug_dosage_instructions"
    )


def after_links(place: Place, *, fresh: bool) -> Iterator[str]:
    """Yield what follows from the links between rows and encounters: forms, or diagnoses of a visit."""
    if place.form is not None:
        linked = f"{LINKS} k STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = k.uuid WHERE TRUE"
        yield forms(place, place.form, linked, fresh=fresh)
        if not fresh:
            yield changed_forms(place, place.form, linked)
        return
    own = part("k.uuid", LINK_ROW)
    yield (
        "INSERT INTO issue_encounter (uuid, pid, list_id, encounter, resolved, created_by, updated_by) "
        f"SELECT {own}, k.pid, l.id, k.encounter, 0, NULLIF(@carebus_provider, 0), "
        f"NULLIF(@carebus_provider, 0) FROM {LINKS} k STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = k.uuid "
        "ON DUPLICATE KEY UPDATE encounter = VALUES(encounter)"
    )
    yield register(
        "issue_encounter", f"{LINKS} k STRAIGHT_JOIN issue_encounter t FORCE INDEX (uuid) ON t.uuid = {own}"
    )


def without_links() -> str:
    """Return the statement that unties staged diagnoses that name no encounter any more."""
    return (
        f"DELETE i FROM {staging(LISTS.table)} s STRAIGHT_JOIN issue_encounter i FORCE INDEX (uuid) "
        f"ON i.uuid = {part('s.uuid', LINK_ROW)} WHERE s.encounter IS NULL"
    )


def after_patients(pids: Sequence[int]) -> Iterator[str]:
    """Yield what follows from patients: their uuids, and the mappings under which FHIR shows them."""
    rows = f"patient_data t WHERE t.pid IN ({', '.join(map(str, pids))})"
    yield register("patient_data", rows)
    for digit, resource, path in (
        (LOCATION_ROW, "Location", "NULL"),
        (SOCIAL_ROW, "Observation", "'category=social-history&code=76690-7'"),
    ):
        yield (
            "INSERT INTO uuid_mapping (uuid, resource, resource_path, `table`, target_uuid, created) "
            f"SELECT {part('t.uuid', digit)}, '{resource}', {path}, 'patient_data', t.uuid, NOW() "
            f"FROM {rows} AND NOT EXISTS (SELECT 1 FROM uuid_mapping m FORCE INDEX ({OF_TARGET}) "
            f"WHERE m.target_uuid = t.uuid "
            f"AND m.resource = '{resource}' AND m.resource_path <=> {path})"
        )
    yield register_mappings(rows)


def register_mappings(rows: str) -> str:
    """Return the statement that tells OpenEMR of the uuids of rows' mappings."""
    joined = f" STRAIGHT_JOIN uuid_mapping m FORCE INDEX ({OF_TARGET}) ON m.target_uuid = t.uuid WHERE"
    return register("uuid_mapping", rows.replace(" WHERE", joined), uuid="m.uuid", mapped=1)


def after_shared(place: Place, rows: str) -> Iterator[str]:
    """Yield what follows from providers or sites: their uuids, and the mappings under which FHIR shows them."""
    yield register(place.table, rows)
    yield map_to("Location", LOCATION_ROW, place.table, rows)
    if place is USERS:
        yield map_to("Group", GROUP_ROW, place.table, rows)
    yield register_mappings(rows)


def renamed_facilities(uuids: str) -> str:
    """Return the statement that tells users the name of their facility, as OpenEMR does when it changes."""
    return (
        f"UPDATE `{FACILITIES.table}` f FORCE INDEX (uuid) STRAIGHT_JOIN `{USERS.table}` u ON u.facility_id = f.id "
        f"SET u.facility = f.name WHERE f.uuid IN ({uuids}) AND NOT u.facility <=> f.name"
    )


def map_to(resource: str, digit: int, table: str, rows: str) -> str:
    """Return the statement that makes rows known as a FHIR resource of their own, once."""
    return (
        "INSERT INTO uuid_mapping (uuid, resource, resource_path, `table`, target_uuid, created) "
        f"SELECT {part('t.uuid', digit)}, '{resource}', NULL, '{table}', t.uuid, NOW() FROM {rows} "
        f"AND NOT EXISTS (SELECT 1 FROM uuid_mapping m FORCE INDEX ({OF_TARGET}) "
        f"WHERE m.target_uuid = t.uuid AND m.resource = '{resource}')"
    )


def after_gone() -> Iterator[str]:
    """Yield what follows from rows that were taken away."""
    for place in TARGETS:
        if place.form is not None:
            yield (
                f"UPDATE {GONE} g STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = g.uuid "
                f"STRAIGHT_JOIN forms f FORCE INDEX ({OF_FORM}) ON f.form_id = t.`{place.key}` "
                f"AND f.pid = t.`{place.patient}` AND f.formdir = '{place.form.folder}' SET f.deleted = 1"
            )
    # As OpenEMR does it when somebody takes a test out of an order.
    yield (
        f"DELETE c FROM {GONE} g STRAIGHT_JOIN procedure_report t FORCE INDEX (uuid) ON t.uuid = g.uuid "
        "STRAIGHT_JOIN procedure_order_code c FORCE INDEX (PRIMARY) "
        "ON c.procedure_order_id = t.procedure_order_id AND c.procedure_order_seq = t.procedure_order_seq"
    )
    yield (
        f"UPDATE {GONE} g STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('g.uuid', MEDICATION_ROW)} "
        "SET l.activity = 0, l.verification = 'entered-in-error'"
    )
    yield (
        f"DELETE i FROM {GONE} g "
        f"STRAIGHT_JOIN issue_encounter i FORCE INDEX (uuid) ON i.uuid = {part('g.uuid', LINK_ROW)}"
    )


def after_rows(place: Place, rows: str) -> Iterator[str]:
    """Yield what follows from rows of a table that were not there before."""
    if place.form is not None and place.form.encounter is not None:
        yield forms(place, place.form, rows)
    if place is PRESCRIPTIONS:
        yield from after_prescriptions(rows)
    elif place is VITALS:
        yield from after_vitals(rows)
    else:
        yield register(place.table, rows, key=place.key)


def after_changes(place: Place) -> Iterator[str]:
    """Yield what follows from staged rows that were there before."""
    if place.form is not None and place.form.encounter is not None:
        if place.nowhere is not None:  # a row may come to belong to an encounter only now
            yield forms(place, place.form, of_staged(place), fresh=False)
        yield changed_forms(place, place.form, of_staged(place))
    if place is PRESCRIPTIONS:
        yield from changed_prescriptions()


def _with_list_row(rows: str) -> str:
    """Join the medication list row to the clause, before its condition."""
    tables, _, condition = rows.partition(" WHERE ")
    return (
        f"{tables} "
        f"STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('t.uuid', MEDICATION_ROW)} WHERE {condition}"
    )
