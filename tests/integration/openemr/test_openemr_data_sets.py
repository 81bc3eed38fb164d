"""Whole data sets arrive, by the rules of OpenEMR's own rows, and again without a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import PlannedTable, ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_converter.domain.openemr import plan
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.ports import Delivery, Written
from support.omop_bundles import bundles

from .conftest import Server

BATCH = 200
DATA_TABLES = (
    "patient_data", "uuid_registry", "uuid_mapping", "form_encounter", "forms", "lists", "lists_medication",
    "issue_encounter", "prescriptions", "immunizations", "codes", "history_data", "sequences",
    "procedure_providers", "procedure_type", "procedure_order",
    "procedure_order_code", "procedure_report", "procedure_result", "form_vitals", "users", "facility",
)  # fmt: skip
BROKEN_RULES = {
    **{
        f"{table} rows that the registry does not know": (
            f"SELECT COUNT(*) FROM {table} t LEFT JOIN uuid_registry u ON u.uuid = t.uuid "
            f"AND u.table_name = '{table}' AND u.table_id = '{key}' WHERE u.uuid IS NULL AND NOT "
            f"('{table}' = 'uuid_mapping' AND EXISTS (SELECT 1 FROM uuid_registry m WHERE m.uuid = t.uuid "
            "AND m.mapped = 1))"
        )
        for table, key in {
            "patient_data": "id",
            "form_encounter": "id",
            "lists": "id",
            "issue_encounter": "id",
            "prescriptions": "id",
            "immunizations": "id",
            "history_data": "id",
            "uuid_mapping": "id",
            "form_vitals": "id",
            "procedure_order": "procedure_order_id",
            "procedure_report": "procedure_report_id",
            "procedure_result": "procedure_result_id",
            "procedure_providers": "ppid",
        }.items()
    },
    "registry entries of no row": "SELECT COUNT(*) FROM uuid_registry u WHERE u.table_name = 'lists' "
    "AND NOT EXISTS (SELECT 1 FROM lists l WHERE l.uuid = u.uuid)",
    "mappings that are not marked as such": "SELECT COUNT(*) FROM uuid_mapping m JOIN uuid_registry u "
    "ON u.uuid = m.uuid WHERE u.mapped <> 1 OR u.table_name <> 'uuid_mapping'",
    "patients without both mappings": "SELECT COUNT(*) FROM patient_data p WHERE (SELECT COUNT(*) FROM "
    "uuid_mapping m WHERE m.target_uuid = p.uuid AND ((m.resource = 'Location' AND m.resource_path IS NULL) "
    "OR (m.resource = 'Observation' AND m.resource_path = 'category=social-history&code=76690-7'))) <> 2",
    "encounters without one form": "SELECT COUNT(*) FROM form_encounter e WHERE (SELECT COUNT(*) FROM forms "
    "f WHERE f.form_id = e.id AND f.pid = e.pid AND f.encounter = e.encounter AND f.formdir = 'newpatient' "
    "AND f.deleted = 0) <> 1",
    "encounter numbers that are used twice": "SELECT COUNT(*) - COUNT(DISTINCT encounter) "
    "FROM form_encounter",
    "encounter numbers beyond the counter": "SELECT COUNT(*) FROM form_encounter WHERE encounter > "
    "(SELECT id FROM sequences)",
    "rows of nobody": "SELECT COUNT(*) FROM lists l LEFT JOIN patient_data p ON p.pid = l.pid "
    "WHERE p.pid IS NULL",
    "prescriptions without one medication row": "SELECT COUNT(*) FROM prescriptions r WHERE (SELECT COUNT(*) "
    "FROM lists_medication m JOIN lists l ON l.id = m.list_id WHERE m.prescription_id = r.id "
    "AND l.pid = r.patient_id AND l.type = 'medication' AND l.title = r.drug) <> 1",
    "prescriptions at an encounter of somebody else": "SELECT COUNT(*) FROM prescriptions r LEFT JOIN "
    "form_encounter e ON e.encounter = r.encounter AND e.pid = r.patient_id WHERE r.encounter IS NOT NULL "
    "AND e.id IS NULL",
    "vaccines without a name": "SELECT COUNT(*) FROM immunizations i WHERE (SELECT COUNT(*) FROM codes c "
    "WHERE c.code_type = 100 AND c.code = i.cvx_code) <> 1",
    "options that OpenEMR does not have": "SELECT COUNT(*) FROM patient_data p WHERE NOT EXISTS (SELECT 1 "
    "FROM list_options o WHERE o.list_id = 'sex' AND o.option_id = p.sex) OR (p.race <> '' AND NOT EXISTS "
    "(SELECT 1 FROM list_options o WHERE o.list_id = 'race' AND o.option_id = p.race))",
    "orders without a line": "SELECT COUNT(*) FROM procedure_order o WHERE NOT EXISTS (SELECT 1 FROM "
    "procedure_order_code c WHERE c.procedure_order_id = o.procedure_order_id)",
    "orders of another kind than their lines": "SELECT COUNT(*) FROM procedure_order o JOIN "
    "procedure_order_code c ON c.procedure_order_id = o.procedure_order_id WHERE o.procedure_order_type "
    "NOT IN ('procedure', 'laboratory_test') OR NOT c.procedure_order_title <=> o.procedure_order_type",
    "orders of a visit without one form": "SELECT COUNT(*) FROM procedure_order o WHERE o.encounter_id <> 0 "
    "AND (SELECT COUNT(*) FROM forms f JOIN form_encounter e ON e.encounter = f.encounter AND e.pid = f.pid "
    "WHERE f.form_id = o.procedure_order_id AND f.formdir = 'procedure_order' AND f.pid = o.patient_id "
    "AND f.encounter = o.encounter_id AND f.deleted = 0) <> 1",
    "forms of no order or vitals": "SELECT COUNT(*) FROM forms f WHERE (f.formdir = 'procedure_order' AND NOT "
    "EXISTS (SELECT 1 FROM procedure_order o WHERE o.procedure_order_id = f.form_id)) OR (f.formdir = "
    "'vitals' AND NOT EXISTS (SELECT 1 FROM form_vitals v WHERE v.id = f.form_id))",
    "orders of nobody, or of no laboratory": "SELECT COUNT(*) FROM procedure_order o LEFT JOIN patient_data p "
    "ON p.pid = o.patient_id LEFT JOIN procedure_providers l ON l.ppid = o.lab_id "
    "WHERE p.pid IS NULL OR l.ppid IS NULL",
    "lines without one report": "SELECT COUNT(*) FROM procedure_order_code c WHERE (SELECT COUNT(*) FROM "
    "procedure_report r WHERE r.procedure_order_id = c.procedure_order_id AND r.procedure_order_seq = "
    "c.procedure_order_seq AND r.report_status = 'final') <> 1",
    "reports without their line": "SELECT COUNT(*) FROM procedure_report r LEFT JOIN procedure_order_code c "
    "ON c.procedure_order_id = r.procedure_order_id AND c.procedure_order_seq = r.procedure_order_seq "
    "WHERE c.procedure_order_id IS NULL AND r.report_status = 'final'",
    "lines that are not numbered from 1 without a gap": "SELECT COUNT(*) FROM (SELECT 1 FROM "
    "procedure_order_code GROUP BY procedure_order_id HAVING MIN(procedure_order_seq) <> 1 "
    "OR MAX(procedure_order_seq) <> COUNT(*)) AS gaps",
    "results without a report": "SELECT COUNT(*) FROM procedure_result s LEFT JOIN procedure_report r "
    "ON r.procedure_report_id = s.procedure_report_id WHERE r.procedure_report_id IS NULL",
    "results that OpenEMR hides or drops": "SELECT COUNT(*) FROM procedure_result WHERE result IN ('', 'DNR', "
    "'TNP') OR result_text = '' OR result_status <> 'final'",
    "results judged as nothing that OpenEMR knows": "SELECT COUNT(*) FROM procedure_result s WHERE s.abnormal "
    "<> '' AND NOT EXISTS (SELECT 1 FROM list_options o WHERE o.list_id = 'proc_res_abnormal' "
    "AND o.option_id = s.abnormal)",
    "laboratory lines with a LOINC code that is not known by name once": "SELECT COUNT(*) FROM (SELECT DISTINCT "
    "procedure_code FROM procedure_order_code WHERE procedure_order_title = 'laboratory_test' AND "
    "procedure_code REGEXP '^[0-9]+-[0-9]$') c WHERE (SELECT COUNT(*) FROM procedure_type t WHERE "
    "t.procedure_code = c.procedure_code AND t.standard_code = c.procedure_code) <> 1",
    "vitals without one form at an encounter": "SELECT COUNT(*) FROM form_vitals v WHERE (SELECT COUNT(*) FROM "
    "forms f JOIN form_encounter e ON e.encounter = f.encounter AND e.pid = f.pid WHERE f.form_id = v.id "
    "AND f.formdir = 'vitals' AND f.pid = v.pid AND f.deleted = 0) <> 1",
    "vitals without their fifteen mappings": "SELECT COUNT(*) FROM form_vitals v WHERE (SELECT "
    "COUNT(DISTINCT m.resource_path) FROM uuid_mapping m WHERE m.target_uuid = v.uuid AND m.resource = "
    "'Observation' AND m.`table` = 'form_vitals') <> 15 OR (SELECT COUNT(*) FROM uuid_mapping m WHERE "
    "m.target_uuid = v.uuid) <> 15",
    "vitals with a zero for what was not measured": "SELECT COUNT(*) FROM form_vitals WHERE 0 IN (weight, "
    "height, temperature, pulse, respiration, BMI, waist_circ, head_circ, oxygen_saturation, "
    "oxygen_flow_rate, ped_weight_height, ped_bmi, ped_head_circ, inhaled_oxygen_concentration)",
    "vitals without a value": "SELECT COUNT(*) FROM form_vitals WHERE COALESCE(bps, bpd, weight, height, "
    "temperature, pulse, respiration, BMI, waist_circ, head_circ, oxygen_saturation, oxygen_flow_rate, "
    "inhaled_oxygen_concentration, ped_weight_height, ped_bmi, ped_head_circ) IS NULL",
    "encounters of a provider or facility that is not there": "SELECT COUNT(*) FROM form_encounter e LEFT JOIN "
    "facility f ON f.id = e.facility_id AND f.name = e.facility LEFT JOIN users u ON u.id = e.provider_id "
    "WHERE f.id IS NULL OR u.id IS NULL",
    "orders, drugs or vaccines of a provider who is not there": "SELECT COUNT(*) FROM (SELECT provider_id FROM "
    "procedure_order UNION ALL SELECT provider_id FROM prescriptions UNION ALL SELECT administered_by_id FROM "
    "immunizations) t LEFT JOIN users u ON u.id = t.provider_id WHERE u.id IS NULL",
    "forms of another provider than their encounter": "SELECT COUNT(*) FROM forms f JOIN form_encounter e "
    "ON e.id = f.form_id AND f.formdir = 'newpatient' AND f.pid = e.pid WHERE f.provider_id <> e.provider_id",
    "providers who are not among those in the lists once": "SELECT COUNT(*) FROM users u WHERE u.username LIKE "
    "'carebus%' AND (u.active <> 1 OR u.authorized <> 1 OR u.abook_type <> 'external_provider' OR (SELECT COUNT(*) "
    "FROM users o WHERE o.username = u.username) <> 1)",
    **{
        f"{table} rows with a uuid that the registry does not know": f"SELECT COUNT(*) FROM {table} t LEFT JOIN "
        f"uuid_registry u ON u.uuid = t.uuid AND u.table_name = '{table}' AND u.table_id = 'id' "
        "WHERE t.uuid IS NOT NULL AND u.uuid IS NULL"
        for table in ("users", "facility")
    },
    "providers without a location and a group": "SELECT COUNT(*) FROM users u WHERE u.username LIKE 'carebus%' AND "
    "(SELECT GROUP_CONCAT(m.resource ORDER BY m.resource) FROM uuid_mapping m WHERE m.target_uuid = u.uuid AND "
    "m.resource_path IS NULL) <> 'Group,Location'",
    "providers who could log in": "SELECT COUNT(*) FROM users u JOIN users_secure s ON s.id = u.id OR s.username = "
    "u.username WHERE u.username LIKE 'carebus%'",
    "classes that OpenEMR does not have": "SELECT COUNT(*) FROM form_encounter e WHERE NOT EXISTS (SELECT 1 "
    "FROM list_options o WHERE o.list_id = '_ActEncounterCode' AND o.option_id = e.class_code)",
}
"""Each question is answered by 0."""


def plans_of(folder: Path, source: str) -> list[ReadPlan]:
    plans = []
    for bundle in map(decode_person, bundles(folder, source=source, providers=True)):
        parts = plan(bundle, settings=MappingSettings())
        plans.append(
            read_plan(
                encode_plan(
                    target="openemr",
                    source=source,
                    subject=f"person/{bundle.person_id}",
                    writes=parts.writes,
                    not_mapped=parts.not_mapped,
                    refers=parts.refers,
                )
            )
        )
    return plans


async def load(target: OpenEmrTarget, plans: Sequence[ReadPlan], v: int) -> list[Written]:
    written: list[Written] = []
    for start in range(0, len(plans), BATCH):
        written += await target.write(
            [Delivery(plan, Version(v, 1), f"job-{v}") for plan in plans[start : start + BATCH]]
        )
    return written


def another_hour(one: ReadPlan) -> ReadPlan:
    """The plan with every time an hour later."""
    writes = [
        encode_write(w.table, w.columns, [text.replace(b' 00:00:00"', b' 01:00:00"') for text in w.lines()])
        for w in one.writes
    ]
    return replace(one, writes=rewritten(one, writes))


def rewritten(one: ReadPlan, writes: Sequence[bytes]) -> tuple[PlannedTable, ...]:
    text = encode_plan(target="openemr", source=one.source, subject=one.subject, writes=writes)
    return read_plan(text).writes


def fingerprint(server: Server, database: str) -> dict[str, Any]:
    return {table: server.query(f"CHECKSUM TABLE {database}.{table} EXTENDED")[0][1] for table in DATA_TABLES}


def count(server: Server, database: str, sql: str) -> int:
    server.query(f"USE {database}")
    return int(server.query(sql)[0][0])


def broken_rows(server: Server, database: str, rule: str) -> int:
    """Count rows that break a rule; the questions join big tables, so the server must know that they are big."""
    server.query(f"USE {database}")
    server.query("ANALYZE TABLE " + ", ".join(DATA_TABLES))
    return count(server, database, BROKEN_RULES[rule])


@pytest.fixture(scope="module")
async def loaded(
    server: Server, new_schema: Callable[[], str], shared: Path
) -> tuple[OpenEmrSettings, dict[str, list[ReadPlan]], dict[str, Any]]:
    """Both data sets, loaded twice; and the fingerprint between the loads."""
    settings = server.settings(new_schema())
    plans = {
        "gibleed": plans_of(shared / "omop/gibleed_5.3/parquet", "gibleed"),
        "synthea": plans_of(shared / "omop/synthea27nj_5.4/parquet", "synthea"),
    }
    target = OpenEmrTarget(settings)
    await target.prepare()
    await target.start()
    for some in plans.values():
        assert {w.result for w in await load(target, some, 1)} == {Result.APPLIED}
    between = fingerprint(server, settings.database)
    for some in plans.values():
        assert {w.result for w in await load(target, some, 2)} == {Result.UNCHANGED}
    await target.stop()
    return settings, plans, between


def test_second_load_changes_nothing(server: Server, loaded: Any) -> None:
    """The same content under a newer version leaves every row of every table as it was."""
    settings, _, between = loaded

    assert fingerprint(server, settings.database) == between


@pytest.mark.parametrize("rule", BROKEN_RULES)
def test_rules_hold_for_every_row(server: Server, loaded: Any, rule: str) -> None:
    """What OpenEMR's own services rely on is so for every row."""
    settings, _, _ = loaded

    assert broken_rows(server, settings.database, rule) == 0


