"""Requests become jobs, or get one sentence for each fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from carebus_console.domain.admission import Admitted, Circumstances, Known, Request, admit
from carebus_contracts.jobs import JOB_REQUEST, Rejected
from carebus_contracts.topics import dead_letter_topics

PLACE = "carebus.job.requested.v1-0-12"
ALL = frozenset(("postgres", "openemr", "clickhouse", "documents"))
DEAD = tuple(topic.name for topic in dead_letter_topics())


def a_request(**more: Any) -> bytes:
    job: dict[str, Any] = {
        "kind": "extract",
        "source": "lab",
        "omop": {"format": "csv", "path": "/data"},
        "targets": ["postgres"],
    }
    return json.dumps({k: v for k, v in (job | more).items() if v is not None}).encode()


def circumstances(**more: Any) -> Circumstances:
    return Circumstances(**({"place": PLACE, "live_targets": ALL, "dead_letter_topics": DEAD} | more))


def known(job_id: str, body: bytes) -> dict[str, Any]:
    request = JOB_REQUEST.validate_json(body).model_copy(update={"job_id": job_id})

    def request_of(asked: str) -> Request | None:
        return request if asked == job_id else None

    return {"request_of": request_of}


def test_a_job_without_an_id_is_named_after_its_place() -> None:
    """The same message read twice is the same job."""
    first, second = admit(a_request(), circumstances()), admit(a_request(), circumstances())

    assert isinstance(first, Admitted)
    assert first.job.job_id == first.job.request.job_id == PLACE
    assert first == second


FAULTS = {
    "unknown kind": (
        b'{"kind":"extrakt"}',
        "kind: must be one of 'extract', 'generate', 'redrive', 'retire' (given: 'extrakt')",
    ),
    "misspelt field": (
        a_request(sorce="lab"),
        "sorce: no such field; see `carebus jobs init` for the fields there are",
    ),
    "missing field": (a_request(source=None), "source: is required"),
    "unknown target": (
        a_request(targets=["mongodb"]),
        "targets.0: input should be 'openemr', 'postgres', 'clickhouse' or 'documents'",
    ),
    "no JSON": (b"\x00\xff", "the job: is not valid JSON"),
    "unknown table": (
        a_request(leave_out=["note", "mesurement"]),
        "leave_out.1: 'mesurement' is no table of the OMOP CDM; did you mean 'measurement'?",
    ),
    "target twice": (
        a_request(targets=["postgres", "postgres"]),
        "targets.1: 'postgres' stands there twice",
    ),
    "documents for OpenEMR without it": (
        a_request(targets=["postgres"], openemr={"documents": "wanted"}),
        "openemr.documents: needs 'openemr' among the targets; add it, or leave openemr.documents out",
    ),
    "unknown wish for documents": (
        a_request(openemr={"documents": "yes"}),
        "openemr.documents: input should be 'none', 'wanted' or 'required'",
    ),
    "documents of generated patients for OpenEMR without it": (
        b'{"kind":"generate","source":"lab","scenario":"training","targets":["documents"],'
        b'"openemr":{"documents":"required"}}',
        "openemr.documents: needs 'openemr' among the targets; add it, or leave openemr.documents out",
    ),
    "misspelt field of a generate job": (
        b'{"kind":"generate","source":"lab","scenario":"training","targets":["postgres"],"totl":5}',
        "totl: no such field; see `carebus jobs init --kind generate` for the fields there are",
    ),
    "no dead-letter topic": (
        b'{"kind":"redrive","topic":"carebus.omop.records.v1.convertr.dlq"}',
        "topic: 'carebus.omop.records.v1.convertr.dlq' is no dead-letter topic; "
        "did you mean 'carebus.omop.records.v1.converter.dlq'?",
    ),
    "unknown reason": (
        json.dumps({"kind": "redrive", "topic": DEAD[0], "reason": "bad"}).encode(),
        "reason: must be one of undecodable, payload_missing, unmappable, constraint, unexpected "
        "(given: 'bad')",
    ),
    "persons and job": (
        b'{"kind":"retire","source":"lab","targets":["postgres"],"persons":[1],"of_job":"x"}',
        "persons: cannot stand together with of_job; give one of them",
    ),
    "named persons as a dry run": (
        b'{"kind":"retire","source":"lab","targets":["postgres"],"persons":[1],"dry_run":true}',
        "dry_run: of persons who are named there is nothing to find out; leave one of them out",
    ),
    "persons who are not in an unknown job": (
        b'{"kind":"retire","source":"lab","targets":["postgres"],"not_in_job":"x"}',
        "not_in_job: no job 'x' is known; see `carebus jobs list`",
    ),
}


@pytest.mark.parametrize(("body", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_has_a_sentence(body: bytes, sentence: str) -> None:
    """The sentence names the field and what would be right."""
    admission = admit(body, circumstances())

    assert isinstance(admission, Rejected)
    assert admission.reasons == (sentence,)


def test_all_faults_are_said_at_once() -> None:
    """Nobody has to mend a job one fault at a time."""
    admission = admit(a_request(targets=["clickhouse"], leave_out=["x"]), circumstances(live_targets=()))

    assert isinstance(admission, Rejected)
    assert admission.reasons == (
        "targets.0: no loader for 'clickhouse' is running; start one (carebus-loader --target clickhouse) "
        "or leave it out",
        "leave_out.0: 'x' is no table of the OMOP CDM",
    )


def test_targets_are_not_held_against_a_job_when_loaders_cannot_be_asked() -> None:
    """A job waits rather than be refused for a fault that is ours."""
    assert isinstance(admit(a_request(), circumstances(live_targets=None)), Admitted)


def test_the_same_id_and_body_is_the_same_job() -> None:
    """Submitting again is safe."""
    body = a_request(job_id="nightly")

    assert admit(body, circumstances(**known("nightly", body))) == Known("nightly")


def test_the_same_id_with_another_body_is_refused_under_the_name_of_its_place() -> None:
    """The job that has the id is not touched."""
    other = a_request(job_id="nightly", source="other")
    admission = admit(other, circumstances(**known("nightly", a_request())))
    broken = admit(b'{"job_id":"nightly"}', circumstances(**known("nightly", a_request())))

    assert isinstance(admission, Rejected)
    assert isinstance(broken, Rejected)
    assert admission.job_id == broken.job_id == PLACE
    assert admission.reasons == (
        "job_id: 'nightly' is the id of another job; choose another, or leave it out",
    )


def test_a_faulty_request_is_rejected_under_the_id_that_it_names() -> None:
    """Its sender finds it there."""
    admission = admit(a_request(job_id="nightly", sorce="x"), circumstances())

    assert isinstance(admission, Rejected)
    assert admission.job_id == "nightly"


def test_a_second_job_on_a_source_is_let_in_with_a_note() -> None:
    """The version guard makes it harmless."""
    admission = admit(a_request(), circumstances(running={"lab": ["first"]}))

    assert isinstance(admission, Admitted)
    assert admission.notes[0].startswith("job first runs on source 'lab' as well")


def test_a_giant_request_is_not_even_parsed() -> None:
    """Input is hostile until validated."""
    admission = admit(b" " * 2_000_000, circumstances())

    assert isinstance(admission, Rejected)
    assert admission.reasons == ("the job: is larger than 1048576 bytes",)
