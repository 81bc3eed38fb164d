"""Retiring: the messages with which persons, a job's persons or a whole source vanish from the targets.

Named persons go the way of all persons: as records marked as retired, which the converter turns into
tombstones for each target. A source, what a job wrote last, or whom a job did not mention is one message
a target, as only the target knows who that is; there each target's account has this one message.
"""

from __future__ import annotations

from dataclasses import dataclass

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.jobs import RetireJob
from carebus_contracts.omop.bundle import encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import ALL_PERSONS, ALL_SUBJECTS, DmlPlan, TableWrite
from carebus_contracts.topics import OMOP_RECORDS, plans

SLICE_PERSONS = 500


@dataclass(frozen=True, slots=True)
class Retirement:
    """One message; it counts as ``ordinal`` of its slice at ``targets``."""

    topic: str
    contract: str
    key: bytes
    value: bytes
    ordinal: int
    targets: tuple[str, ...]


def retirements(request: RetireJob) -> list[list[Retirement]]:
    """Return the messages of each slice; the same request gives the same."""
    if not request.persons:
        return [[_of_many(request, target) for target in request.targets]]
    persons = sorted(set(request.persons))
    return [
        [
            _of_person(request, person, ordinal)
            for ordinal, person in enumerate(persons[at : at + SLICE_PERSONS])
        ]
        for at in range(0, len(persons), SLICE_PERSONS)
    ]


def messages_to_account(retired: list[Retirement]) -> int:
    """Messages that each target accounts for."""
    return max(message.ordinal for message in retired) + 1


def _of_person(request: RetireJob, person_id: int, ordinal: int) -> Retirement:
    value = encode_person(
        source=request.source,
        person_id=person_id,
        cdm_version="5.4",
        covers=tuple(PERSON_TABLES),
        tables={},
        concepts=(),
        retired=True,
    )
    key = f"{request.source}/{person_id}".encode()
    return Retirement(OMOP_RECORDS.name, "PersonRecords/1", key, value, ordinal, request.targets)


def _of_many(request: RetireJob, target: str) -> Retirement:
    topic = plans(target)
    key = f"{request.source}/{ALL_SUBJECTS}".encode()
    gone: DmlPlan | CcdaDocument
    if target == "documents":
        gone = CcdaDocument(
            source=request.source,
            person_id=0,
            document_id="",
            hash="",
            xml="",
            retired=True,
            all_persons=True,
            of_job=request.of_job or "",
        )
    else:
        write = TableWrite(kind="tombstone", table=ALL_SUBJECTS, hash="", count=0)
        gone = DmlPlan(
            target=target,
            source=request.source,
            subject=ALL_PERSONS if request.not_in_job else ALL_SUBJECTS,
            writes=(write,),
            of_job=request.of_job or "",
        )
    return Retirement(topic.name, f"{topic.payload}/1", key, gone.to_json(), 0, (target,))
