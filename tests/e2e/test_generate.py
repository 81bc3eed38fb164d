"""Generated patients on real servers: through the whole suite, the same however they are cut, after kills."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from carebus_generator.adapters.verifying import verify
from carebus_generator.files_command import scenario_named
from carebus_stack import LocalStack
from support.fingerprints import everything
from support.signatures import FIVE, assert_their_own, hashes_of_data, signature_in
from support.suites import RunningSuite, accounts_close, running_suite

TARGETS = ("openemr", "postgres", "clickhouse", "documents")
FULL = os.environ.get("CAREBUS_TEST_FULL") == "1"
PATIENTS = 100_000 if FULL else 20_000
CHUNKS = (500, 2_000, 8_192)


@pytest.fixture(scope="module")
def makers(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """Two generators and nothing behind them: jobs write files. Small slices, so that both have a part."""
    folder = tmp_path_factory.mktemp("makers")
    with running_suite(
        stack, folder, name="makers", roots=[folder], replicas={"generator": 2, "extractor": 0, "converter": 0},
        port_offset=760, targets=(), more={"CAREBUS_GENERATOR_SLICE_PATIENTS": "2000"},
    ) as running:  # fmt: skip
        yield running


def a_job(folder: Path, **options: Any) -> dict[str, Any]:
    """A job that writes NDJSON below a folder."""
    return {
        "kind": "generate",
        "source": "exercise",
        "scenario": "baltic_defence",
        "total": PATIENTS,
        "seed": 20_261_121,
        "files": [{"format": "ndjson", "url": str(folder), "compression": "zstd"}],
    } | options


def in_both_forms(folder: Path, chunk: int) -> dict[str, Any]:
    """A job that writes NDJSON and Parquet below a folder, in chunks of so many patients."""
    files = [{"format": form, "url": str(folder / form)} for form in ("ndjson", "parquet")]
    return a_job(folder, files=files, chunk_patients=chunk)


async def test_a_thousand_patients_go_through_the_whole_suite(
    stack: LocalStack, shared: Path, tmp_path: Path
) -> None:
    """Every row that is made arrives, in all four targets, and is accounted for; documents are valid C-CDA."""
    with running_suite(
        stack, tmp_path, name="made", roots=[tmp_path], replicas={"generator": 1, "extractor": 0},
        port_offset=790, more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
    ) as suite:  # fmt: skip
        state = suite.run(a_job(tmp_path / "files", total=1_000, targets=TARGETS), 600)
        found = await everything(suite.settings, suite.folder)

    assert state["status"] == "completed", state
    assert accounts_close(state)
    rows = {table: int(text.split()[0]) for table, text in found["postgres"].items()}
    made = {table: counts["emitted"] for table, counts in state["tables"].items()}
    assert rows["person"] == len(found["documents"]) == found["openemr"]["patient_data"].total() == 1_000
    assert {table: rows[table] for table in made} == made
    documents = sorted((suite.folder / "documents").rglob("*.xml"))
    assert len(documents) == 1_000
    for schematron in ("r21", "r21-2025-07", "companion"):
        assert_valid(shared, documents if FULL else documents[::10], schematron)


def assert_valid(shared: Path, documents: Sequence[Path], schematron: str) -> None:
    """Fail with the findings unless the validator finds no error in any document."""
    validator = str(shared / "ccda" / "ccda_validate.py")
    command = [sys.executable, validator, "--strict", "-q", "--sch", schematron, *map(str, documents)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4_000:] + run.stderr[-1_000:]
    assert " 0 failed, 0 errors" in run.stdout + run.stderr


def hash_of(folder: Path) -> str:
    """The data-set hash that the manifest of a folder names."""
    return str(orjson.loads((folder / "manifest.json").read_bytes())["data_set_hash"])


def assert_same(state: dict[str, Any], folder: Path, wanted: str) -> None:
    """Fail unless a job completed with the patients wanted, in both forms; Parquet rows are read again."""
    assert state["status"] == "completed", state
    assert {form: hash_of(folder / form) for form in ("ndjson", "parquet")} == dict.fromkeys(
        ("ndjson", "parquet"), wanted
    )
    assert verify(str(folder / "parquet")).faults == ()
    print(f"{folder.name}: {PATIENTS:,} patients, {wanted} as NDJSON and, by value, as Parquet")


@pytest.fixture(scope="module")
def undisturbed(makers: RunningSuite) -> str:
    """The hash of the data set after a run with chunks of 2,000 that nobody disturbed, read again."""
    folder = makers.folder / "undisturbed"
    state = makers.run(in_both_forms(folder, 2_000), 600)
    assert state["tables"]["person"]["emitted"] == PATIENTS
    found = verify(str(folder / "ndjson"))
    assert found.faults == ()
    assert_same(state, folder, found.manifest.data_set_hash)
    return found.manifest.data_set_hash


@pytest.mark.parametrize("chunk", [500, 8_192])
def test_the_data_set_is_the_same_however_it_is_cut(
    makers: RunningSuite, undisturbed: str, chunk: int
) -> None:
    """Chunks of another size, by two workers that both had a part."""
    folder = makers.folder / f"chunks-{chunk}"
    job_id = makers.submit(in_both_forms(folder, chunk))

    assert_same(makers.wait(job_id, 600), folder, undisturbed)
    assert all(job_id in jobs_of(makers, name) for name in ("generator-1", "generator-2"))


@pytest.mark.parametrize("chunk", CHUNKS if FULL else [500])
def test_the_data_set_is_the_same_after_kills(makers: RunningSuite, undisturbed: str, chunk: int) -> None:
    """SIGKILL in the middle; the other worker goes on, the killed one comes back."""
    folder = makers.folder / f"killed-{chunk}"
    job_id = makers.submit(in_both_forms(folder, chunk))
    for name, slices in (("generator-1", 2), ("generator-2", 4)):
        seen = makers.wait_for(job_id, lambda state, least=slices: state["slices_extracted"] >= least)
        makers.workers.kill(name)
        assert seen["status"] == "running", "killed too late"
        makers.workers.restart(name)

    assert_same(makers.wait(job_id, 600), folder, undisturbed)


@pytest.fixture
def alone(makers: RunningSuite) -> Iterator[RunningSuite]:
    """One worker is left."""
    makers.workers.wait_ready(120)
    makers.workers.kill("generator-2")
    yield makers
    makers.workers.restart("generator-2")
    makers.workers.wait_ready(120)


@pytest.mark.parametrize("chunk", CHUNKS if FULL else [8_192])
def test_one_worker_alone_makes_the_same_data_set(alone: RunningSuite, undisturbed: str, chunk: int) -> None:
    """Killed in the middle as well; it goes on when it comes back."""
    folder = alone.folder / f"alone-{chunk}"
    job_id = alone.submit(in_both_forms(folder, chunk))
    alone.wait_for(job_id, lambda state: state["slices_extracted"] >= 2)
    alone.workers.kill("generator-1")
    alone.workers.restart("generator-1")

    assert_same(alone.wait(job_id, 600), folder, undisturbed)


def test_five_jobs_at_once_show_their_own_signature(makers: RunningSuite) -> None:
    """Five ways of fighting, made at the same time by two workers: none takes on anything of another."""
    scenarios = makers.folder / "scenarios"
    scenarios.mkdir()
    for name in FIVE:
        (scenarios / f"{name}.toml").write_text(FIGHTING.format(name=name))
    before = hashes_of_data(), hashes_in(scenarios)

    jobs = {name: makers.submit(a_fight(makers.folder, scenarios / f"{name}.toml")) for name in FIVE}
    states = {name: makers.wait(job_id) for name, job_id in jobs.items()}

    assert {name: state["status"] for name, state in states.items()} == dict.fromkeys(FIVE, "completed")
    assert max(state["created_ms"] for state in states.values()) < min(
        state["finished_ms"] for state in states.values()
    )
    for worker in ("generator-1", "generator-2"):
        assert len(jobs_of(makers, worker) & {*jobs.values()}) > 1
    assert_their_own({name: signature_in(makers.folder / "fights" / name) for name in FIVE})
    assert (hashes_of_data(), hashes_in(scenarios)) == before


FIGHTING = """\
name = "{name}"
total = 10_000
days = 8
base_date = 2025-06-01
warfare = ["{name}"]
intensity = "medium"
mix = {{ battle = 0.5, non_battle = 0.3, disease = 0.2 }}
"""


def a_fight(folder: Path, scenario: Path) -> dict[str, Any]:
    """A job with the scenario of a file, read as the command line does."""
    content = scenario_named(str(scenario), None).model_dump(mode="json")
    place = str(folder / "fights" / scenario.stem)
    job = a_job(folder, scenario=content, files=[{"format": "parquet", "url": place}])
    return {field: value for field, value in job.items() if field != "total"}


def hashes_in(folder: Path) -> dict[str, str]:
    """The hash of each file of a folder."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def jobs_of(makers: RunningSuite, worker: str) -> set[str]:
    """The jobs of which a worker made slices."""
    lines = makers.workers.log(worker).read_text().splitlines()
    events = [orjson.loads(line) for line in lines if '"slice_made"' in line]
    return {event["job_id"] for event in events}


