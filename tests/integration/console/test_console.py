"""The console on a real Kafka: what it admits, what it remembers, and what it does itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from carebus_contracts.addressing import addressed
from carebus_contracts.claims import ClaimCheck
from carebus_contracts.dead_letters import DeadLetter, DeadLetterReason
from carebus_contracts.documents import CcdaDocument
from carebus_contracts.errors import PayloadMissing
from carebus_contracts.headers import Envelope, read_headers, write_headers
from carebus_contracts.jobs import (
    AcceptedJob,
    ControlAction,
    Failed,
    Issued,
    JobControl,
    JobState,
    Planned,
    SliceDone,
    TableCounts,
    Waiting,
)
from carebus_contracts.model import WireModel
from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.plans import read_plan
from carebus_contracts.receipts import LoadMetrics, Receipt, Result
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import (
    CONVERTER,
    EXTRACT_SLICES,
    EXTRACTOR,
    JOB_ACCEPTED,
    JOB_CONTROL,
    JOB_EVENTS,
    JOB_REQUESTED,
    JOB_STATES,
    LOAD_RECEIPTS,
    OMOP_RECORDS,
    loader_group,
    plans,
)
from carebus_contracts.versions import Version
from carebus_runtime.blobs import BlobStore
from integration.console.conftest import Bus, an_id, console, until

pytestmark = pytest.mark.usefixtures("loaders")


def a_job(**more: Any) -> dict[str, Any]:
    job = {
        "kind": "extract",
        "source": "lab",
        "omop": {"format": "csv", "path": "/data"},
        "targets": ["postgres"],
    }
    return job | more


async def tell(bus: Bus, topic: str, *messages: WireModel) -> None:
    for message in messages:
        job_id = str(getattr(message, "job_id"))  # noqa: B009 -- all of these have one
        await bus.send(topic, message.to_json(), key=job_id.encode())


def receipt(job_id: str, low: int, high: int, result: Result = Result.APPLIED, **more: Any) -> Receipt:
    told = {
        "stage": "carebus-loader-postgres",
        "target": "postgres",
        "job_id": job_id,
        "slice": 0,
        "attempt": "a",
        "ordinals": ((low, high),),
        "result": result,
    }
    return Receipt.model_validate(told | more)


async def a_running_job(bus: Bus, client: httpx.AsyncClient) -> str:
    """Submit a job and say what an extractor would: one slice of ten messages."""
    answer = await client.post("/jobs", json=a_job())
    assert answer.status_code == 202, answer.text
    job_id = str(answer.json()["job_id"])
    tables = {"person": TableCounts(read=11, emitted=10, left_behind={"orphan": 1})}
    await tell(
        bus,
        JOB_EVENTS.name,
        Planned(job_id=job_id, slices=1, persons=10, fingerprint="f", accepted_ms=5),
        Issued(job_id=job_id, up_to=0),
        SliceDone(job_id=job_id, slice=0, attempt="a", messages=10, persons=10, tables=tables),
    )
    return job_id


async def state(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    answer = await client.get(f"/jobs/{job_id}")
    return dict(answer.json()) if answer.status_code == 200 else {}


async def reaches(client: httpx.AsyncClient, job_id: str, **wanted: Any) -> dict[str, Any]:
    """Wait until fields of a job's state have these values."""

    async def there() -> dict[str, Any]:
        found = await state(client, job_id)
        return found if found and all(found[name] == value for name, value in wanted.items()) else {}

    return dict(await until(there))


async def test_a_bare_message_becomes_a_job_named_after_its_place(bus: Bus, tmp_path: Path) -> None:
    """Kafka alone is a client: no key, no headers; planners get the job once, everyone the event."""
    async with console(bus, tmp_path) as client:
        (place,) = await bus.send(JOB_REQUESTED.name, json.dumps(a_job()).encode())
        job_id = f"{JOB_REQUESTED.name}-{place.partition}-{place.offset}"
        found = await reaches(client, job_id, status="accepted")

    (accepted,) = [r for r in await bus.read(JOB_ACCEPTED.name) if r.key == job_id.encode()]
    assert AcceptedJob.from_json(accepted.value).job_id == job_id
    assert found["claimed"] is True
    assert found["source"] == "lab"