@pytest.mark.parametrize(
    ("domain", "sql"),
    [
        pytest.param("person", "SELECT COUNT(*) FROM patient_data", id="persons"),
        pytest.param("visit_occurrence", "SELECT COUNT(*) FROM form_encounter", id="visits"),
        pytest.param(
            "condition_occurrence",
            "SELECT COUNT(*) FROM lists WHERE type = 'medical_problem' AND title NOT LIKE 'History of %'",
            id="conditions, without those from observations",
        ),
        pytest.param(
            "drug_exposure",
            "SELECT (SELECT COUNT(*) FROM prescriptions) + (SELECT COUNT(*) FROM immunizations)",
            id="drugs, repeated ids too",
        ),
        pytest.param(
            "procedure_occurrence",
            "SELECT (SELECT COUNT(*) FROM procedure_order WHERE procedure_order_type = 'procedure') + "
            "(SELECT COUNT(*) FROM lists WHERE type = 'surgery')",
            id="procedures",
        ),
        pytest.param(
            "device_exposure", "SELECT COUNT(*) FROM lists WHERE type = 'medical_device'", id="devices"
        ),
        pytest.param(
            "death", "SELECT COUNT(*) FROM patient_data WHERE deceased_date IS NOT NULL", id="deaths"
        ),
    ],
)
def test_counts_are_those_of_the_source(
    server: Server, shared: Path, loaded: Any, domain: str, sql: str
) -> None:
    """Every row of the domain is there."""
    settings, _, _ = loaded
    files = (shared / "omop").glob(f"*/parquet/{domain}.parquet")
    in_source = sum(duckdb.sql(f"SELECT COUNT(*) FROM '{file}'").fetchall()[0][0] for file in files)

    assert count(server, settings.database, sql) == in_source


