"""Documents among the patients': rows as OpenEMR makes them, files as the target ``documents`` has them."""

from __future__ import annotations

import asyncio
import os
import pickle
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha3_512
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import orjson
import pytest

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.errors import ConfigurationError, ConstraintViolated, TargetUnavailable
from carebus_contracts.omop.bundle import PersonRecords, decode_person
from carebus_contracts.plans import ReadPlan, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.filing import Filing
from carebus_loader.ports import Delivery
from support.omop_bundles import SYNTHEA27NJ, bundles
from support.target_suite import put

from .conftest import Rows, Server
from .hand_made import a_retirement

ROOT = Path(__file__).parents[3]
CONVERT = Conversion(documents=DocumentSettings(), openemr=MappingSettings())
OF_PERSON = "SELECT d.* FROM documents d JOIN patient_data p ON p.pid = d.foreign_id WHERE p.pubpid = %s"


@pytest.fixture(scope="module")
def bundle() -> Mapping[str, Any]:
    """A person with some of everything, as text."""
    made: Mapping[str, Any] = orjson.loads(
        max(bundles(SYNTHEA27NJ), key=lambda b: (len(b) < 100_000, len(b)))
    )
    return made


def filed(person: PersonRecords) -> ReadPlan:
    return read_plan(CONVERT(person, "openemr", filed=True) or b"")


def xml_of(person: PersonRecords) -> bytes:
    """The document, as it travels to the target ``documents``."""
    return CcdaDocument.from_json(CONVERT(person, "documents") or b"").xml.encode()


@dataclass(frozen=True)
class Clinic:
    """An OpenEMR with its folder, and a source of the test's own."""

    sites: Path
    read: Callable[..., Rows]
    source: str
    bundle: Mapping[str, Any]

    @property
    def root(self) -> Path:
        return self.sites / "default" / "documents"

    def person(self, person_id: int = 1, *, less: int = 0) -> PersonRecords:
        """The person of the bundle under another id, without the last conditions."""
        tables = {
            name: {
                **table,
                "rows": [
                    [
                        person_id if column == "person_id" else cell
                        for column, cell in zip(table["columns"], row, strict=True)
                    ]
                    for row in table["rows"]
                ],
            }
            for name, table in self.bundle["tables"].items()
        }
        conditions = tables["condition_occurrence"]
        conditions["rows"] = conditions["rows"][: len(conditions["rows"]) - less]
        whole = {**self.bundle, "source": self.source, "person_id": person_id, "tables": tables}
        return decode_person(orjson.dumps(whole))

    def files(self) -> dict[str, bytes]:
        """Every file by its path."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def rows(self, person_id: int = 1) -> list[dict[str, Any]]:
        """Every row of ``documents`` of a person."""
        names = [name for (name, *_) in self.read("SHOW COLUMNS FROM documents")]
        found = self.read(OF_PERSON, f"{self.source}:{person_id}")
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, person_id: int = 1) -> dict[str, Any]:
        """The one row of a person."""
        (row,) = self.rows(person_id)
        return row

    def shown(self, number: int) -> list[str]:
        """Categories under which OpenEMR shows a document."""
        found = self.read(
            "SELECT c.name FROM categories_to_documents l JOIN categories c ON c.id = l.category_id "
            "WHERE l.document_id = %s",
            number,
        )
        return [name for (name,) in found]


def place(row: Mapping[str, Any]) -> str:
    """Path of a row's file, as OpenEMR finds it."""
    return "/".join(row["url"].split("/")[-2:])


@pytest.fixture
def clinic(tmp_path: Path, read: Callable[..., Rows], bundle: Mapping[str, Any]) -> Clinic:
    """A folder of this test's own, beside the schema that tests share."""
    clinic = Clinic(tmp_path / "sites", read, f"p{uuid4().hex[:10]}", bundle)
    clinic.root.mkdir(parents=True)
    return clinic


@pytest.fixture
def filing(server: Server, openemr: OpenEmrSettings, clinic: Clinic) -> OpenEmrSettings:
    """Settings of a loader that files documents."""
    return server.settings(openemr.database, sites_folder=clinic.sites)


