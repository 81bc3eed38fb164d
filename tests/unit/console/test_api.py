"""The HTTP API over fakes: answers, reasons, and who may ask."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from carebus_console.access import Access
from carebus_console.api import Api
from carebus_console.domain.admission import Admission, Circumstances, admit
from carebus_console.ports import LetterCount, StoredLetter
from carebus_contracts.dead_letters import DeadLetter, DeadLetterReason
from carebus_contracts.errors import TransientError
from carebus_contracts.jobs import JobControl, JobState, JobStatus
from carebus_contracts.topics import dead_letter_topics

DEAD = dead_letter_topics()[0].name
LETTER = DeadLetter(DeadLetterReason.CONSTRAINT, "too long", "topic", 1, 2, 1, "carebus/1")


class FakeJobs:
    """Jobs in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, JobState] = {}
        self.submitted: list[dict[str, Any]] = []
        self.proofs: list[bool] = []
        self.words: list[JobControl] = []
        self.is_ready = True
        self.broken = False

    def ready(self) -> bool:
        return self.is_ready

    def state(self, job_id: str) -> JobState | None:
        return self.held.get(job_id)

    def states(self, *, limit: int) -> Sequence[JobState]:
        return list(self.held.values())[:limit]

    async def news(self, timeout_s: float) -> bool:
        return False

    async def submit(self, body: bytes, *, proved: bool) -> Admission:
        if self.broken:
            raise TransientError("Kafka does not answer")
        self.proofs.append(proved)
        self.submitted.append(orjson.loads(body))
        return admit(body, Circumstances(place="job-1", dead_letter_topics=(DEAD,)))

    async def control(self, word: JobControl) -> None:
        self.words.append(word)


class FakeLetters:
    """One letter."""

    async def counts(self) -> Sequence[LetterCount]:
        return [LetterCount(DEAD, 3, 1)]

    async def newest(self, topic: str, *, limit: int, before: int | None = None) -> Sequence[StoredLetter]:
        return [StoredLetter(7, 1, "job-1", 4, LETTER), StoredLetter(6, 1, "", 4, None)]

    async def letter(self, topic: str, offset: int) -> StoredLetter | None:
        if offset != 7:
            return None
        return StoredLetter(7, 1, "job-1", 4, LETTER, key=b"k", value=b"\x00\xff", headers=(("h", b"v"),))

    async def delete_retired(self) -> int:
        return 0

    async def all(self, topic: str) -> AsyncGenerator[Sequence[StoredLetter], None]:
        yield []


@pytest.fixture
def jobs() -> FakeJobs:
    return FakeJobs()


def a_client(jobs: FakeJobs, token: str = "", **more: Any) -> httpx.AsyncClient:
    api = Api(jobs, FakeLetters(), Access(SecretStr(token)), closing=lambda: False)
    transport = httpx.ASGITransport(Starlette(routes=api.routes()))
    return httpx.AsyncClient(transport=transport, base_url=more.pop("base_url", "http://127.0.0.1"), **more)


JOB = {
    "kind": "extract",
    "source": "lab",
    "omop": {"format": "csv", "path": "/data"},
    "targets": ["postgres"],
}
AS_YAML = """
kind: extract   # what to do
source: lab
omop: {format: csv, path: /data}
targets: [postgres]
"""


@pytest.mark.parametrize("body", [orjson.dumps(JOB), AS_YAML.encode()], ids=["json", "yaml"])
async def test_a_job_is_taken_in(jobs: FakeJobs, body: bytes) -> None:
    """202 and the id; YAML reaches the bus as JSON."""
    answer = await a_client(jobs).post("/jobs", content=body)

    assert (answer.status_code, answer.json()) == (202, {"job_id": "job-1", "notes": []})
    assert jobs.submitted == [JOB]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"kind":"extrakt"}', "kind: must be one of", id="unknown kind"),
        pytest.param(b"kind: [", "the job: is not valid YAML at line 1", id="broken YAML"),
        pytest.param(b"just words", "the job: must be a mapping", id="no mapping"),
        pytest.param(b"", "the job: must be a mapping", id="nothing"),
        pytest.param(b"a: &a [1]\nb: *a", "the job: YAML aliases", id="alias"),
        pytest.param(
            b"kind: extract\nsource: a\nsource: b",
            "the job: 'source' stands a second time at line 3",
            id="field twice",
        ),
        pytest.param(
            b"ids: [99999999999999999999]",
            "the job: has a value that JSON does not know, or a number over 64 bits",
            id="number over 64 bits",
        ),
        pytest.param(
            b"a: !!python/object:os.system x", "the job: is not valid YAML", id="YAML that runs code"
        ),
        pytest.param(b"{" + b" " * 2_000_000, "the job: is larger than", id="too large"),
    ],
)
async def test_a_faulty_job_gets_reasons(jobs: FakeJobs, body: bytes, reason: str) -> None:
    """400 with a sentence for each fault."""
    answer = await a_client(jobs).post("/jobs", content=body)

    assert answer.status_code == 400
    assert answer.json()["reasons"][0].startswith(reason)