def test_providers_are_those_of_the_source(server: Server, shared: Path, loaded: Any) -> None:
    """Each provider has as many encounters, orders of procedures, drugs and vaccines as records in the source."""
    settings, _, _ = loaded
    folder = shared / "omop/synthea27nj_5.4/parquet"

    def in_source(*tables: str) -> list[tuple[str, int]]:
        records = " UNION ALL ".join(
            f"SELECT provider_id FROM '{folder}/{table}.parquet'" for table in tables
        )
        return duckdb.sql(
            f"SELECT trim(provider_name), COUNT(*) FROM ({records}) r JOIN '{folder}/provider.parquet' p "
            "USING (provider_id) GROUP BY p.provider_id, 1 ORDER BY 1, 2"
        ).fetchall()

    def there(column: str, table: str) -> str:
        return f"SELECT {column} AS provider FROM {table}"

    server.query(f"USE {settings.database}")
    for tables, rows in (
        (["visit_occurrence"], there("provider_id", "form_encounter")),
        (
            ["drug_exposure"],
            f"{there('provider_id', 'prescriptions')} UNION ALL {there('administered_by_id', 'immunizations')}",
        ),
        (
            ["procedure_occurrence"],
            f"{there('provider_id', 'procedure_order')} WHERE procedure_order_type = 'procedure'",
        ),
    ):
        found = server.query(
            f"SELECT u.lname, COUNT(*) FROM ({rows}) r JOIN users u ON u.id = r.provider "
            "WHERE u.username LIKE 'carebus:synthea:%' GROUP BY u.id, u.lname",
        )
        assert sorted(found) == sorted(in_source(*tables)), tables


