"""Providers and sites in OpenEMR's real schema: whoever brings them, they are there once, and charts refer to them."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from carebus_contracts.errors import UnsupportedContract
from carebus_contracts.plans import ReadPlan, encode_plan, encode_shared, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.ports import Delivery
from support.target_suite import ODD_TEXTS, put, until_done
from unit.converter.openemr.factories import a_bundle, a_row

from .conftest import NPI, Server
from .hand_made import a_retirement

CONVERT = Conversion(documents=DocumentSettings(), openemr=MappingSettings())
Read = Callable[..., list[tuple[Any, ...]]]
DAY = "2020-03-14"
WRITER = """
import asyncio, sys
from integration_openemr_directory_plans import plans
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.ports import Delivery

async def main():
    target = OpenEmrTarget(OpenEmrSettings.load())
    await target.start()
    print("ready", flush=True)
    for start in range(0, len(plans), 5):
        await target.write([Delivery(p, Version(1), "job") for p in plans[start : start + 5]])
        print(start, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def source() -> str:
    return f"s{uuid4().hex[:12]}"


def a_plan(
    source: str,
    person_id: int = 1,
    *,
    provider_id: int | None = 9,
    care_site_id: int | None = 3,
    person: Mapping[str, Any] | None = None,
    provider: Mapping[str, Any] | None = None,
    site: Mapping[str, Any] | None = None,
    more_providers: Sequence[int] = (),
) -> ReadPlan:
    """A plan as the converter makes it: a visit, a procedure, a prescription and a vaccine of one provider at one site.

    Args:
        source: Slug.
        person_id: The person.
        provider_id: Of all records.
        care_site_id: Of the visit, and of the provider.
        person: Cells of PERSON.
        provider: Cells of PROVIDER.
        site: Cells of CARE_SITE.
        more_providers: Of a visit each, at no site.
    """

    def row(table: str, **cells: Any) -> list[Any]:
        return a_row(table, person_id=person_id, visit_occurrence_id=1, provider_id=provider_id, **cells)

    known = [
        a_row("provider", **{"provider_id": 9, "npi": NPI, "care_site_id": care_site_id, **(provider or {})})
    ]
    place = a_row(
        "location", location_id=5, address_1="1 Main St", city="Springfield", state="MA", zip="01101"
    )
    bundle = a_bundle(
        source=source,
        person_id=person_id,
        refers={
            "location": [place],
            "care_site": [a_row("care_site", care_site_id=3, location_id=5, **(site or {}))],
            "provider": known + [a_row("provider", provider_id=n) for n in more_providers],
        },
        person=[a_row("person", person_id=person_id, year_of_birth=1958, **(person or {}))],
        visit_occurrence=[
            row("visit_occurrence", visit_start_date=DAY, care_site_id=care_site_id),
            *(
                a_row(
                    "visit_occurrence", person_id=person_id, visit_occurrence_id=100 + n, provider_id=n,
                    visit_start_date=DAY,
                )
                for n in more_providers
            ),
        ],
        procedure_occurrence=[row("procedure_occurrence", procedure_concept_id=4295880, procedure_date=DAY)],
        drug_exposure=[
            row("drug_exposure", drug_exposure_id=1, drug_concept_id=1127078, drug_exposure_start_date=DAY),
            row("drug_exposure", drug_exposure_id=2, drug_concept_id=40213160, drug_exposure_start_date=DAY),
        ],
    )  # fmt: skip
    return read_plan(CONVERT(bundle, "openemr") or b"")


def a_retired_source(source: str, of_job: str = "") -> ReadPlan:
    gone = b'{"kind":"tombstone","table":"*","hash":"","count":0}'
    text = encode_plan(target="openemr", source=source, subject="*", writes=[gone])
    return read_plan(text[:-1] + b',"of_job":%b}' % orjson.dumps(of_job))


def users(read: Read, source: str, columns: str = "lname, active") -> list[tuple[Any, ...]]:
    """Providers that were made for a source."""
    return read(
        f"SELECT {columns} FROM users WHERE username LIKE %s ORDER BY username", f"carebus:{source}:%"
    )


def sites(read: Read, source: str, columns: str = "name, inactive") -> list[tuple[Any, ...]]:
    """Sites of encounters of a source, other than the one in the settings."""
    return read(
        f"SELECT {columns} FROM facility t WHERE id <> 3 AND id IN (SELECT e.facility_id FROM form_encounter e "
        "JOIN patient_data p ON p.pid = e.pid WHERE p.pubpid LIKE %s)",
        f"{source}:%",
    )


def mappings(read: Read, source: str) -> list[tuple[Any, ...]]:
    """How providers of a source are known to FHIR."""
    return read(
        "SELECT m.* FROM uuid_mapping m JOIN users t ON t.uuid = m.target_uuid WHERE t.username LIKE %s ORDER BY m.id",
        f"carebus:{source}:%",
    )


async def test_charts_refer_to_providers_and_sites(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Encounter and order with their forms, prescription and vaccine name the provider; the encounter the site."""
    written = await put(target, a_plan(source, person={"provider_id": 9}))

    ((number, facility_id),) = users(read, source, "id, facility_id")
    ((pid, own),) = read("SELECT pid, providerID FROM patient_data WHERE pubpid = %s", f"{source}:1")
    assert own == number
    assert read(
        "SELECT provider_id, facility_id, facility, billing_facility FROM form_encounter WHERE pid = %s", pid
    ) == [(number, facility_id, "Site 3", 3)]
    assert read("SELECT formdir, provider_id FROM forms WHERE pid = %s ORDER BY 1", pid) == [
        ("newpatient", number),
        ("procedure_order", number),
    ]
    for column, table in (
        ("provider_id", "procedure_order"),
        ("provider_id", "prescriptions"),
        ("administered_by_id", "immunizations"),
    ):
        assert read(f"SELECT {column} FROM {table} WHERE patient_id = %s", pid) == [(number,)], table
    assert (written.result, written.tables["users"], written.tables["facility"]) == (Result.APPLIED, 1, 1)


async def test_rows_are_as_openemr_wants_them(target: OpenEmrTarget, read: Read, source: str) -> None:
    """A provider in the lists, who cannot log in; a place of service that sends no bills."""
    await put(target, a_plan(source, provider={"dea": "AB1", "specialty_concept_id": 38003660}))

    ((facility_id, *where),) = sites(
        read, source, "id, name, street, city, state, postal_code, service_location, billing_location, "
        "primary_business_entity, inactive",
    )  # fmt: skip
    assert where == ["Site 3", "1 Main St", "Springfield", "MA", "01101", 1, 0, 0, 0]
    assert users(
        read, source, "username, fname, lname, npi, federaldrugid, specialty, taxonomy, authorized, active, "
        "abook_type, facility_id, facility, organization, password, google_signin_email",
    ) == [
        (
            f"carebus:{source}:9", "", "Provider 9", NPI, "AB1", "Internal Medicine", "207R00000X", 1, 1,
            "external_provider", facility_id, "Site 3", "Site 3", None, None,
        )
    ]  # fmt: skip
    assert read("SELECT * FROM users_secure WHERE username LIKE 'carebus:%%'") == []


async def test_uuids_are_known_to_openemr(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Registry and mappings: a location each, and a group for the provider; each mapping has its own uuid there."""
    await put(target, a_plan(source))

    for table, rows, resources in (
        ("users", users(read, source, "uuid"), ["Group", "Location"]),
        ("facility", sites(read, source, "uuid"), ["Location"]),
    ):
        ((uuid,),) = rows
        assert read("SELECT table_name, table_id, mapped FROM uuid_registry WHERE uuid = %s", uuid) == [
            (table, "id", 0)
        ]
        assert read(
            "SELECT m.resource, m.resource_path, m.`table`, u.table_name, u.table_id, u.mapped FROM uuid_mapping m "
            "JOIN uuid_registry u ON u.uuid = m.uuid WHERE m.target_uuid = %s ORDER BY 1",
            uuid,
        ) == [(resource, None, table, "uuid_mapping", "id", 1) for resource in resources]


async def test_who_is_not_named_is_of_the_settings(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Records without a provider or site are of the provider and facility that `targets prepare` introduced."""
    await put(target, a_plan(source, provider_id=None, care_site_id=None))

    ((default,),) = read("SELECT id FROM users WHERE username = 'carebus'")
    assert users(read, source) == []
    assert read(
        "SELECT e.provider_id, e.facility_id, e.facility, e.billing_facility, p.providerID FROM form_encounter e "
        "JOIN patient_data p ON p.pid = e.pid WHERE p.pubpid = %s",
        f"{source}:1",
    ) == [(default, 3, "Your Clinic Name Here", 3, default)]


async def test_rerun_changes_nothing(target: OpenEmrTarget, read: Read, source: str) -> None:
    """The same under a newer version, by the same person and by another, writes no row of users or facility."""
    await put(target, a_plan(source, 1))
    before = [users(read, source, "*"), sites(read, source, "*"), mappings(read, source)]
    index = "SELECT row_index, last_job FROM carebus_subject WHERE source = %s AND subject = 'provider/9'"
    known = read(index, source)

    again = await put(target, a_plan(source, 1), v=2)
    other = await put(target, a_plan(source, 2), v=2)

    assert (again.result, again.inserted, again.updated, again.tables) == (Result.UNCHANGED, 0, 0, {})
    assert "users" not in other.tables
    assert [
        users(read, source, "*"),
        sites(read, source, "*"),
        mappings(read, source),
    ] == before
    assert read(index, source) == known


async def test_changed_provider_follows_with_an_unchanged_chart(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """Who gets another name gets it once, and no row of a chart is written; what is older changes nothing."""
    await put(target, a_plan(source))
    clock = (
        "SELECT last_update FROM form_encounter e JOIN patient_data p ON p.pid = e.pid WHERE p.pubpid = %s"
    )
    before = read(clock, f"{source}:1")

    renamed = await put(target, a_plan(source, provider={"provider_name": "Provider Nine"}), v=3)
    late = await put(target, a_plan(source, 2, provider={"provider_name": "Provider Neun"}), v=2)

    assert users(read, source) == [("Provider Nine", 1)]
    assert (renamed.result, renamed.updated, renamed.tables) == (Result.APPLIED, 1, {"users": 1})
    assert "users" not in late.tables
    assert read(clock, f"{source}:1") == before


async def test_visit_follows_to_another_provider_and_back_to_none(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """The encounter and its form change; those who were left stay in the lists."""
    of_visit = (
        "SELECT u.lname, v.lname, e.facility FROM form_encounter e JOIN patient_data p ON p.pid = e.pid JOIN users u "
        "ON u.id = e.provider_id JOIN forms f ON f.form_id = e.id AND f.formdir = 'newpatient' AND f.pid = e.pid "
        "JOIN users v ON v.id = f.provider_id WHERE p.pubpid = %s AND e.external_id = '1'"
    )
    found = []
    for v, (provider_id, care_site_id) in enumerate(((9, 3), (8, 3), (None, None)), start=1):
        one = a_plan(source, provider_id=provider_id, care_site_id=care_site_id, more_providers=[8])
        await put(target, one, v=v)
        found += read(of_visit, f"{source}:1")

    assert found == [
        ("Provider 9", "Provider 9", "Site 3"),
        ("Provider 8", "Provider 8", "Site 3"),
        ("carebus", "carebus", "Your Clinic Name Here"),
    ]
    assert users(read, source) == [("Provider 8", 1), ("Provider 9", 1)]


async def test_provider_without_npi_has_one_only_if_the_site_says_so(
    openemr: OpenEmrSettings, target: OpenEmrTarget, read: Read, source: str
) -> None:
    """None by default; with the setting OpenEMR's FHIR shows them."""
    other = OpenEmrTarget(openemr.model_copy(update={"default_npi": "1987654321"}))
    await other.start()
    try:
        await put(target, a_plan(source, provider={"npi": None}))
        await put(other, a_plan(source, 2, provider={"npi": None}, more_providers=[8]))
    finally:
        await other.stop()

    assert users(read, source, "lname, npi") == [("Provider 8", "1987654321"), ("Provider 9", "")]


async def test_renamed_site_is_told_to_all_who_work_there(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """Whoever renames it, OpenEMR's way: the name in `users` follows, and that is no edit of the provider."""
    await put(target, a_plan(source))
    ((facility_id,),) = sites(read, source, "id")
    read("INSERT INTO users (username, facility, facility_id) VALUES (%s, 'Site 3', %s)", source, facility_id)

    await put(target, a_plan(source, site={"care_site_name": "Clinic 3"}), v=2)
    named = read("SELECT facility FROM users WHERE facility_id = %s", facility_id)
    organization = users(read, source, "organization")
    for table, column in (("facility", "name"), ("users", "facility")):
        key = "id" if table == "facility" else "facility_id"
        read(f"UPDATE {table} SET {column} = 'Our clinic' WHERE {key} = %s", facility_id)
    followed = await put(
        target, a_plan(source, site={"care_site_name": "Clinic 3"}, provider={"npi": "1987654321"}), v=3
    )

    assert named == [("Clinic 3",), ("Clinic 3",)]
    assert organization == [("Clinic 3",)]
    assert (followed.conflicts, users(read, source, "npi, facility")) == ({}, [("1987654321", "Our clinic")])


async def test_edits_of_staff_stay(target: OpenEmrTarget, read: Read, source: str) -> None:
    """A provider whom staff renamed and a site that they closed are left alone, and recorded as conflicts."""
    await put(target, a_plan(source))
    read("UPDATE users SET lname = 'Provider of Ours' WHERE username = %s", f"carebus:{source}:9")
    read("UPDATE facility SET inactive = 1 WHERE id = %s", sites(read, source, "id")[0][0])

    renamed = {"provider": {"provider_name": "Provider Nine"}, "site": {"care_site_name": "Clinic 3"}}
    written = await put(target, a_plan(source, **renamed), v=2)

    assert users(read, source) == [("Provider of Ours", 1)]
    assert sites(read, source) == [("Site 3", 1)]
    assert written.conflicts == {"users": 1, "facility": 1}
    recorded = read(
        "SELECT subject, write_name, ours, theirs FROM carebus_conflict WHERE source = %s ORDER BY 1", source
    )
    assert [row[:2] for row in recorded] == [("care_site/3", "facility"), ("provider/9", "users")]
    ours, theirs = (orjson.loads(text)["lname"] for text in recorded[1][2:])
    assert (ours, theirs) == ("Provider Nine", "Provider of Ours")


async def test_an_edited_provider_of_a_visit_stays(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Staff who give a visit to somebody else are not overruled when the source changes the visit."""
    await put(target, a_plan(source))
    mine = "e.pid = (SELECT pid FROM patient_data WHERE pubpid = %s)"
    read(f"UPDATE form_encounter e SET provider_id = 4711 WHERE {mine}", f"{source}:1")

    written = await put(target, a_plan(source, provider_id=8, more_providers=[8]), v=2)

    found = read(
        f"SELECT provider_id FROM form_encounter e WHERE {mine} AND external_id = '1'", f"{source}:1"
    )
    assert found == [(4711,)]
    assert written.conflicts == {"form_encounter": 1}


async def test_a_user_whom_staff_deleted_is_nobody(target: OpenEmrTarget, read: Read, source: str) -> None:
    """The row does not come back; visits that name them are of the settings' provider."""
    await put(target, a_plan(source, 1))
    read("DELETE FROM users WHERE username = %s", f"carebus:{source}:9")

    written = await put(target, a_plan(source, 2))

    assert (written.result, users(read, source)) == (Result.APPLIED, [])
    assert read(
        "SELECT u.username FROM form_encounter e JOIN patient_data p ON p.pid = e.pid JOIN users u ON "
        "u.id = e.provider_id WHERE p.pubpid = %s",
        f"{source}:2",
    ) == [("carebus",)]


async def test_retired_person_leaves_the_provider(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Others refer to them."""
    await put(target, a_plan(source, 1), a_plan(source, 2))

    await put(target, a_retirement(source, 1), v=2)
    await put(target, a_retirement(source, 2), v=2)

    assert users(read, source) == [("Provider 9", 1)]


async def test_retired_job_leaves_the_provider(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Whether its plans come before or after: what one job brought is in use by the others."""
    await put(target, a_plan(source, 1))
    gone = Delivery(a_retired_source(source, of_job="job"), Version(2), "undo")
    (undone,) = await target.write([gone])
    (late,) = await target.write([Delivery(a_plan(source, 2, more_providers=[8]), Version(1), "job")])

    assert (undone.result, undone.persons, late.result) == (Result.APPLIED, 1, Result.STALE)
    assert users(read, source) == [("Provider 9", 1)]
    assert await target.vanished(source, Version(9)) == []


async def test_retired_source_takes_them_out_of_the_lists_and_a_new_load_brings_them_back(
    target: OpenEmrTarget, read: Read, source: str
) -> None:
    """Deactivated, not deleted: what was written stays readable; a late plan does not bring them back."""
    first = await put(target, a_plan(source))
    before = users(read, source, "id, uuid")

    (retired,) = await target.write([Delivery(a_retired_source(source), Version(2), "undo")])
    gone = users(read, source), sites(read, source)
    await put(target, a_plan(source, 2), v=1)
    still = users(read, source), sites(read, source)
    await put(target, a_plan(source), v=3)

    assert (retired.result, retired.persons) == (Result.APPLIED, 1)
    assert retired.deleted >= first.inserted - 1  # PERSON stays, without anything in the chart
    assert gone == still == ([("Provider 9", 0)], [("Site 3", 1)])
    assert users(read, source) == [("Provider 9", 1)]
    assert sites(read, source) == [("Site 3", 0)]
    assert users(read, source, "id, uuid") == before


async def test_dry_run_makes_nobody(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Nothing is written, not even the ledger."""
    (would,) = await target.write([Delivery(a_plan(source), Version(1), "job", dry_run=True)])

    assert would.inserted
    assert users(read, source) == []
    assert read("SELECT 1 FROM carebus_subject WHERE source = %s", source) == []


async def test_loaders_at_once_make_one_row_each(openemr: OpenEmrSettings, read: Read, source: str) -> None:
    """Four loaders bring the same forty providers in four orders; each is there once, and every visit has its own."""
    loaders = [OpenEmrTarget(openemr) for _ in range(4)]
    for loader in loaders:
        await loader.start()
    providers = range(100, 140)

    async def load(loader: OpenEmrTarget, seed: int) -> None:
        persons = list(range(seed * 100, seed * 100 + 40))
        chance = random.Random(seed)
        chance.shuffle(persons)
        for start in range(0, len(persons), 8):
            batch = [
                Delivery(a_plan(source, p, more_providers=chance.sample(providers, 6)), Version(1), "job")
                for p in persons[start : start + 8]
            ]
            await until_done(loader, batch)

    try:
        await asyncio.gather(*(load(loader, seed) for seed, loader in enumerate(loaders)))
    finally:
        for loader in loaders:
            await loader.stop()

    made = users(read, source, "lname")
    assert len(made) == len(set(made)) == 41
    assert len(sites(read, source)) == 1
    wrong = read(
        "SELECT COUNT(*) FROM form_encounter e JOIN patient_data p ON p.pid = e.pid "
        "JOIN users u ON u.id = e.provider_id WHERE p.pubpid LIKE %s AND e.external_id >= 200 "
        "AND u.lname <> CONCAT('Provider ', e.external_id - 100)",
        f"{source}:%",
    )
    assert wrong == [(0,)]


async def test_odd_texts_arrive(target: OpenEmrTarget, read: Read, source: str) -> None:
    """Quotes, backslashes, other scripts, and a name longer than its column: as OpenEMR can hold them."""
    for v, text in enumerate(ODD_TEXTS, start=1):
        await put(
            target, a_plan(source, provider={"provider_name": text}, site={"care_site_name": text}), v=v
        )

        ((name,),), ((site,),) = users(read, source, "lname"), sites(read, source, "name")
        plain = re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()
        shown = f"{plain[:254]}…" if len(plain) > 255 else plain
        assert (name, site) == ((shown, shown) if shown else ("Provider 9", "Site 3"))
    assert read("SELECT 1 FROM carebus_conflict WHERE source = %s", source) == []


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_ends_with_the_newest_word(
    openemr: OpenEmrSettings, target: OpenEmrTarget, read: Read, source: str, seed: int
) -> None:
    """Statements of several versions about one provider, by many persons, twice, shuffled over two loaders."""
    other = OpenEmrTarget(openemr)
    await other.start()
    chance = random.Random(seed)
    told = [
        Delivery(a_plan(source, p, provider={"provider_name": f"Provider of {v}"}), Version(v), "job")
        for v in range(1, 5)
        for p in chance.sample(range(20), 4)
    ]

    async def load(loader: OpenEmrTarget, mine: Sequence[Delivery]) -> None:
        for one in mine:
            await until_done(loader, [one])

    order = told * 2
    chance.shuffle(order)
    try:
        await asyncio.gather(load(target, order[::2]), load(other, order[1::2]))
    finally:
        await other.stop()

    assert users(read, source) == [("Provider of 4", 1)]
    assert read("SELECT 1 FROM carebus_conflict WHERE source = %s", source) == []


async def test_retirement_beside_loads_leaves_nobody_in_the_lists(
    openemr: OpenEmrSettings, target: OpenEmrTarget, read: Read, source: str
) -> None:
    """What a loader brings while its source is retired goes too, or never comes."""
    other = OpenEmrTarget(openemr)
    await other.start()

    async def load() -> None:
        for p in range(30):
            plan = a_plan(source, p, more_providers=range(100 + 2 * p, 102 + 2 * p))
            await until_done(target, [Delivery(plan, Version(1), "job")])

    async def retire() -> None:
        await asyncio.sleep(0.3)
        await until_done(other, [Delivery(a_retired_source(source), Version(2), "undo")])

    try:
        await asyncio.gather(load(), retire())
    finally:
        await other.stop()

    assert {active for _, active in users(read, source)} <= {0}
    assert (
        read("SELECT 1 FROM carebus_subject WHERE source = %s AND tombstone = 0 AND subject <> '*'", source)
        == []
    )


async def test_killed_loader_leaves_none_twice_and_none_half(
    openemr: OpenEmrSettings, target: OpenEmrTarget, read: Read, source: str, tmp_path: Path
) -> None:
    """Loaders die in the middle; the next one ends with every provider, its uuid and its mappings."""
    plans = [a_plan(source, p, more_providers=range(100 + p, 110 + p)) for p in range(40)]
    texts = [orjson.dumps(_plain(one)).decode() for one in plans]
    (tmp_path / "integration_openemr_directory_plans.py").write_text(
        f"from carebus_contracts.plans import read_plan\nplans = [read_plan(t.encode()) for t in {texts!r}]\n"
    )
    environment = {
        **os.environ,
        **{
            f"CAREBUS_OPENEMR_{name.upper()}": str(getattr(openemr, name))
            for name in ("host", "port", "user", "database")
        },
        "CAREBUS_OPENEMR_PASSWORD": openemr.password.get_secret_value(),
        "PYTHONPATH": str(tmp_path),
    }
    chance = random.Random(7)
    for after in (0, 1, 2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(1 + after):
            writer.stdout.readline()
        await asyncio.sleep(chance.random() / 50)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()

    for start in range(0, 40, 20):
        await until_done(target, [Delivery(p, Version(1), "job") for p in plans[start : start + 20]])

    made = users(read, source, "lname, uuid")
    assert len(made) == len({name for name, _ in made}) == 50
    assert read(
        "SELECT COUNT(*), COUNT(u.uuid), SUM((SELECT COUNT(*) FROM uuid_mapping m WHERE m.target_uuid = t.uuid)) "
        "FROM users t LEFT JOIN uuid_registry u ON u.uuid = t.uuid WHERE t.username LIKE %s",
        f"carebus:{source}:%",
    ) == [(50, 50, 100)]


def _plain(one: ReadPlan) -> dict[str, Any]:
    """A plan as JSON again."""

    def write(of: Any) -> dict[str, Any]:
        fields = ("kind", "table", "hash", "count", "columns", "of")
        return {**{name: getattr(of, name) for name in fields}, "rows": of.records()}

    return {
        "target": one.target,
        "source": one.source,
        "subject": one.subject,
        "writes": [write(w) for w in one.writes],
        "refers": [{"subject": r.subject, "write": write(r.write)} for r in one.refers],
    }


@pytest.mark.parametrize(
    ("subject", "table", "column"),
    [
        pytest.param("provider/1", "users", "google_signin_email", id="a way to log in"),
        pytest.param("provider/1", "patient_data", "fname", id="a table of persons"),
        pytest.param("person/1", "users", "lname", id="another's subject"),
    ],
)
async def test_rows_that_are_no_providers_are_refused(
    target: OpenEmrTarget, source: str, subject: str, table: str, column: str
) -> None:
    """The loader halts, as with any plan of a converter that is newer than itself."""
    row = encode_write(table, ("uuid", column), [orjson.dumps(["0" * 32, "x"])])
    text = encode_plan(
        target="openemr", source=source, subject="person/1", writes=[], refers=[encode_shared(subject, row)]
    )

    with pytest.raises(UnsupportedContract, match="upgrade it"):
        await target.write([Delivery(read_plan(text), Version(1), "job")])


async def test_a_loader_with_least_rights_makes_them(server: Server, new_schema: Callable[[], str]) -> None:
    """Of users it reaches only what a provider needs, and nothing by which somebody could log in."""
    database, user, password = new_schema(), f"least_{uuid4().hex[:8]}", uuid4().hex
    owner = OpenEmrTarget(server.settings(database))
    await owner.prepare()
    server.query(f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
    try:
        for statement in owner.grants(user):
            server.query(statement)
        settings = server.settings(database, user=user, password=password, owner_user="", owner_password="")
        target = OpenEmrTarget(settings)
        await target.start()
        try:
            made = await put(target, a_plan("least"))
            changed = await put(target, a_plan("least", provider={"provider_name": "Provider Nine"}), v=2)
            (retired,) = await target.write([Delivery(a_retired_source("least"), Version(3), "undo")])
        finally:
            await target.stop()
    finally:
        server.query(f"DROP USER {user}@'%'")

    assert (made.tables["users"], changed.tables, retired.tables["users"]) == (1, {"users": 1}, 1)
