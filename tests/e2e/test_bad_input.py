"""Bad input gets a clear answer that says what to do, and a good job beside it is not disturbed."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from carebus_contracts.topics import JOB_REQUESTED, TOPICS
from carebus_demo.command import job_file
from carebus_stack import LocalStack
from support.fingerprints import openemr_connection, postgres_rows
from support.suites import RunningSuite, accounts_close, running_suite

WITH_READERS = [topic for topic in TOPICS if topic.readers]
ALL = ["openemr", "postgres", "clickhouse", "documents"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that jobs may read from."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def running(
    stack: LocalStack, gibleed: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSuite]:
    with running_suite(
        stack,
        tmp_path_factory.mktemp("bad"),
        name="bad",
        roots=[gibleed.parent, data],
        port_offset=600,
        replicas={"generator": 1},
        more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
    ) as suite:
        yield suite


def csv_folder(home: Path, name: str, **tables: str) -> dict[str, Any]:
    folder = home / name
    folder.mkdir()
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text)
    return a_job(folder, name)


def a_job(folder: Path, source: str = "lab", **more: Any) -> dict[str, Any]:
    return {
        "kind": "extract",
        "source": source,
        "omop": {"format": "csv", "path": str(folder)},
        "targets": ALL,
    } | more


DEATH = "person_id,death_date\n1,2020-01-01\n"
STRANGE = "id,sex,born\n1,F,1970\n"
PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"kind": "extrakt"}, "kind: must be one of 'extract'", id="unknown kind"),
        pytest.param({"sorce": "x"}, "sorce: no such field", id="misspelt field"),
        pytest.param({"targets": ["mongodb"]}, "targets.0:", id="unknown target"),
        pytest.param({"source": "Lab One"}, "source:", id="slug"),
    ],
)
def test_a_job_that_does_not_fit_is_refused_field_by_field(
    running: RunningSuite, data: Path, change: dict[str, Any], sentence: str
) -> None:
    """The answer names the field and what would be right, at once."""
    answer = running.client.post("/jobs", json=a_job(data) | change)

    assert answer.status_code == 400
    assert sentence in answer.text


async def test_a_bare_message_on_the_request_topic_is_a_job_or_a_rejection(
    running: RunningSuite, gibleed: Path
) -> None:
    """A client with nothing but Kafka gets the same treatment: no headers, no key."""
    bootstrap = running.settings["CAREBUS_KAFKA_BOOTSTRAP"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        bad = await producer.send_and_wait(JOB_REQUESTED.name, b'{"kind":"extrakt"}')
    place = f"-{bad.partition}-{bad.offset}"

    jobs = running.client.get("/jobs").json()["jobs"]
    deadline = time.monotonic() + 60
    while not (found := [j for j in jobs if j["job_id"].endswith(place) and j["status"] == "rejected"]):
        assert time.monotonic() < deadline, f"no job from {place} was rejected: {jobs}"
        time.sleep(0.3)
        jobs = running.client.get("/jobs").json()["jobs"]

    assert "kind: must be one of" in found[0]["reasons"][0]


@pytest.mark.parametrize(
    ("name", "tables", "words"),
    [
        pytest.param("noperson", {"death": DEATH}, ["person"], id="no person table"),
        pytest.param("header", {"person": STRANGE}, ["person.csv", "header"], id="header does not fit"),
    ],
)  # fmt: skip
def test_a_source_that_does_not_fit_fails_its_job_with_a_sentence(
    running: RunningSuite, data: Path, name: str, tables: dict[str, str], words: list[str]
) -> None:
    """The reason names what is missing and where."""
    state = running.run(csv_folder(data, name, **tables))

    assert state["status"] == "failed"
    assert all(word in state["reasons"][0] for word in words)


def test_a_missing_folder_and_one_outside_the_roots_are_named(running: RunningSuite, data: Path) -> None:
    """Both fail their job, with the folder and what to do."""
    missing = running.run(a_job(data / "nowhere"))
    outside = running.run(a_job(Path("/etc")))

    assert (missing["status"], outside["status"]) == ("failed", "failed")
    assert "nowhere" in missing["reasons"][0]
    assert "allowed" in outside["reasons"][0].lower()


def test_an_unreadable_file_is_named(running: RunningSuite, data: Path) -> None:
    """A cut gzip file fails the job with its name."""
    folder = data / "cut"
    folder.mkdir()
    packed = gzip.compress((PERSON + "1,8507,1970,0,0\n" * 5000).encode())
    (folder / "person.csv.gz").write_bytes(packed[: len(packed) // 2])

    state = running.run(a_job(folder))

    assert state["status"] == "failed"
    assert "person.csv.gz" in state["reasons"][0]


async def test_poison_on_every_topic_costs_a_good_job_nothing(running: RunningSuite, gibleed: Path) -> None:
    """Bytes that are no message go to dead letters, each with a reason; the job beside them completes."""
    bootstrap = running.settings["CAREBUS_KAFKA_BOOTSTRAP"]
    job = running.submit(job_file(gibleed, 300) | {"source": "good"})
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for topic in WITH_READERS:
            for poison in (b"\x00\xff\xfe", b"{", b"[]", b'{"source":1}', b"x" * 100_000):
                await producer.send_and_wait(
                    topic.name, poison, headers=[("carebus-job", b"\xff"), ("x", b"")]
                )
    state = running.wait(job)

    letters = {t["topic"]: t["messages"] for t in running.client.get("/deadletters").json()["topics"]}
    assert state["status"] == "completed"
    assert accounts_close(state)
    assert state["targets"]["openemr"]["outcomes"] == {"applied": 300, "unchanged": state["extracted"] - 300}
    for topic in WITH_READERS:
        if topic is not JOB_REQUESTED:  # a request that cannot be read is a rejected job, not a dead letter
            for group in topic.readers:
                assert letters[topic.dead_letters(group)] >= 5, topic.name


def test_a_person_of_thirty_megabytes_goes_through(running: RunningSuite, data: Path) -> None:
    """One person with 60,000 long observations arrives whole at every target, by claim check."""
    folder = data / "giant"
    folder.mkdir()
    (folder / "person.csv").write_text(PERSON + "1,8507,1970,0,0\n2,8532,1980,0,0\n")
    with (folder / "observation.csv").open("w") as file:
        file.write(
            "observation_id,person_id,observation_concept_id,observation_date,"
            "observation_type_concept_id,value_as_string\n"
        )
        for number in range(60_000):
            file.write(f"{number},1,0,2020-01-{number % 28 + 1:02},0,{'finding ' * 62}\n")

    state = running.run(a_job(folder, "giant"), 600)

    assert state["status"] == "completed", state
    assert accounts_close(state)
    for target in ALL:
        assert state["targets"][target]["outcomes"].get("applied", 0) >= 2, target


async def test_a_target_that_is_down_is_waited_for(
    running: RunningSuite, stack: LocalStack, gibleed: Path
) -> None:
    """Postgres is away for a while: the others go on, the job says what it waits for, nothing is lost."""
    stack.stop("postgres")
    try:
        job = running.submit(job_file(gibleed, 200) | {"source": "patient"})
        state = running.wait_for(job, lambda s: "carebus-loader-postgres" in s.get("waiting", {}), 90)
        others = running.wait_for(
            job,
            lambda s: all(
                sum(s["targets"].get(t, {}).get("outcomes", {}).values()) >= 200
                for t in ("openemr", "clickhouse", "documents")
            ),
            120,
        )
    finally:
        stack.start("postgres")
    end = running.wait(job)

    assert "postgres" in state["waiting"]["carebus-loader-postgres"].lower()
    assert others["status"] == "running"
    assert end["status"] == "completed"
    assert accounts_close(end)
    assert not end.get("waiting")
    assert end["targets"]["postgres"]["outcomes"].get("dead_lettered", 0) == 0


def test_a_wrong_password_stops_the_loader_with_a_sentence(running: RunningSuite, tmp_path: Path) -> None:
    """A loader that cannot log in leaves with status 2 and names the setting."""
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    for target, variable in (("postgres", "POSTGRES"), ("openemr", "OPENEMR")):
        done = subprocess.run(
            [sys.executable, "-m", "carebus_loader"],
            env={
                **running.settings,
                "PATH": "/usr/bin:/bin",
                "CAREBUS_LOADER_TARGET": target,
                f"CAREBUS_{variable}_PASSWORD_FILE": str(wrong),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 2, done.stderr
        assert f"CAREBUS_{variable}_PASSWORD" in done.stderr


def test_a_target_that_no_loader_serves_is_refused(running: RunningSuite, gibleed: Path) -> None:
    """The console knows which loaders live, and says how to start the missing one."""
    running.workers.kill("loader-documents")
    try:
        deadline = time.monotonic() + 60
        while (answer := running.client.post("/jobs", json=job_file(gibleed, 1))).status_code == 202:
            running.wait(answer.json()["job_id"], 120) if time.monotonic() > deadline else time.sleep(2)
            assert time.monotonic() < deadline
    finally:
        running.workers.restart("loader-documents")
        running.workers.wait_ready(60, ["loader-documents"])
    back = time.monotonic() + 60
    while running.client.post("/jobs", json=job_file(gibleed, 1)).status_code != 202:
        assert time.monotonic() < back, "the loader is back and the console does not know"
        time.sleep(1)

    assert answer.status_code == 400
    assert "documents" in answer.text
    assert "loader" in answer.text


async def test_two_jobs_on_one_source_at_once_end_as_one(running: RunningSuite, gibleed: Path) -> None:
    """Both complete, nobody is doubled."""
    jobs = [running.submit(job_file(gibleed, 150) | {"source": "twice"}) for _ in range(2)]
    states = [running.wait(job) for job in jobs]

    with openemr_connection(running.settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT pubpid) FROM patient_data WHERE pubpid LIKE 'twice:%'"
        )
        patients = cursor.fetchone()
    assert [s["status"] for s in states] == ["completed", "completed"]
    assert all(accounts_close(s) for s in states)
    assert patients == (150, 150)
    assert await postgres_rows(running.settings)