async def test_faulty_messages_are_rejected_with_reasons(bus: Bus, tmp_path: Path) -> None:
    """Each under its place or the id that it names; nothing reaches planners."""
    job_id = an_id()
    async with console(bus, tmp_path) as client:
        (junk,) = await bus.send(JOB_REQUESTED.name, b"\x00\xff", headers=[("carebus-job", b"\xff")])
        await bus.send(JOB_REQUESTED.name, json.dumps(a_job(job_id=job_id, targets=["clickhouse"])).encode())
        unreadable = await reaches(
            client, f"{JOB_REQUESTED.name}-{junk.partition}-{junk.offset}", status="rejected"
        )
        unserved = await reaches(client, job_id, status="rejected")

    assert unreadable["reasons"] == ["the job: is not valid JSON"]
    assert unserved["reasons"] == [
        "targets.0: no loader for 'clickhouse' is running; start one (carebus-loader --target clickhouse) "
        "or leave it out"
    ]


async def test_the_same_job_twice_is_one_job_and_another_body_is_refused(bus: Bus, tmp_path: Path) -> None:
    """Over HTTP and over Kafka alike, also by a console that was started since."""
    job_id = an_id()
    async with console(bus, tmp_path) as client:
        first = await client.post("/jobs", json=a_job(job_id=job_id))
        again = await client.post("/jobs", json=a_job(job_id=job_id))
        other = await client.post("/jobs", json=a_job(job_id=job_id, source="other"))
    async with console(bus, tmp_path) as client:
        await bus.send(JOB_REQUESTED.name, json.dumps(a_job(job_id=job_id)).encode(), key=job_id.encode())
        later = await client.post("/jobs", json=a_job(job_id=job_id))
        await client.post("/jobs", json=a_job(job_id=an_id()))  # by then the one before is handled

    accepted = [r for r in await bus.read(JOB_ACCEPTED.name) if r.key == job_id.encode()]
    assert (first.status_code, again.status_code, other.status_code, later.status_code) == (
        202,
        202,
        400,
        202,
    )
    assert other.json()["reasons"][0].startswith(f"job_id: '{job_id}' is the id of another job")
    assert len(accepted) == 1