def test_a_cancelled_job_stops_in_its_chunk(makers: RunningSuite) -> None:
    """Within seconds, however large the job; what is there is no finished data set."""
    folder = makers.folder / "cancelled"
    job_id = makers.submit(a_job(folder, total=50_000_000))
    makers.wait_for(job_id, lambda state: state["slices_extracted"] >= 1)
    began = time.monotonic()
    makers.client.post(f"/jobs/{job_id}/cancel", json={}).raise_for_status()
    state = makers.wait(job_id, 60)

    assert state["status"] == "cancelled"
    assert time.monotonic() - began < 30
    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scenario": "baltic_defense"}, "there is no such preset"),
        ({"scenario": {"total": 10, "days": 0}}, "days"),
        ({"total": -5}, "total"),
        ({"files": [], "targets": []}, "say where the patients shall go"),
        ({"files": [{"format": "ndjson", "url": "/proc/nowhere"}]}, "CAREBUS_GENERATOR_ALLOWED_ROOTS"),
    ],
    ids=["preset", "days", "total", "nowhere", "root"],
)
def test_a_job_that_cannot_be_gets_a_sentence(
    makers: RunningSuite, options: dict[str, Any], sentence: str
) -> None:
    """Refused when it is submitted, or failed before a patient is made."""
    answer = makers.client.post("/jobs", json=a_job(makers.folder / "refused") | options)
    said = answer.text
    if answer.status_code == 202:
        state = makers.wait(answer.json()["job_id"])
        assert state["status"] == "failed"
        assert "person" not in state["tables"]
        said = " ".join(state["reasons"])

    assert sentence in said


def test_the_command_line_submits_a_job_and_follows_it(makers: RunningSuite) -> None:
    """A preset by name, with files; the data set is what its manifest says."""
    folder, carebus = makers.folder / "told", str(Path(sys.executable).with_name("carebus"))
    console = {**os.environ, "CAREBUS_CONSOLE_URL": str(makers.client.base_url)}
    submit = ["generate", "submit", "training", "--files", f"csv={folder}", "--seed", "7", "--watch"]

    submitted = subprocess.run([carebus, *submit], env=console, capture_output=True, text=True, check=False)
    verified = subprocess.run(
        [carebus, "generate", "verify", str(folder)], capture_output=True, text=True, check=False
    )

    assert submitted.returncode == 0, submitted.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "100 patients" in verified.stdout