@pytest.fixture
async def target(filing: OpenEmrSettings) -> AsyncIterator[OpenEmrTarget]:
    target = OpenEmrTarget(filing)
    await target.start()
    yield target
    await target.stop()


async def test_documents_of_a_data_set_are_filed_as_openemr_files_them(
    target: OpenEmrTarget, clinic: Clinic, shared: Path, tmp_path: Path
) -> None:
    """Rows, uuids, category and files; every file is the target's document byte for byte, and valid."""
    persons = [decode_person(b) for b in bundles(SYNTHEA27NJ, source=clinic.source)]
    expected = {p.person_id: xml_of(p) for p in persons}

    written = await target.write([Delivery(filed(p), Version(1), "job") for p in persons])

    assert {w.result for w in written} == {Result.APPLIED}
    assert {w.tables["documents"] for w in written} == {1}
    there, provider = clinic.files(), clinic.read("SELECT id FROM users WHERE username = 'carebus'")[0][0]
    assert len(there) == len(persons)
    numbers = set()
    for person_id, xml in expected.items():
        row = clinic.row(person_id)
        pid, drive = row["foreign_id"], str(UUID(bytes=row["drive_uuid"]))
        assert there[f"{pid}/{drive}"] == xml
        (tmp_path / f"{person_id}.xml").write_bytes(xml)
        assert row["url"] == f"file://{clinic.sites}/default/documents/{pid}/{drive}"
        assert row["hash"] == sha3_512(xml).hexdigest()
        told = {name: row[name] for name in (
            "type", "size", "mimetype", "owner", "name", "list_id", "storagemethod", "path_depth", "imported",
            "encounter_id", "audit_master_approval_status", "encrypted", "deleted", "couch_docid", "date_expires",
        )}  # fmt: skip
        assert told == {
            "type": "file_url", "size": len(xml), "mimetype": "text/xml", "owner": provider,
            "name": f"ccda-{clinic.source}.xml", "list_id": 0, "storagemethod": 0, "path_depth": 1, "imported": 1,
            "encounter_id": 0, "audit_master_approval_status": 2, "encrypted": 0, "deleted": 0,
            "couch_docid": None, "date_expires": None,
        }  # fmt: skip
        assert f'<effectiveTime value="{row["docdate"]:%Y%m%d}'.encode() in xml
        assert clinic.shown(row["id"]) == ["CCDA"]
        known = "SELECT table_name, table_id, document_drive, mapped FROM uuid_registry WHERE uuid = %s"
        assert list(clinic.read(known, row["uuid"])) == [("documents", "id", 0, 0)]
        assert list(clinic.read(known, row["drive_uuid"])) == [("", "", 1, 0)]
        numbers.add(row["id"])
    assert len(numbers) == len(persons)
    assert max(numbers) <= clinic.read("SELECT id FROM sequences")[0][0]
    taken = clinic.read("SELECT encounter FROM form_encounter")
    assert numbers.isdisjoint(encounter for (encounter,) in taken)
    validator = shared / "ccda" / "ccda_validate.py"
    judged = subprocess.run(
        [sys.executable, validator, "--strict", *sorted(tmp_path.glob("*.xml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-2000:] + judged.stderr[-2000:]


async def test_nobody_is_asked_to_import_what_the_chart_has(target: OpenEmrTarget, clinic: Clinic) -> None:
    """OpenEMR offers documents of the category for import while their status is 1."""
    await put(target, filed(clinic.person()))

    offered = clinic.read(
        "SELECT d.id FROM documents d JOIN categories_to_documents l ON l.document_id = d.id "
        "JOIN categories c ON c.id = l.category_id AND c.name = 'CCDA' WHERE d.audit_master_approval_status = 1"
    )

    assert clinic.shown(clinic.row()["id"]) == ["CCDA"]
    assert offered == []


async def test_no_statement_holds_a_document(
    filing: OpenEmrSettings, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither SQL nor its arguments nor rows that are loaded have anything of the XML."""
    sent: list[str] = []
    run, load = Session._run, Session.load

    async def noted_run(self: Session, sql: str, arguments: Sequence[Any]) -> Any:
        sent.append(f"{sql} {arguments!r}")
        return await run(self, sql, arguments)

    async def noted_load(self: Session, sql: str, lines: Sequence[str]) -> bool:
        sent.extend(lines)
        return await load(self, sql, lines)

    monkeypatch.setattr(Session, "_run", noted_run)
    monkeypatch.setattr(Session, "load", noted_load)
    target = OpenEmrTarget(filing)
    await target.start()
    person = clinic.person()
    await put(target, filed(person))
    await put(target, filed(clinic.person(less=1)), v=2)
    await target.stop()

    assert any(sha3_512(xml_of(person)).hexdigest() in text for text in sent)
    assert not [text for text in sent if "ClinicalDocument" in text or "urn:hl7-org" in text]


async def test_the_same_again_changes_neither_row_nor_file(target: OpenEmrTarget, clinic: Clinic) -> None:
    """A later job with the same content, and the same message again, leave even the times as they were."""
    plan = filed(clinic.person())
    await put(target, plan, v=1)
    before, (file,) = clinic.row(), list((clinic.root).glob("*/*"))
    stamp = file.stat().st_mtime_ns

    again, later = await put(target, plan, v=1), await put(target, plan, v=2)

    assert [again.result, later.result] == [Result.UNCHANGED] * 2
    assert clinic.row() == before
    assert list(file.parent.iterdir()) == [file]
    assert file.stat().st_mtime_ns == stamp


async def test_a_changed_person_gets_a_new_file_and_an_older_bundle_changes_nothing(
    target: OpenEmrTarget, clinic: Clinic
) -> None:
    """The row keeps its number and uuid; the file of before is gone, and its uuid is not registered."""
    first, second = clinic.person(), clinic.person(less=1)
    await put(target, filed(first), v=1)
    before = clinic.row()

    written = await put(target, filed(second), v=3)
    after = clinic.row()
    stale = await put(target, filed(first), v=2)

    assert written.tables["documents"] == 1
    assert stale.result is Result.STALE
    assert clinic.row() == after
    assert list(clinic.files().values()) == [xml_of(second)]
    assert after["url"].endswith(next(iter(clinic.files())))
    kept = ("id", "uuid", "date", "foreign_id", "name", "deleted")
    assert {n: after[n] for n in kept} == {n: before[n] for n in kept}
    assert after["hash"] == sha3_512(xml_of(second)).hexdigest() != before["hash"]
    assert clinic.shown(after["id"]) == ["CCDA"]
    registered = clinic.read(
        "SELECT uuid FROM uuid_registry WHERE document_drive = 1 AND uuid IN (%s, %s)",
        before["drive_uuid"],
        after["drive_uuid"],
    )
    assert [uuid for (uuid,) in registered] == [after["drive_uuid"]]


@pytest.mark.parametrize(
    "more",
    [None, {}, {"of_job": "job"}, {"subject": "person/*"}],
    ids=["person", "source", "job", "vanished"],
)
async def test_who_is_retired_leaves_no_file(
    target: OpenEmrTarget, clinic: Clinic, more: Mapping[str, str] | None
) -> None:
    """The row is marked as OpenEMR marks deleted documents; records that come again bring it back."""
    person = clinic.person()
    await put(target, filed(person), v=1)
    before = clinic.row()
    gone = a_retirement(clinic.source, 1)
    if more is not None:
        everything = {"kind": "tombstone", "table": "*", "hash": "", "count": 0}
        whole = {"target": "openemr", "source": clinic.source, "subject": "*", "writes": [everything]}
        gone = read_plan(orjson.dumps({**whole, **more}))

    await put(target, gone, v=2)
    marked, left, links = clinic.row(), clinic.files(), clinic.shown(before["id"])
    await put(target, filed(person), v=3)

    assert (marked["id"], marked["deleted"], links, left) == (before["id"], 1, [], {})
    back = clinic.row()
    assert (back["id"], back["deleted"], clinic.shown(back["id"])) == (before["id"], 0, ["CCDA"])
    assert list(clinic.files().values()) == [xml_of(person)]


async def test_a_job_that_does_not_ask_leaves_documents_alone(target: OpenEmrTarget, clinic: Clinic) -> None:
    """Its plans say nothing of them, also where the chart changes."""
    await put(target, filed(clinic.person()), v=1)
    before = clinic.row(), clinic.files()

    other = read_plan(CONVERT(clinic.person(less=2), "openemr") or b"")
    written = await put(target, other, v=2)

    assert written.result is Result.APPLIED
    assert (clinic.row(), clinic.files()) == before


async def test_without_a_folder_charts_are_loaded_and_documents_counted(
    openemr: OpenEmrSettings,
    target: OpenEmrTarget,
    clinic: Clinic,
) -> None:
    """A job that requires documents is refused for each person; a loader with a folder files them later."""
    plan = filed(clinic.person())
    bare = OpenEmrTarget(openemr)
    await bare.start()
    (refused,) = await bare.write([Delivery(plan, Version(1), "job", filing="required")])
    patients = clinic.read("SELECT pid FROM patient_data WHERE pubpid = %s", f"{clinic.source}:1")
    (loaded,) = await bare.write([Delivery(plan, Version(2), "job", filing="wanted")])
    nothing = clinic.rows()
    (later,) = await target.write([Delivery(plan, Version(3), "job", filing="required")])
    with pytest.raises(TargetUnavailable, match="CAREBUS_OPENEMR_SITES_FOLDER is not set"):
        await put(bare, a_retirement(clinic.source, 1), v=4)
    await bare.stop()

    assert refused.result is Result.REFUSED
    assert "CAREBUS_OPENEMR_SITES_FOLDER" in refused.reason
    assert not patients
    assert loaded.result is Result.APPLIED
    assert loaded.not_mapped == {"ccda_document": {"no_sites_folder": 1}}
    assert nothing == []
    assert (later.result, later.tables) == (Result.APPLIED, {"documents": 1})
    assert list(clinic.files().values()) == [xml_of(clinic.person())]


async def test_what_staff_did_to_a_document_stays(target: OpenEmrTarget, clinic: Clinic) -> None:
    """Renamed, deleted or given to another patient, it is left alone with its file, and recorded."""
    edits = {
        1: "UPDATE documents SET name = 'by hand' WHERE id = %s",
        2: "UPDATE documents SET deleted = 1 WHERE id = %s",
        3: "UPDATE documents SET foreign_id = 999999 WHERE id = %s",
    }
    for person_id, edit in edits.items():
        await put(target, filed(clinic.person(person_id)), v=1)
        clinic.read(edit, clinic.row(person_id)["id"])
    before = clinic.read("SELECT * FROM documents ORDER BY id"), clinic.files()

    written = [await put(target, filed(clinic.person(p, less=1)), v=2) for p in edits]

    assert [w.conflicts.get("documents") for w in written] == [1, 1, 1]
    assert (clinic.read("SELECT * FROM documents ORDER BY id"), clinic.files()) == before


async def test_two_owners_and_any_order_end_in_the_newest_document(
    filing: OpenEmrSettings, clinic: Clinic
) -> None:
    """Shuffled versions with duplicates at two loaders at once leave one row and one file."""
    persons = [clinic.person(less=less) for less in (0, 1, 2, 0, 3)]
    deliveries = [Delivery(filed(p), Version(v), "job") for v, p in enumerate(persons, 1)] * 2
    random.Random(3).shuffle(deliveries)
    targets = [OpenEmrTarget(filing), OpenEmrTarget(filing)]
    for target in targets:
        await target.start()

    async def work(target: OpenEmrTarget, some: Sequence[Delivery]) -> None:
        for delivery in some:
            while True:
                try:
                    await target.write([delivery])
                    break
                except TargetUnavailable:
                    await asyncio.sleep(0.05)

    await asyncio.gather(*(work(t, deliveries[n::2]) for n, t in enumerate(targets)))
    for target in targets:
        await target.stop()

    assert clinic.files() == {place(clinic.row()): xml_of(persons[-1])}


def _die_while_writing(settings: dict[str, Any], plans: list[bytes], where: str) -> None:
    """Write plans one after the other in a process of its own, and be killed while the last one is filed."""
    put_documents = Filing.put

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def put_and_die(*arguments: Any) -> Any:
        await put_documents(*arguments)
        die()

    async def write() -> None:
        target = OpenEmrTarget(OpenEmrSettings(**settings))
        await target.start()
        for v, plan in enumerate(plans, 1):
            if v == len(plans):
                before = where == "before the commit"
                setattr(Filing, *(("put", put_and_die) if before else ("clean", die)))
            await target.write([Delivery(read_plan(plan), Version(v), "job")])

    asyncio.run(write())


def kill_9_in(filing: OpenEmrSettings, persons: Sequence[PersonRecords], where: str) -> None:
    """Write the plans of persons, version by version, and die in the last one."""
    secrets = {n: getattr(filing, n).get_secret_value() for n in ("password", "owner_password")}
    plans = [CONVERT(p, "openemr", filed=True) or b"" for p in persons]
    code = (
        "import pickle, sys\n"
        "from tests.integration.openemr.test_openemr_documents import _die_while_writing\n"
        "_die_while_writing(*pickle.load(sys.stdin.buffer))\n"
    )
    order = pickle.dumps((filing.model_dump() | secrets, plans, where))
    child = subprocess.run(
        [sys.executable, "-c", code], input=order, cwd=ROOT, capture_output=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()


@pytest.mark.parametrize("where", ["before the commit", "after the commit"])
@pytest.mark.parametrize("known", [False, True], ids=["first load", "change"])
async def test_kill_9_between_file_and_commit_is_mended_by_the_next_try(
    target: OpenEmrTarget, filing: OpenEmrSettings, clinic: Clinic, where: str, *, known: bool
) -> None:
    """Whatever stands is whole; after the same message again there is one row and its file, and no other."""
    persons = [clinic.person(), clinic.person(less=1)][0 if known else 1 :]
    kill_9_in(filing, persons, where)
    between, found = clinic.files(), clinic.rows()

    await put(target, filed(persons[-1]), v=len(persons))

    for row in found:
        assert sha3_512(between[place(row)]).hexdigest() == row["hash"]
    assert xml_of(persons[-1]) in between.values()
    assert len(found) == (1 if known or where == "after the commit" else 0)
    assert clinic.files() == {place(clinic.row()): xml_of(persons[-1])}
    assert clinic.shown(clinic.row()["id"]) == ["CCDA"]


async def test_what_an_interrupted_first_load_left_goes_with_the_next_document(
    target: OpenEmrTarget, filing: OpenEmrSettings, clinic: Clinic
) -> None:
    """Also when a newer bundle comes instead of the same again; files of others in the folder stay."""
    kill_9_in(filing, [clinic.person()], "before the commit")
    (left,) = clinic.root.glob("*/*")
    of_staff = left.parent / str(uuid4())
    of_staff.write_bytes(b"a scan")

    await put(target, filed(clinic.person(less=1)), v=2)

    assert clinic.files() == {
        place(clinic.row()): xml_of(clinic.person(less=1)),
        f"{of_staff.parent.name}/{of_staff.name}": b"a scan",
    }


async def test_a_folder_that_goes_away_is_waited_for(target: OpenEmrTarget, clinic: Clinic) -> None:
    """One sentence names the folder, nothing is half done, and the same batch works when it is back."""
    plan = filed(clinic.person())
    documents = clinic.root
    documents.rename(clinic.sites / "away")

    with pytest.raises(
        TargetUnavailable, match=f"{documents} takes no documents: .* CAREBUS_OPENEMR_SITES_FOLDER"
    ):
        await put(target, plan)
    with pytest.raises(TargetUnavailable, match=str(documents)):
        await target.ping()
    nothing = (
        clinic.rows(),
        clinic.read(
            "SELECT COUNT(*) FROM carebus_subject WHERE source = %s AND subject <> '*'", clinic.source
        ),
    )
    (clinic.sites / "away").rename(documents)
    written = await put(target, plan)

    assert nothing == ([], [(0,)])
    assert written.result is Result.APPLIED
    assert list(clinic.files().values()) == [xml_of(clinic.person())]
    await target.ping()


async def test_a_folder_or_category_that_is_not_there_is_said_at_the_start(
    server: Server, new_schema: Callable[[], str], clinic: Clinic
) -> None:
    """Each gets one sentence that names the setting."""
    database = new_schema()
    await OpenEmrTarget(server.settings(database)).prepare()

    with pytest.raises(ConfigurationError, match=r"SITES_FOLDER: .*/other/documents .* is not there"):
        await OpenEmrTarget(server.settings(database, sites_folder=clinic.sites, site="other")).start()
    server.query(f"DELETE FROM {database}.categories WHERE name = 'CCDA'")
    with pytest.raises(ConfigurationError, match="no category CCDA"):
        await OpenEmrTarget(server.settings(database, sites_folder=clinic.sites)).start()


async def test_a_lost_file_comes_back_with_the_next_job(target: OpenEmrTarget, clinic: Clinic) -> None:
    """The same content restores it, and changes no row; not where staff deleted the document."""
    plans = [filed(clinic.person(n)) for n in (1, 2)]
    for plan in plans:
        await put(target, plan, v=1)
    clinic.read("UPDATE documents SET deleted = 1 WHERE id = %s", clinic.row(2)["id"])
    before = clinic.row(1), clinic.row(2)
    for file in clinic.root.glob("*/*"):
        file.unlink()

    written = await target.write([Delivery(plan, Version(2), "job") for plan in plans])

    assert [w.result for w in written] == [Result.UNCHANGED] * 2
    assert (clinic.row(1), clinic.row(2)) == before
    assert clinic.files() == {place(clinic.row(1)): xml_of(clinic.person(1))}


async def test_a_file_that_is_not_the_one_of_its_row_costs_its_neighbours_nothing(
    target: OpenEmrTarget, clinic: Clinic
) -> None:
    """The plan is refused for good; the others of the batch are filed when it stands alone."""
    good, bad = filed(clinic.person(1)), filed(clinic.person(2))
    other = msgspec.structs.replace(
        bad, files={uuid: good.files[next(iter(good.files))] for uuid in bad.files}
    )
    without = msgspec.structs.replace(bad, files={})

    for plan, why in ((other, "not the one"), (without, "without its file")):
        with pytest.raises(ConstraintViolated, match=f"^documents: .*{why}"):
            await put(target, good, plan)
    await put(target, good)

    assert clinic.files() == {place(clinic.row(1)): xml_of(clinic.person(1))}
    assert clinic.rows(2) == []


async def test_a_patient_whom_openemr_had_gets_the_document(filing: OpenEmrSettings, clinic: Clinic) -> None:
    """It stands in the folder of the number that staff gave."""
    number = f"MRN-{uuid4().hex[:8]}"
    clinic.read(
        "INSERT INTO patient_data (pid, pubpid, fname, lname, DOB, sex) "
        "SELECT COALESCE(MAX(pid), 0) + 1, %s, 'by', 'hand', '1970-01-01', 'Female' FROM patient_data",
        number,
    )
    ((pid,),) = clinic.read("SELECT pid FROM patient_data WHERE pubpid = %s", number)
    target = OpenEmrTarget(filing.model_copy(update={"match": "pubpid"}))
    await target.start()

    await put(target, msgspec.structs.replace(filed(clinic.person()), match=number))
    await target.stop()

    (file,) = clinic.root.glob("*/*")
    assert file.parent.name == str(pid)
    assert clinic.read("SELECT foreign_id FROM documents WHERE url = %s", f"file://{file}") == [(pid,)]


async def test_dry_run_writes_no_file(target: OpenEmrTarget, clinic: Clinic) -> None:
    """What would be filed is counted."""
    (written,) = await target.write(
        [Delivery(filed(clinic.person()), Version(1), "job", dry_run=True, filing="wanted")]
    )

    assert written.tables["documents"] == 1
    assert (clinic.files(), clinic.rows()) == ({}, [])