async def test_a_job_is_followed_to_its_end_and_reported(bus: Bus, tmp_path: Path) -> None:
    """States, waiting, server-sent events and the report, from what stages say."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        await tell(
            bus, JOB_EVENTS.name, Waiting(job_id=job_id, stage="carebus-loader-postgres", system="postgres")
        )
        waiting = await reaches(client, job_id, waiting={"carebus-loader-postgres": "postgres"})
        seen: list[dict[str, Any]] = []
        async with client.stream("GET", f"/jobs/{job_id}/events") as stream:
            await tell(
                bus,
                LOAD_RECEIPTS.name,
                receipt(
                    job_id,
                    0,
                    6,
                    metrics=LoadMetrics(inserted=70),
                    tables={"person": 7},
                    rows={"person": {"written": 7}},
                ),
                receipt(job_id, 7, 8, Result.UNCHANGED, rows={"person": {"unchanged": 2}}),
                receipt(job_id, 9, 9, Result.DEAD_LETTERED, reason="constraint"),
            )
            seen = [json.loads(line[5:]) async for line in stream.aiter_lines() if line.startswith("data:")]
        report = (await client.get(f"/jobs/{job_id}/report")).json()

    assert waiting["status"] == "running"
    assert (seen[0]["status"], seen[-1]["status"]) == ("running", "completed")
    assert report["closes"] is True
    assert report["rows"][0]["left_behind"] == {"orphan": 1}
    assert report["targets"][0]["identity"] == "10 = 7 applied + 2 unchanged + 1 dead-lettered"
    assert report["targets"][0]["rows_inserted"] == 70
    assert report["targets"][0]["reasons"] == {"constraint": 1}
    (persons,) = report["targets"][0]["accounts"]
    assert persons == {
        "table": "person",
        "emitted": 10,
        "written": 7,
        "unchanged": 2,
        "stale": 0,
        "conflict": 0,
        "not_mapped": {},
        "given_up": 1,
        "closes": True,
    }


async def test_too_many_refused_records_fail_the_job(bus: Bus, tmp_path: Path) -> None:
    """Two may be given up and three were: the job fails and says what to do, though nine slices are to come."""
    async with console(bus, tmp_path) as client:
        answer = await client.post("/jobs", json=a_job(max_record_errors=2))
        job_id = str(answer.json()["job_id"])
        await tell(
            bus,
            JOB_EVENTS.name,
            Planned(job_id=job_id, slices=10, persons=100, fingerprint="f", accepted_ms=5),
            Issued(job_id=job_id, up_to=7),
            SliceDone(job_id=job_id, slice=0, attempt="a", messages=10, persons=10),
        )
        await tell(
            bus,
            LOAD_RECEIPTS.name,
            receipt(job_id, 0, 6),
            receipt(job_id, 7, 8, Result.DEAD_LETTERED, reason="constraint"),
        )

        async def counted() -> dict[str, Any]:
            found = await state(client, job_id)
            outcomes = found["targets"]["postgres"]["outcomes"]
            return found if outcomes == {"applied": 7, "dead_lettered": 2} else {}

        within = await until(counted)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 9, 9, Result.DEAD_LETTERED, reason="unmappable"))
        failed = await reaches(client, job_id, status="failed")

    assert within["status"] == "running"
    assert failed["reasons"] == [
        "3 messages became dead letters for postgres, mostly for 'constraint'; the limit is 2 "
        "(max_record_errors): no more slices are issued. Look at some with `carebus deadletters list`, mend the "
        "cause, and submit the job again"
    ]


async def test_that_another_job_runs_on_the_source_is_in_state_and_report(bus: Bus, tmp_path: Path) -> None:
    """Whoever asks later should know, too, and not only the one who submitted."""
    source = an_id("source")
    async with console(bus, tmp_path) as client:
        first = (await client.post("/jobs", json=a_job(source=source))).json()["job_id"]
        second = (await client.post("/jobs", json=a_job(source=source))).json()["job_id"]
        shown = await reaches(client, second, status="accepted")
        report = (await client.get(f"/jobs/{second}/report")).json()

    assert shown["notes"] == report["notes"]
    assert shown["notes"][0].startswith(f"job {first} runs on source '{source}' as well")


async def test_a_resume_on_the_topic_does_not_undo_a_cancel(bus: Bus, tmp_path: Path) -> None:
    """The console refuses one, and says the cancel again after one that came past it: compaction keeps the last."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        await client.post(f"/jobs/{job_id}/cancel", json={"discard": True})
        await tell(bus, JOB_CONTROL.name, JobControl(job_id=job_id, action=ControlAction.RESUME))

        async def said_again() -> bool:
            words = [
                orjson.loads(r.value) for r in await bus.read(JOB_CONTROL.name) if r.key == job_id.encode()
            ]
            return [w["action"] for w in words] == ["cancel", "resume", "cancel"] and words[-1]["discard"]

        await until(said_again)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9, Result.DISCARDED))
        await reaches(client, job_id, status="cancelled")