HOMES = {
    "patient_data": "person",
    "patient_data.death": "death",
    "form_encounter": "visit_occurrence",
    "history_data": "observation",
    "prescriptions": "drug_exposure",
    "immunizations": "drug_exposure",
}
"""OMOP table by write, where the name does not say it."""
FOLLOWING = ("procedure_order", "procedure_result", "form_encounter")
"""What there is because of reports and vitals."""


def omop_rows(write: PlannedTable) -> int:
    """Return how many rows of the source a write holds; in vitals each value is one."""
    table, _, source = write.table.partition(".")
    if table == "form_vitals":
        of = [at for at, c in enumerate(write.columns) if c not in NO_VITALS]
        return sum(row[at] is not None for row in write.records() for at in of)
    return 0 if source and table in FOLLOWING else write.count


NO_VITALS = {"uuid", "date", "temp_method", "external_id", "encounter"}


def test_every_row_is_mapped_or_counted(shared: Path, loaded: Any) -> None:
    """Rows of the plans and counts of what they leave out add up to the rows of the source."""
    _, plans, _ = loaded
    for name, folder in (("gibleed", "gibleed_5.3"), ("synthea", "synthea27nj_5.4")):
        source: Counter[str] = Counter()
        for table in PERSON_TABLES:
            if (file := shared / "omop" / folder / "parquet" / f"{table}.parquet").exists():
                persons = shared / "omop" / folder / "parquet" / "person.parquet"
                source[table] = duckdb.sql(
                    f"SELECT COUNT(*) FROM '{file}' WHERE person_id IN (SELECT person_id FROM '{persons}')"
                ).fetchall()[0][0]
        found: Counter[str] = Counter()
        for one in plans[name]:
            for write in one.writes:
                found[HOMES.get(write.table, write.table.partition(".")[2])] += omop_rows(write)
            for table, reasons in one.not_mapped.items():
                found[table] += sum(reasons.values())

        assert +found == +source


