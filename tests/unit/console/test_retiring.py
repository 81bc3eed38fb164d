"""Retirements: who gets which message."""

from __future__ import annotations

from carebus_console.domain.retiring import SLICE_PERSONS, messages_to_account, retirements
from carebus_contracts.documents import CcdaDocument
from carebus_contracts.jobs import RetireJob
from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.plans import read_plan
from carebus_contracts.topics import OMOP_RECORDS


def test_persons_are_cut_into_slices_once_each() -> None:
    """A person named twice is retired once; ordinals begin anew in each slice."""
    persons = (*range(SLICE_PERSONS + 2), 5)
    slices = retirements(RetireJob(kind="retire", source="lab", persons=persons, targets=("postgres",)))

    assert [len(part) for part in slices] == [SLICE_PERSONS, 2]
    assert [m.ordinal for m in slices[1]] == [0, 1]
    assert messages_to_account(slices[1]) == 2
    assert {m.topic for m in slices[0]} == {OMOP_RECORDS.name}
    assert decode_person(slices[0][3].value).retired
    assert slices[0][3].key == b"lab/3"


def test_what_a_job_wrote_is_for_the_target_to_know() -> None:
    """One plan for all subjects that names the job; each target accounts for one message."""
    request = RetireJob(kind="retire", source="lab", of_job="nightly", targets=("postgres", "clickhouse"))
    ((postgres, clickhouse),) = retirements(request)

    plan = read_plan(postgres.value)
    assert (plan.subject, plan.of_job, plan.source) == ("*", "nightly", "lab")
    assert (clickhouse.ordinal, clickhouse.topic) == (0, "carebus.dml.plans.clickhouse.v1")
    assert messages_to_account([postgres, clickhouse]) == 1


def test_documents_of_a_source_go_by_one_message() -> None:
    """The message says so in a field of its own: any integer may be somebody's person id."""
    ((message,),) = retirements(RetireJob(kind="retire", source="lab", targets=("documents",)))

    document = CcdaDocument.from_json(message.value)
    assert (document.all_persons, document.retired, document.xml) == (True, True, "")


def test_documents_of_a_job_go_by_one_message() -> None:
    """As those of a source, with the job's name."""
    ((message,),) = retirements(
        RetireJob(kind="retire", source="lab", of_job="nightly", targets=("documents",))
    )

    document = CcdaDocument.from_json(message.value)
    assert (document.all_persons, document.retired, document.of_job) == (True, True, "nightly")


def test_persons_who_are_not_in_a_job_are_a_subject_of_their_own() -> None:
    """A loader that does not know it refuses the plan, and does not take it for the whole source."""
    request = RetireJob(kind="retire", source="lab", not_in_job="nightly", targets=("postgres",))
    ((message,),) = retirements(request)

    plan = read_plan(message.value)
    assert (plan.subject, plan.of_job, plan.person_id) == ("person/*", "", None)