async def test_a_restarted_console_knows_what_it_knew(bus: Bus, tmp_path: Path) -> None:
    """Its states are those from before, it goes on where it stopped, and it reads no more than it must."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 3), receipt(job_id, 4, 5, Result.STALE))
        before = await reaches(client, job_id, extracted=10, slices_issued=1)
        before = await until(lambda: _stored(bus, client, job_id))
    # While no console runs:
    await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 6, 9), receipt(job_id, 0, 3))
    async with console(bus, tmp_path) as client:
        after = await reaches(client, job_id, status="completed")

    assert before["status"] == "running"
    assert after["targets"]["postgres"]["outcomes"] == {"applied": 8, "stale": 2}
    for name in ("request", "created_ms", "persons", "tables", "fingerprint", "extracted"):
        assert after[name] == before[name], name


async def _stored(bus: Bus, client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    """The state that stands in the states topic, once it has all six receipts."""
    stored = [r for r in await bus.read(JOB_STATES.name) if r.key == job_id.encode()]
    found = JobState.from_json(stored[-1].value).model_dump(mode="json") if stored else {}
    shown = await state(client, job_id)
    return found if found == shown and sum(shown["targets"]["postgres"]["outcomes"].values()) == 6 else {}


async def test_two_consoles_show_the_same_and_one_takes_over(bus: Bus, tmp_path: Path) -> None:
    """Every replica knows all jobs; when the one that stores states leaves, the other one does."""
    async with console(bus, tmp_path) as second:
        async with console(bus, tmp_path) as first:
            job_id = await a_running_job(bus, first)
            one = await reaches(first, job_id, extracted=10)
            two = await reaches(second, job_id, extracted=10)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9))
        await reaches(second, job_id, status="completed")

        async def stored() -> bool:
            records = [r for r in await bus.read(JOB_STATES.name) if r.key == job_id.encode()]
            return bool(records) and JobState.from_json(records[-1].value).status == "completed"

        await until(stored)

    assert one == two


async def test_people_can_pause_resume_and_cancel(bus: Bus, tmp_path: Path) -> None:
    """The word stands in the control topic for all workers, and the state follows it."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        await client.post(f"/jobs/{job_id}/pause")
        await reaches(client, job_id, status="paused")
        await client.post(f"/jobs/{job_id}/resume")
        await reaches(client, job_id, status="running")
        told = await client.post(f"/jobs/{job_id}/cancel", json={"discard": True})
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9, Result.DISCARDED))
        await reaches(client, job_id, status="cancelled")
        late = await client.post(f"/jobs/{job_id}/resume")

    words = [orjson.loads(r.value) for r in await bus.read(JOB_CONTROL.name) if r.key == job_id.encode()]
    assert told.status_code == 202
    assert words[-1] == {"job_id": job_id, "action": "cancel", "discard": True}
    assert late.status_code == 409


async def test_events_of_unknown_jobs_and_junk_disturb_nobody(bus: Bus, tmp_path: Path) -> None:
    """They are skipped, with their place in the log."""
    async with console(bus, tmp_path) as client:
        await bus.send(JOB_EVENTS.name, b"{", b'{"source":1}', b"\xff")
        await bus.send(LOAD_RECEIPTS.name, b"[]", b'{"ordinals":[[5,1]]}')
        await tell(bus, JOB_EVENTS.name, Failed(job_id=an_id("stranger"), reason="x"))
        job_id = await a_running_job(bus, client)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9))
        await reaches(client, job_id, status="completed")


async def test_a_slice_in_the_dead_letters_fails_its_job(bus: Bus, tmp_path: Path) -> None:
    """The reason says which slice, why, and where it lies."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        job = (await state(client, job_id))["request"]
        work = WorkSlice(job_id=job_id, slice=0, kind="reference", fingerprint="f", accepted_ms=5, job=job)
        letter = DeadLetter(
            DeadLetterReason.UNEXPECTED, "OutOfMemoryException", EXTRACT_SLICES.name, 0, 1, 1, "v"
        )
        await bus.send(EXTRACT_SLICES.dead_letters(EXTRACTOR), work.to_json(), headers=letter.headers())
        failed = await reaches(client, job_id, status="failed")
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9))
        await reaches(client, job_id, status="completed")

    assert failed["reasons"][0].startswith(
        "slice 0 was given up (unexpected: OutOfMemoryException); it is in carebus."
    )


async def test_a_console_that_leaves_lets_followers_go(bus: Bus, tmp_path: Path) -> None:
    """Somebody who watches a job does not hold up a drain."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        stream = await client.send(client.build_request("GET", f"/jobs/{job_id}/events"), stream=True)
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: state"
    # Leaving the console's context waits for its end, and fails when that takes too long.


DEAD = OMOP_RECORDS.dead_letters(CONVERTER)
DOCUMENTS = plans("documents")
DEAD_DOCUMENTS = DOCUMENTS.dead_letters(loader_group("documents"))


async def bury(bus: Bus, job_id: str, ordinal: int, **more: Any) -> Any:
    """Write the dead letter of one message of a job."""
    envelope = Envelope(contract="PersonRecords/1", job_id=job_id, slice=0, attempt="a", ordinal=ordinal)
    original = (*write_headers(envelope, event_type="t", event_id="e", source="s"), ("of-others", b"\xff"))
    letter = DeadLetter(
        DeadLetterReason.UNMAPPABLE, "no rule", more.get("topic", OMOP_RECORDS.name), 1, 2, 1, "v", original
    )
    (place,) = await bus.send(DEAD, b"payload %d" % ordinal, key=b"lab/1", headers=letter.headers())
    return place