async def test_jobs_are_shown_listed_and_missed(jobs: FakeJobs) -> None:
    """The state whole by id, all states without requests in the list, 404 with a hint."""
    jobs.held["a"] = JobState(job_id="a", status=JobStatus.RUNNING)
    jobs.held["b"] = JobState(job_id="b", status=JobStatus.FAILED, reasons=("no table person",))
    client = a_client(jobs)

    listed = (await client.get("/jobs", params={"status": "failed"})).json()["jobs"]
    shown = (await client.get("/jobs/a")).json()
    missed = await client.get("/jobs/c")
    odd = await client.get("/jobs", params={"limit": "many"})

    assert [job["job_id"] for job in listed] == ["b"]
    assert (shown["status"], shown["targets"], shown["extracted"]) == ("running", {}, 0)
    assert (missed.status_code, missed.json()["reasons"]) == (
        404,
        ["there is no job 'c'; GET /jobs lists them"],
    )
    assert odd.status_code == 400


async def test_an_ended_job_takes_no_orders(jobs: FakeJobs) -> None:
    """409, and nothing is said to the workers; a running one passes the word on."""
    jobs.held["a"] = JobState(job_id="a", status=JobStatus.RUNNING)
    jobs.held["b"] = JobState(job_id="b", status=JobStatus.COMPLETED)
    client = a_client(jobs)

    answers = [
        await client.post("/jobs/a/cancel", json={"discard": True}),
        await client.post("/jobs/a/pause"),
        await client.post("/jobs/b/cancel"),
        await client.post("/jobs/a/explode"),
    ]

    assert [a.status_code for a in answers] == [202, 202, 409, 404]
    assert answers[2].json()["reasons"] == ["job b is completed: there is nothing to cancel"]
    assert [(w.action.value, w.discard) for w in jobs.words] == [("cancel", True), ("pause", False)]


async def test_events_end_with_the_job(jobs: FakeJobs) -> None:
    """A job that ended is one event, then the stream closes."""
    jobs.held["b"] = JobState(job_id="b", status=JobStatus.COMPLETED)

    answer = await a_client(jobs).get("/jobs/b/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith('event: state\ndata: {"job_id":"b","status":"completed"')
    assert answer.text.count("event:") == 1


async def test_dead_letters_show_reasons_and_only_one_shows_content(jobs: FakeJobs) -> None:
    """Lists have no content; one letter has it in base64."""
    client = a_client(jobs)

    counted = (await client.get("/deadletters")).json()
    listed = (await client.get(f"/deadletters/{DEAD}")).json()["letters"]
    shown = await client.get(f"/deadletters/{DEAD}/7")
    gone = await client.get(f"/deadletters/{DEAD}/9")
    elsewhere = await client.get("/deadletters/carebus.omop.records.v1")

    assert counted == {"topics": [{"topic": DEAD, "messages": 3, "redriven": 1}]}
    assert [(x["reason"], x["detail"], x["origin"]) for x in listed] == [
        ("constraint", "too long", "topic/1/2"),
        ("", "headers that are not ours", ""),
    ]
    assert all("value" not in letter for letter in listed)
    assert shown.json()["value"] == "AP8="
    assert (gone.status_code, elsewhere.status_code) == (404, 404)


async def test_redrive_and_retire_are_jobs(jobs: FakeJobs) -> None:
    """They go the way of all jobs; retiring is from all targets unless some are named."""
    client = a_client(jobs)

    redriven = await client.post("/deadletters/redrive", json={"topic": DEAD, "limit": 5})
    retired = await client.post("/subjects/retire", json={"source": "lab"})
    odd = await client.post("/subjects/retire", json=[1])

    assert (redriven.status_code, retired.status_code, odd.status_code) == (202, 202, 400)
    assert jobs.submitted[0] == {"kind": "redrive", "topic": DEAD, "limit": 5}
    assert jobs.submitted[1]["targets"] == ["openemr", "postgres", "clickhouse", "documents"]


async def test_the_token_is_asked_for(jobs: FakeJobs) -> None:
    """401 without it; with it the requester is proved."""
    client = a_client(jobs, "s3cret", base_url="http://console.example")
    shown = {"Authorization": "Bearer s3cret"}

    codes = [
        (await client.get("/jobs")).status_code,
        (await client.get("/jobs", headers={"Authorization": "Bearer s3cre"})).status_code,
        (await client.get("/jobs", headers=shown)).status_code,
        (await client.post("/jobs", json=JOB, headers=shown)).status_code,
    ]

    assert codes == [401, 401, 200, 202]
    assert jobs.proofs == [True]


async def test_without_a_token_pages_in_a_browser_get_nothing(jobs: FakeJobs) -> None:
    """Neither another site's script nor a name that was bent to loopback."""
    scripted = await a_client(jobs).post("/jobs", json=JOB, headers={"Origin": "https://evil.example"})
    rebound = await a_client(jobs, base_url="http://evil.example").get("/jobs")
    own = await a_client(jobs).get("/jobs", headers={"Origin": "http://127.0.0.1"})

    assert own.status_code == 200
    assert (scripted.status_code, rebound.status_code) == (403, 403)
    assert jobs.submitted == []


async def test_a_console_that_starts_or_lost_kafka_says_so(jobs: FakeJobs) -> None:
    """503 with a sentence, and a client may try again."""
    jobs.broken = True
    broken = await a_client(jobs).post("/jobs", json=JOB)
    jobs.is_ready = False
    starting = await a_client(jobs).get("/jobs")

    assert (broken.status_code, broken.json()["reasons"]) == (503, ["Kafka does not answer; try again"])
    assert (starting.status_code, starting.json()["reasons"][0]) == (
        503,
        "the console is starting: job states are still being read",
    )
