"""From the files to the report: every source row is accounted for at every target, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from carebus_console.domain.ledger import JobLedger
from carebus_console.domain.report import report_of
from carebus_contracts.documents import CcdaDocument
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import Accepted, ExtractJob, Planned, SliceDone
from carebus_contracts.plans import read_plan
from carebus_contracts.topics import TARGETS, plans
from carebus_contracts.versions import Version
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_converter.handlers import convert_records
from carebus_extractor.settings import ExtractorSettings
from carebus_loader.adapters.clickhouse import ClickHouseTarget
from carebus_loader.adapters.documents import DocumentsSettings, DocumentStore
from carebus_loader.adapters.openemr import OpenEmrTarget
from carebus_loader.adapters.postgres import PostgresTarget
from carebus_loader.handlers import load_documents, load_plans
from carebus_runtime.offload import Offload
from carebus_runtime.received import Outcomes, Received
from carebus_stack import LocalStack
from integration.openemr.conftest import Server
from integration.warehouses.conftest import clickhouse_settings, postgres_settings
from support.omop_bundles import SYNTHEA27NJ
from unit.extractor.extracting import Extracted, extract

BATCH = 16
Load = Callable[[Sequence[Received[Any]]], Any]


class NoDiscards:
    def discarded(self, job_id: str) -> bool:
        return False


@pytest.fixture(scope="module")
async def loads(
    stack: LocalStack, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Load]]:
    """The handlers of all loaders, at stores of these tests' own."""
    server, name = Server(stack), f"rows_{uuid4().hex[:8]}"
    server.import_file(name, shared / "openemr" / "database.sql")
    sites = tmp_path_factory.mktemp("sites")
    (sites / "default" / "documents").mkdir(parents=True)
    targets = [
        OpenEmrTarget(server.settings(name, sites_folder=sites)),
        PostgresTarget(postgres_settings(stack, name)),
        ClickHouseTarget(clickhouse_settings(stack, name)),
    ]
    store = DocumentStore(DocumentsSettings(url=f"file://{tmp_path_factory.mktemp('documents')}"))
    for target in (*targets, store):
        await target.prepare()
        await target.start()
    handlers: dict[str, Load] = {
        t.name: load_plans(t.write, target=t.name, stage=f"carebus-loader-{t.name}", controls=NoDiscards())
        for t in targets
    }
    handlers["documents"] = load_documents(
        store.write, stage="carebus-loader-documents", controls=NoDiscards()
    )
    yield handlers
    for target in (*targets, store):
        await target.stop()
    server.drop(name)


@pytest.fixture(scope="module")
def source(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    """All of Synthea27Nj."""
    omop = {"format": "parquet", "path": str(SYNTHEA27NJ)}
    job = ExtractJob.model_validate({"kind": "extract", "source": "nj", "omop": omop, "targets": TARGETS})
    settings = ExtractorSettings(allowed_roots=(str(shared),), stage_dir=tmp_path_factory.mktemp("stage"))
    return extract(job, settings)


async def run(
    loads: Mapping[str, Load], source: Extracted, version: int, *, dry_run: bool = False
) -> dict[str, Any]:
    """Run one job, and return its report."""
    job_id = f"job-{version}"
    request = {
        "kind": "extract",
        "source": "nj",
        "omop": {"format": "parquet", "path": "/x"},
        "targets": TARGETS,
    }
    ledger = JobLedger(job_id)
    ledger.apply(Accepted.model_validate({"job_id": job_id, "request": request | {"dry_run": dry_run}}), 1)
    ledger.apply(Planned(job_id=job_id, slices=2, persons=len(source.values), fingerprint="f"), 2)
    slices = ((source.reference, source.reference_tables), (source.bundles, source.tables))
    convert = convert_records(
        Conversion(documents=DocumentSettings(), openemr=MappingSettings()),
        offload=Offload("test"), stage="carebus-converter", controls=NoDiscards(),
    )  # fmt: skip
    for number, (payloads, tables) in enumerate(slices):
        done = SliceDone(job_id=job_id, slice=number, attempt="a", messages=len(payloads), tables=tables)
        ledger.apply(done, 3)
        messages = [
            Received(payload, Envelope(job_id=job_id, slice=number, attempt="a", ordinal=n,
                                       version=Version(version), targets=TARGETS, dry_run=dry_run, filing="wanted"),
                     "t", 0, n, 0, b"k", 1)
            for n, payload in enumerate(payloads)
        ]  # fmt: skip
        converted = await convert(messages)
        enter(ledger, converted)
        for target, load in loads.items():
            arrived = [
                Received(CcdaDocument.from_json(o.value) if target == "documents" else read_plan(o.value),
                         o.envelope, o.topic, 0, n, 0, o.key, len(o.value))
                for n, o in enumerate(converted.outgoing) if o.topic == plans(target).name
            ]  # fmt: skip
            for start in range(0, len(arrived), BATCH):
                enter(ledger, await load(arrived[start : start + BATCH]))
    return report_of(ledger.state)


def enter(ledger: JobLedger, outcomes: Outcomes) -> None:
    assert not outcomes.dead_letters
    for receipt in outcomes.receipts:
        ledger.apply_receipt(receipt, 9)


def by_outcome(report: Mapping[str, Any], target: str) -> dict[str, int]:
    (told,) = [t for t in report["targets"] if t["target"] == target]
    counts = {o: sum(a[o] for a in told["accounts"]) for o in ("written", "unchanged", "stale", "conflict")}
    counts["not_mapped"] = sum(sum(a["not_mapped"].values()) for a in told["accounts"])
    assert sum(counts.values()) == sum(a["emitted"] for a in told["accounts"])
    return {outcome: count for outcome, count in counts.items() if count}


async def test_every_row_is_accounted_for(loads: Mapping[str, Load], source: Extracted) -> None:
    """A dry run, the job, the same again, and the same of an older version: each closes, table by table."""
    would = await run(loads, source, 100, dry_run=True)
    first = await run(loads, source, 200)
    again = await run(loads, source, 300)
    older = await run(loads, source, 50)

    for report in (would, first, again, older):
        assert report["status"] == "completed"
        assert [a for t in report["targets"] for a in t["accounts"] if not a["closes"]] == []
        assert report["closes"]
    for target in TARGETS:
        assert by_outcome(would, target) == by_outcome(first, target)
        assert set(by_outcome(first, target)) <= {"written", "not_mapped"}
        assert set(by_outcome(again, target)) <= {"unchanged", "not_mapped"}
        assert set(by_outcome(older, target)) <= {"stale", "not_mapped"}
    for report, outcome in ((first, "written"), (again, "unchanged"), (older, "stale")):
        (documents,) = (a for t in report["targets"] for a in t["accounts"] if a["table"] == "ccda_document")
        assert documents["emitted"] == documents[outcome] == len(source.values)
    assert set(by_outcome(first, "postgres")) == set(by_outcome(first, "clickhouse")) == {"written"}


async def test_concepts_without_a_mapping_are_named(loads: Mapping[str, Load], source: Extracted) -> None:
    """OpenEMR has no safe place for some observations: the report names their concepts, most frequent first."""
    report = await run(loads, source, 400)

    (openemr,) = [t for t in report["targets"] if t["target"] == "openemr"]
    counts = [told["rows"] for told in openemr["lacking"]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) <= openemr["not_mapped"]["observation"]["no_safe_place"]
    assert openemr["lacking"][0]["table"] == "observation"