async def test_dead_letters_are_listed_shown_and_sent_back_once(bus: Bus, tmp_path: Path) -> None:
    """A redrive takes those of one job back where they came from; the next one finds nothing left."""
    async with console(bus, tmp_path) as client:
        job_id = await a_running_job(bus, client)
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 7))
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 8, 9, Result.DEAD_LETTERED, reason="unmappable"))
        places = [await bury(bus, job_id, 8), await bury(bus, job_id, 9), await bury(bus, an_id(), 0),
                  await bury(bus, job_id, 7, topic="carebus.job.requested.v1")]  # fmt: skip
        counts = {t["topic"]: t for t in (await client.get("/deadletters")).json()["topics"]}
        page = (await client.get(f"/deadletters/{DEAD}", params={"limit": 4})).json()["letters"]
        shown = (await client.get(f"/deadletters/{DEAD}/{places[0].offset}")).json()
        redrive = {"topic": DEAD, "of_job": job_id}
        first = (await client.post("/deadletters/redrive", json=redrive)).json()["job_id"]
        done = await reaches(client, first, status="completed")
        second = (await client.post("/deadletters/redrive", json=redrive)).json()["job_id"]
        nothing = await reaches(client, second, status="completed")
        marked = (await client.get(f"/deadletters/{DEAD}", params={"limit": 4})).json()["letters"]
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 8, 9))
        better = await reaches(client, job_id, status="completed")

        async def improved() -> bool:
            told = (await state(client, job_id))["targets"]["postgres"]
            return bool(told["outcomes"] == {"applied": 10} and told["reasons"] == {})

        await until(improved)

    back = [r for r in await bus.read(OMOP_RECORDS.name) if read_headers(r.headers).job_id == job_id]
    assert counts[DEAD]["messages"] >= 4
    assert [letter["offset"] for letter in page] == [p.offset for p in reversed(places)]
    assert (page[3]["reason"], page[3]["detail"], page[3]["job_id"]) == ("unmappable", "no rule", job_id)
    assert shown["value"] == "cGF5bG9hZCA4"
    assert (done["extracted"], nothing["extracted"]) == (2, 0)
    assert sorted((r.key, r.value) for r in back) == [(b"lab/1", b"payload 8"), (b"lab/1", b"payload 9")]
    assert {read_headers(r.headers).ordinal for r in back} == {8, 9}
    assert all(("of-others", b"\xff") in r.headers for r in back)
    assert not any(name.startswith("carebus-dlq") for r in back for name, _ in r.headers)
    assert [letter["redriven"] for letter in marked] == [False, False, True, True]
    assert better["status"] == "completed"


async def bury_document(bus: Bus, source: str, person: int, v: int) -> int:
    """Write the dead letter of a document; return its offset."""
    envelope = Envelope(contract="CcdaDocument/1", job_id="j", version=Version(v))
    original = tuple(write_headers(envelope, event_type="t", event_id="e", source="s"))
    letter = DeadLetter(DeadLetterReason.CONSTRAINT, "too long", DOCUMENTS.name, 1, 2, 1, "v", original)
    key = f"{source}/{person}".encode()
    (place,) = await bus.send(DEAD_DOCUMENTS, b"patient data", key=key, headers=letter.headers())
    return int(place.offset)


async def starts_at(bus: Bus, topic: str, offset: int) -> None:
    """Wait until everything before an offset is deleted."""

    async def it_does() -> bool:
        return all(record.offset >= offset for record in await bus.read(topic))

    await until(it_does)