async def test_better_mapping_reaches_many_charts_in_time(server: Server, loaded: Any) -> None:
    """Changed charts among thousands, just after the first load, take seconds a batch, there and back."""
    settings, plans, _ = loaded
    some = plans["gibleed"][:600]
    target = OpenEmrTarget(settings.model_copy(update={"write_timeout_s": 30.0}))
    await target.start()

    written = await load(target, [another_hour(one) for one in some], 3)
    back = await load(target, some, 4)
    await target.stop()

    rows = sum(w.count for one in some for w in one.writes if w.table != "patient_data")
    assert not any(w.conflicts for w in (*written, *back))
    assert sum(w.updated for w in written) == sum(w.updated for w in back) == rows
    for rule in BROKEN_RULES:
        assert broken_rows(server, settings.database, rule) == 0, rule


async def test_every_row_is_known_again_as_ours(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows that nobody touched none looks as if somebody had, whatever the server made of its cells.

    The server's own sums say so: no row is read back.
    """
    settings, plans, _ = loaded
    monkeypatch.delattr("carebus_loader.adapters.openemr.conflicts.digest")
    target = OpenEmrTarget(settings)
    await target.start()
    would: list[Written] = []
    for name in plans:
        for start in range(0, len(plans[name]), BATCH):
            some = [emptied(one) for one in plans[name][start : start + BATCH]]
            would += await target.write([Delivery(one, Version(9, 1), "job", dry_run=True) for one in some])
    await target.stop()

    rows = sum(
        w.count for name in plans for one in plans[name] for w in one.writes if w.table != "patient_data"
    )
    assert sum(w.deleted for w in would) == rows
    assert not any(w.conflicts for w in would)


def emptied(one: ReadPlan) -> ReadPlan:
    """The plan of a person of whom every record is gone but PERSON."""
    writes = [
        encode_write(w.table, w.columns, w.lines() if w.table == "patient_data" else []) for w in one.writes
    ]
    return replace(one, writes=rewritten(one, writes))
