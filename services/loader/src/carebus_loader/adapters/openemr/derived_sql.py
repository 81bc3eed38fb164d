"""Rows that follow from others: forms, the medication list, links, and uuids known to OpenEMR.

Each statement takes its rows from a clause that names them ``t``: either all rows of charts that were
made just now, or the rows that were staged. All may be repeated: what is there already stays. The order
of joins is given, from the few rows that we name to the big tables, and so is the key of each: just after
a first load the server's statistics still hold a table for empty, and it would read all of it for each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from carebus_loader.adapters.openemr.places import (
    ENCOUNTERS,
    LISTS,
    PRESCRIPTIONS,
    Place,
)
from carebus_loader.adapters.openemr.row_sql import GONE, LINKS, staging

MEDICATION_ROW = 1
"""Last digit of the uuid of a prescription's row in ``lists``; the prescription's own is 0."""
LINK_ROW = 2
"""Last digit of the uuid of a diagnosis's row in ``issue_encounter``."""
LOCATION_ROW, SOCIAL_ROW = 1, 2
"""Last digits of the uuids of a patient's two rows in ``uuid_mapping``."""

OF_LIST, OF_FORM, OF_TARGET = "lists_medication_list_idx", "form_id", "target_uuid"
"""Keys of lists_medication by list_id, of forms by form_id, and of uuid_mapping by target_uuid."""


def part(uuid: str, digit: int) -> str:
    """Return SQL for the uuid of a row that belongs to another: the same up to the last digit."""
    return f"UNHEX(CONCAT(LEFT(HEX({uuid}), 31), '{digit}'))"


def of_charts(place: Place, pids: Sequence[int]) -> str:
    """Return the clause for all rows of some charts."""
    return f"`{place.table}` t WHERE t.`{place.patient}` IN ({', '.join(map(str, pids))})"


def of_staged(place: Place) -> str:
    """Return the clause for the rows that were staged."""
    return f"{staging(place.table)} s STRAIGHT_JOIN `{place.table}` t FORCE INDEX (uuid) ON t.uuid = s.uuid WHERE TRUE"


def register(table: str, rows: str, *, key: str = "id", uuid: str = "t.uuid", mapped: int = 0) -> str:
    """Return the statement that tells OpenEMR of uuids."""
    return (
        "INSERT INTO uuid_registry (uuid, table_name, table_id, mapped, created) "
        f"SELECT {uuid}, '{table}', '{key}', {mapped}, NOW() FROM {rows} "
        "ON DUPLICATE KEY UPDATE table_name = VALUES(table_name)"
    )


def after_encounters(rows: str, *, fresh: bool) -> Iterator[str]:
    """Yield what follows from encounters: the form by which the visit list finds each."""
    there = (
        f"(SELECT 1 FROM forms f FORCE INDEX ({OF_FORM}) "
        "WHERE f.form_id = t.id AND f.pid = t.pid AND f.formdir = 'newpatient')"
    )
    yield (
        "INSERT INTO forms (date, encounter, form_name, form_id, pid, user, groupname, authorized, deleted, "
        "formdir, provider_id) SELECT t.date, t.encounter, 'New Patient Encounter', t.id, t.pid, "
        f"@carebus_user, 'Default', 1, 0, 'newpatient', @carebus_provider FROM {rows}{_unless(there, fresh)}"
    )
    yield register(ENCOUNTERS.table, rows)


def after_staged_encounters() -> str:
    """Return the statement that brings changed encounters into forms that are there."""
    return (
        f"UPDATE {staging(ENCOUNTERS.table)} s "
        "STRAIGHT_JOIN form_encounter t FORCE INDEX (uuid) ON t.uuid = s.uuid STRAIGHT_JOIN forms f "
        f"FORCE INDEX ({OF_FORM}) "
        "ON f.form_id = t.id AND f.pid = t.pid AND f.formdir = 'newpatient' "
        "SET f.date = t.date, f.deleted = 0"
    )