async def test_dead_letters_of_the_retired_are_neither_shown_nor_sent_back(bus: Bus, tmp_path: Path) -> None:
    """Those that come later, too; other persons and newer messages stay; what stands in front is deleted."""
    source, dead = an_id("source"), DEAD_DOCUMENTS
    await bus.clear(dead)  # other tests leave letters that count, and what stands behind these cannot go
    async with console(bus, tmp_path) as client:
        first, stays, behind = [await bury_document(bus, source, person, 5) for person in (1, 2, 1)]
        before = (await client.get(f"/deadletters/{dead}", params={"limit": 3})).json()["letters"]
        body = {"source": source, "persons": [1], "targets": ["documents"]}
        job_id = (await client.post("/subjects/retire", json=body)).json()["job_id"]
        await reaches(client, job_id, slices_extracted=1)
        late, newer = [await bury_document(bus, source, 1, v) for v in (6, 2**42)]
        await starts_at(bus, dead, stays)
        there = {record.offset for record in await bus.read(dead)}
        listed = (await client.get(f"/deadletters/{dead}", params={"limit": 2})).json()["letters"]
        shown = [(await client.get(f"/deadletters/{dead}/{n}")).status_code for n in (behind, late, stays)]
        redrive = (await client.post("/deadletters/redrive", json={"topic": dead})).json()["job_id"]
        await reaches(client, redrive, status="completed")
        await starts_at(bus, dead, newer)

    back = [r for r in await bus.read(DOCUMENTS.name) if (r.key or b"").startswith(source.encode())]
    assert [letter["offset"] for letter in before] == [behind, stays, first]
    assert there == {stays, behind, late, newer}
    assert [letter["offset"] for letter in listed] == [newer, stays]
    assert shown == [404, 404, 200]
    assert sorted(read_headers(r.headers).version.v for r in back) == [5, 2**42]
    # What was sent back holds nothing up, and stays to be seen as sent back unless it stands in front.
    assert [record.offset for record in await bus.read(dead)] == [newer]


async def test_retired_letters_that_another_console_left_are_deleted(bus: Bus, tmp_path: Path) -> None:
    """It died after its job was done, or came too early for a letter: who owns next looks again."""
    source = an_id("source")
    await bus.clear(DEAD_DOCUMENTS)
    async with console(bus, tmp_path) as client:
        body = {"source": source, "persons": [1], "targets": ["documents"]}
        job_id = (await client.post("/subjects/retire", json=body)).json()["job_id"]
        await reaches(client, job_id, slices_extracted=1)
    left = await bury_document(bus, source, 1, 5)
    there = {record.offset for record in await bus.read(DEAD_DOCUMENTS)}

    async with console(bus, tmp_path):
        await starts_at(bus, DEAD_DOCUMENTS, left + 1)

    assert there == {left}


async def test_payloads_by_claim_check_go_with_their_persons(bus: Bus, tmp_path: Path) -> None:
    """What the store holds of a retired person is deleted; newer payloads and other persons' stay."""
    source, blobs = an_id("source"), BlobStore(f"file://{tmp_path / 'blobs'}")

    async def check_in(person: int, v: int) -> ClaimCheck:
        envelope = Envelope(job_id="j", version=Version(v), targets=("postgres",))
        about = addressed(OMOP_RECORDS.name, f"{source}/{person}".encode(), envelope)
        return await blobs.check_in(b"large %d %d" % (person, v), about)

    gone, newer, other = await check_in(1, 5), await check_in(1, 2**42), await check_in(2, 5)
    async with console(bus, tmp_path) as client:
        body = {"source": source, "persons": [1], "targets": ["postgres"]}
        job_id = (await client.post("/subjects/retire", json=body)).json()["job_id"]
        await reaches(client, job_id, slices_extracted=1)

    with pytest.raises(PayloadMissing):
        await blobs.check_out(gone.to_json())
    assert await blobs.check_out(newer.to_json()) == b"large 1 %d" % 2**42
    assert await blobs.check_out(other.to_json()) == b"large 2 5"


async def test_persons_are_retired_through_the_converter(bus: Bus, tmp_path: Path) -> None:
    """One record a person, marked as retired, covering all tables; the account closes by receipts."""
    async with console(bus, tmp_path) as client:
        body = {"source": an_id("source"), "persons": [7, 8], "targets": ["postgres"]}
        job_id = (await client.post("/subjects/retire", json=body)).json()["job_id"]
        await reaches(client, job_id, slices_extracted=1)
        records = [r for r in await bus.read(OMOP_RECORDS.name) if read_headers(r.headers).job_id == job_id]
        headers = [read_headers(r.headers) for r in records]
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 1, attempt=headers[0].attempt))
        done = await reaches(client, job_id, status="completed")

    bundles = [decode_person(r.value) for r in records]
    assert sorted(b.person_id for b in bundles) == [7, 8]
    assert all(b.retired and "measurement" in b.covers for b in bundles)
    assert {h.ordinal for h in headers} == {0, 1}
    assert all(
        h.counted and h.targets == ("postgres",) and h.version.v == done["created_ms"] for h in headers
    )


