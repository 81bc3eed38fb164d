"""One odd record costs its neighbours nothing, and every message is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from carebus_contracts.dead_letters import DeadLetterReason
from carebus_contracts.errors import UnmappableRecord
from carebus_contracts.headers import Envelope
from carebus_contracts.omop.bundle import decode_person, decode_reference, encode_person
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_converter.domain.revision import MAPPING_REVISION
from carebus_converter.handlers import Records, convert_records
from carebus_runtime.offload import Offload
from carebus_runtime.received import Outcomes, Received


class Discarding:
    def __init__(self, *jobs: str) -> None:
        self._jobs = jobs

    def discarded(self, job_id: str) -> bool:
        return job_id in self._jobs


def a_message(person: int, *, job: str = "j", targets: tuple[str, ...] = ("postgres",)) -> Received[Records]:
    value = encode_person(
        source="lab", person_id=person, cdm_version="5.4", covers=["person"], tables={}, concepts=[]
    )
    envelope = Envelope(
        job_id=job, slice=1, attempt="a", ordinal=person, version=Version(70), targets=targets
    )
    return Received(decode_person(value), envelope, "t", 0, person, 0, b"lab/%d" % person, len(value))


def convert(records: Records, target: str, *, filed: bool = False) -> bytes | None:
    person = getattr(records, "person_id", 0)
    if person == 5 and target == "openemr":
        raise UnmappableRecord("no chart for it")
    if person == 2:
        raise UnmappableRecord("no rule")
    if person == 3:
        raise ZeroDivisionError("born 1970-01-01")
    if target == "openemr":
        return b"%d with its document" % person if filed else None
    return b"%d for %b" % (person, target.encode())


async def handled(batch: Sequence[Received[Records]], *discarded: str) -> Outcomes:
    handle = convert_records(
        convert, offload=Offload("test"), stage="carebus-converter", controls=Discarding(*discarded)
    )
    return await handle(batch)


async def test_each_target_gets_its_message_with_version_and_place_in_the_account() -> None:
    """The mapping's revision joins the version; job, slice, attempt and ordinal travel on."""
    outcomes = await handled([a_message(1, targets=("postgres", "documents"))])

    assert [(o.topic, o.key, o.value) for o in outcomes.outgoing] == [
        ("carebus.dml.plans.postgres.v1", b"lab/1", b"1 for postgres"),
        ("carebus.ccda.documents.v1", b"lab/1", b"1 for documents"),
    ]
    envelope = outcomes.outgoing[0].envelope
    assert envelope.version == Version(70, MAPPING_REVISION)
    assert (envelope.job_id, envelope.slice, envelope.attempt, envelope.ordinal) == ("j", 1, "a", 1)


async def test_charts_have_documents_for_jobs_that_want_them() -> None:
    """What the job wants travels on: the loader must know what to do where it has no place for them."""
    wanted = a_message(1, targets=("openemr",))
    wanted = replace(wanted, envelope=replace(wanted.envelope, filing="required"))

    outcomes = await handled([wanted, a_message(4, targets=("openemr",))])

    (only,) = outcomes.outgoing
    assert (only.value, only.envelope.filing) == (b"1 with its document", "required")


async def test_one_odd_record_does_not_stop_the_others() -> None:
    """An unmappable record and a fault of ours are dead letters; the text of the fault stays out."""
    outcomes = await handled([a_message(n) for n in (1, 2, 3, 4)])

    assert [o.value for o in outcomes.outgoing] == [b"1 for postgres", b"4 for postgres"]
    assert [(d.index, d.reason, d.detail) for d in outcomes.dead_letters] == [
        (1, DeadLetterReason.UNMAPPABLE, "no rule"),
        (2, DeadLetterReason.UNEXPECTED, "ZeroDivisionError"),
    ]


async def test_what_one_target_cannot_take_the_others_get() -> None:
    """The dead letter names the one target that it starves, so that the others' accounts close too."""
    outcomes = await handled([a_message(5, targets=("openemr", "postgres", "documents"))])

    assert [o.value for o in outcomes.outgoing] == [b"5 for postgres", b"5 for documents"]
    (dead,) = outcomes.dead_letters
    assert (dead.detail, dead.targets) == ("no chart for it", ("openemr",))


async def test_records_without_a_place_at_a_target_are_accounted_for() -> None:
    """A target that has no place for such records owes nothing: its receipt says unchanged."""
    outcomes = await handled([a_message(1, targets=("openemr",)), a_message(4, targets=("openemr",))])

    assert outcomes.outgoing == []
    (receipt,) = outcomes.receipts
    assert (receipt.target, receipt.result, receipt.ordinals) == (
        "openemr",
        Result.UNCHANGED,
        ((1, 1), (4, 4)),
    )


async def test_reference_rows_without_a_place_are_counted() -> None:
    """The receipt says how many rows of which table, so that the account of rows closes as well."""
    golden = Path(__file__).parents[2] / "contract/wire/golden/v1/reference_records.json"
    records = decode_reference(golden.read_bytes())
    envelope = Envelope(
        job_id="j", slice=0, attempt="a", ordinal=4, version=Version(70), targets=("openemr",)
    )
    message: Received[Records] = Received(records, envelope, "t", 0, 0, 0, b"k", 1)

    outcomes = await handled([message])

    (receipt,) = outcomes.receipts
    assert receipt.not_mapped == {records.table: {"only_as_referred": len(records.records)}}
    assert len(records.records) > 0


async def test_messages_of_a_discarded_job_are_skipped_and_counted() -> None:
    """Each target that would have got something gets a receipt that says discarded."""
    outcomes = await handled([a_message(1, job="gone", targets=("postgres", "openemr"))], "gone")

    assert outcomes.outgoing == []
    assert {(r.target, r.result) for r in outcomes.receipts} == {
        ("postgres", Result.DISCARDED),
        ("openemr", Result.DISCARDED),
    }