def after_prescriptions(rows: str, *, fresh: bool) -> Iterator[str]:
    """Yield what follows from prescriptions: their rows in the medication list, tied to them.

    Without the tie FHIR shows the drug twice.
    """
    there = f"(SELECT 1 FROM lists_medication m FORCE INDEX ({OF_LIST}) WHERE m.list_id = l.id)"
    yield (
        "INSERT INTO lists (uuid, date, type, title, begdate, enddate, diagnosis, activity, verification, "
        f"pid, user, groupname, external_id) SELECT {part('t.uuid', MEDICATION_ROW)}, NOW(), 'medication', "
        "t.drug, t.start_date, t.end_date, COALESCE(CONCAT('RXCUI:', t.rxnorm_drugcode), ''), t.active, '', "
        f"t.patient_id, @carebus_user, 'Default', t.external_id FROM {rows} ON DUPLICATE KEY UPDATE "
        "title = VALUES(title), begdate = VALUES(begdate), enddate = VALUES(enddate), "
        "diagnosis = VALUES(diagnosis), activity = VALUES(activity), verification = VALUES(verification)"
    )
    yield (
        "INSERT INTO lists_medication (list_id, drug_dosage_instructions, usage_category, "
        "usage_category_title, request_intent, request_intent_title, prescription_id, is_primary_record) "
        "SELECT l.id, t.drug_dosage_instructions, t.usage_category, t.usage_category_title, "
        f"t.request_intent, t.request_intent_title, t.id, 1 FROM {_with_list_row(rows)}{_unless(there, fresh)}"
    )
    yield register(PRESCRIPTIONS.table, rows)


def after_staged_prescriptions() -> Iterator[str]:
    """Yield what else follows from staged prescriptions: changed instructions, and uuids of list rows."""
    yield register(LISTS.table, of_staged(PRESCRIPTIONS), uuid=part("t.uuid", MEDICATION_ROW))
    yield (
        f"UPDATE {staging(PRESCRIPTIONS.table)} s STRAIGHT_JOIN prescriptions t FORCE INDEX (uuid) ON t.uuid = s.uuid "
        f"STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('t.uuid', MEDICATION_ROW)} "
        f"STRAIGHT_JOIN lists_medication m FORCE INDEX ({OF_LIST}) ON m.list_id = l.id AND m.prescription_id = t.id "
        "SET m.drug_dosage_instructions = t.drug_dosage_instructions"
    )


def after_links() -> Iterator[str]:
    """Yield what follows from the links between diagnoses and encounters."""
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
    joined = f" STRAIGHT_JOIN uuid_mapping m FORCE INDEX ({OF_TARGET}) ON m.target_uuid = t.uuid WHERE"
    mappings = rows.replace(" WHERE", joined)
    yield register("uuid_mapping", mappings, uuid="m.uuid", mapped=1)


def after_gone() -> Iterator[str]:
    """Yield what follows from rows that were taken away."""
    yield (
        f"UPDATE {GONE} g STRAIGHT_JOIN form_encounter t FORCE INDEX (uuid) ON t.uuid = g.uuid "
        f"STRAIGHT_JOIN forms f FORCE INDEX ({OF_FORM}) "
        "ON f.form_id = t.id AND f.pid = t.pid AND f.formdir = 'newpatient' SET f.deleted = 1"
    )
    yield (
        f"UPDATE {GONE} g STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('g.uuid', MEDICATION_ROW)} "
        "SET l.activity = 0, l.verification = 'entered-in-error'"
    )
    yield (
        f"DELETE i FROM {GONE} g "
        f"STRAIGHT_JOIN issue_encounter i FORCE INDEX (uuid) ON i.uuid = {part('g.uuid', LINK_ROW)}"
    )


AFTER = {ENCOUNTERS.table: after_encounters, PRESCRIPTIONS.table: after_prescriptions}
"""What follows from rows of a table; from rows of the others only their uuids."""


def after_rows(place: Place, rows: str, *, fresh: bool) -> Iterator[str]:
    """Yield what follows from rows of a table.

    Args:
        place: The table.
        rows: The clause that names its rows.
        fresh: Whether nothing can be there yet. Then nothing is looked up in the table that is filled,
            for which the server would keep the rows in a temporary file.
    """
    if place.table in AFTER:
        yield from AFTER[place.table](rows, fresh=fresh)
    else:
        yield register(place.table, rows)


def _unless(there: str, fresh: bool) -> str:
    return "" if fresh else f" AND NOT EXISTS {there}"


def _with_list_row(rows: str) -> str:
    """Join the medication list row to the clause, before its condition."""
    tables, _, condition = rows.partition(" WHERE ")
    return (
        f"{tables} "
        f"STRAIGHT_JOIN lists l FORCE INDEX (uuid) ON l.uuid = {part('t.uuid', MEDICATION_ROW)} WHERE {condition}"
    )