async def test_a_source_is_retired_by_one_message_a_target(bus: Bus, tmp_path: Path) -> None:
    """The target knows whose records these are; each accounts for its message."""
    async with console(bus, tmp_path) as client:
        body = {"source": an_id("source"), "targets": ["postgres", "documents"]}
        job_id = (await client.post("/subjects/retire", json=body)).json()["job_id"]
        await reaches(client, job_id, slices_extracted=1)
        plan, document = [
            next(r for r in await bus.read(plans(t).name) if read_headers(r.headers).job_id == job_id)
            for t in ("postgres", "documents")
        ]
        attempt = read_headers(plan.headers).attempt
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 0, attempt=attempt),
                   receipt(job_id, 0, 0, attempt=attempt, target="documents"))  # fmt: skip
        await reaches(client, job_id, status="completed")

    assert read_plan(plan.value).subject == "*"
    assert [(w.kind, w.table) for w in read_plan(plan.value).writes] == [("tombstone", "*")]
    gone = CcdaDocument.from_json(document.value)
    assert (gone.all_persons, gone.retired) == (True, True)


async def test_after_a_whole_job_the_console_asks_who_vanished(bus: Bus, tmp_path: Path) -> None:
    """A linked dry run at the job's targets, as of its version; the report tells what it found."""
    source = an_id("source")
    async with console(bus, tmp_path) as client:
        job_id = (await client.post("/jobs", json=a_job(source=source))).json()["job_id"]
        early = await client.post("/subjects/retire", json={"source": source, "not_in_job": job_id})
        await tell(
            bus,
            JOB_EVENTS.name,
            Planned(job_id=job_id, slices=1, persons=10, fingerprint="f", accepted_ms=5),
            SliceDone(job_id=job_id, slice=0, attempt="a", messages=10, persons=10, version_ms=1234),
        )
        await tell(bus, LOAD_RECEIPTS.name, receipt(job_id, 0, 9))
        survey = f"{job_id}.vanished"
        await reaches(client, survey, slices_extracted=1)
        plan = next(
            r for r in await bus.read(plans("postgres").name) if read_headers(r.headers).job_id == survey
        )
        asked = read_headers(plan.headers)
        found = receipt(survey, 0, 0, attempt=asked.attempt, metrics=LoadMetrics(persons=3, deleted=30))
        await tell(bus, LOAD_RECEIPTS.name, found)
        await reaches(client, survey, status="completed")
        report = (await client.get(f"/jobs/{job_id}/report")).json()
        retiring = (
            await client.post("/subjects/retire", json={"source": source, "not_in_job": job_id})
        ).json()
        done = await reaches(client, retiring["job_id"], slices_extracted=1)

    assert early.json()["reasons"][0].endswith("only a completed job tells who is missing")
    assert (read_plan(plan.value).subject, asked.version.v, asked.dry_run) == ("person/*", 1234, True)
    assert report["vanished"] == {"survey": survey, "status": "completed", "persons": {"postgres": 3}}
    assert (done["dry_run"], list(done["targets"])) == (False, ["postgres"])


async def test_a_token_is_asked_for_and_proves_the_requester(bus: Bus, tmp_path: Path) -> None:
    """Without it nothing is shown; with it the requester is not merely claimed."""
    async with console(bus, tmp_path, token="s3cret") as client:
        without = await client.get("/jobs")
        wrong = await client.get("/jobs", headers={"Authorization": "Bearer wrong"})
        client.headers["Authorization"] = "Bearer s3cret"
        job_id = (await client.post("/jobs", json=a_job(requester="data office"))).json()["job_id"]
        shown = await reaches(client, job_id, status="accepted")

    assert (without.status_code, wrong.status_code) == (401, 401)
    assert (shown["requester"], shown["claimed"]) == ("data office", False)
