"""Golden files prove both directions: today's reader reads them, and today's writer writes them again.

A file is never edited after its version is released; a new optional field gets a new file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from carebus_contracts.claims import ClaimCheck
from carebus_contracts.documents import CcdaDocument
from carebus_contracts.errors import InvalidMessage
from carebus_contracts.jobs import JOB_EVENT, JOB_REQUEST, AcceptedJob, JobControl, JobState
from carebus_contracts.omop.bundle import decode_person, decode_reference
from carebus_contracts.plans import DmlPlan, read_plan
from carebus_contracts.receipts import Receipt
from carebus_contracts.slices import GenerateSlice, WorkSlice
from support.reference_docs import pages

GOLDEN = Path(__file__).parent / "golden" / "v1"

READERS: dict[str, Callable[[bytes], Any]] = {
    "accepted_job": AcceptedJob.from_json,
    "ccda_document": CcdaDocument.from_json,
    "claim_check": ClaimCheck.from_json,
    "dml_plan": DmlPlan.from_json,
    "generate_slice": GenerateSlice.from_json,
    "job_control": JobControl.from_json,
    "job_event": JOB_EVENT.validate_json,
    "job_request": JOB_REQUEST.validate_json,
    "job_state": JobState.from_json,
    "person_records": decode_person,
    "receipt": Receipt.from_json,
    "reference_records": decode_reference,
    "work_slice": WorkSlice.from_json,
}


def golden_files() -> list[Path]:
    return sorted(GOLDEN.glob("*.json"))


@pytest.mark.parametrize("path", golden_files(), ids=lambda p: p.stem)
def test_todays_reader_reads_it_and_writes_it_again(path: Path) -> None:
    """A message of this version keeps its meaning: read, written and read again it is the same."""
    contract = path.stem.split(".")[0]
    message = READERS[contract](path.read_bytes())

    in_full = message.model_dump_json(by_alias=True).encode()
    short = message.model_dump_json(by_alias=True, exclude_defaults=True).encode()

    assert says(orjson.loads(in_full), orjson.loads(path.read_bytes()))
    assert READERS[contract](in_full) == message
    assert READERS[contract](short) == message


def says(whole: Any, part: Any) -> bool:
    """Whether all that ``part`` says stands in ``whole``."""
    if isinstance(part, dict):
        return all(name in whole and says(whole[name], value) for name, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(says, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize("contract", sorted(READERS))
def test_every_contract_has_a_golden_file(contract: str) -> None:
    """A contract without a golden file could change unseen."""
    assert [p for p in golden_files() if p.stem.split(".")[0] == contract]


@pytest.mark.parametrize(
    "path", [p for p in golden_files() if p.stem.split(".")[0] != "job_request"], ids=lambda p: p.stem
)
def test_yesterdays_reader_ignores_fields_of_tomorrow(path: Path) -> None:
    """Unknown fields on the wire are ignored, at the top and inside."""
    contract = path.stem.split(".")[0]
    tomorrow = orjson.loads(path.read_bytes()) | {"a_field_of_tomorrow": {"x": 1}}

    assert READERS[contract](orjson.dumps(tomorrow)) == READERS[contract](path.read_bytes())


def test_columns_of_tomorrow_and_another_order_are_understood() -> None:
    """A bundle with an unknown column, a missing optional one and another order gives the same rows."""
    bundle = orjson.loads((GOLDEN / "person_records.json").read_bytes())
    same = decode_person(orjson.dumps(bundle))
    death = bundle["tables"]["death"]
    keep = [c for c in reversed(death["columns"]) if c != "cause_source_value"]
    death["rows"] = [[*(row[death["columns"].index(c)] for c in keep), "new"] for row in death["rows"]]
    death["columns"] = [*keep, "column_of_tomorrow"]

    read = decode_person(orjson.dumps(bundle))

    assert read == same


def test_referred_rows_of_tomorrow_are_understood() -> None:
    """Rows that a bundle refers to may have another order and more columns, too."""
    bundle = orjson.loads((GOLDEN / "person_records.refers.json").read_bytes())
    same = decode_person(orjson.dumps(bundle))
    for table in bundle["refers"].values():
        table["columns"] = ["column_of_tomorrow", *reversed(table["columns"])]
        table["rows"] = [["new", *reversed(row)] for row in table["rows"]]

    read = decode_person(orjson.dumps(bundle))

    assert read == same
    assert read.provider[11].care_site_id == 21
    assert read.location[read.care_site[21].location_id or 0].city == "Springfield"


@pytest.mark.parametrize(
    "name", ["dml_plan", "dml_plan.upsert", "dml_plan.of", "dml_plan.files", "dml_plan.refers"]
)
def test_the_fast_plan_reader_agrees_with_the_contract(name: str) -> None:
    """The hot path's reader and the pydantic contract see the same plan."""
    value = (GOLDEN / f"{name}.json").read_bytes()
    slow, fast = DmlPlan.from_json(value), read_plan(value)

    assert (fast.target, fast.source, fast.subject, fast.not_mapped, fast.lacking) == (
        slow.target,
        slow.source,
        slow.subject,
        slow.not_mapped,
        slow.lacking,
    )
    assert [one.subject for one in fast.refers] == [one.subject for one in slow.refers]
    fast_writes = (*fast.writes, *(one.write for one in fast.refers))
    slow_writes = (*slow.writes, *(one.write for one in slow.refers))
    for left, right in zip(fast_writes, slow_writes, strict=True):
        assert (left.kind, left.table, left.hash, left.count, left.of) == (
            right.kind,
            right.table,
            right.hash,
            right.count,
            right.of,
        )
        assert [tuple(r) for r in left.records()] == list(right.rows)
        assert [orjson.loads(line) for line in left.lines()] == [list(r) for r in right.rows]
    assert {uuid: fast.file(uuid) for uuid in fast.files} == {u: t.encode() for u, t in slow.files.items()}


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b"null", b'{"source": 1}', b"\xff\xfe", b'{"source":"born 1970"}'],
    ids=["empty", "cut", "array", "null", "type", "bytes", "slug"],
)
@pytest.mark.parametrize("contract", ["person_records", "reference_records", "dml_plan", "receipt"])
def test_nonsense_is_refused_without_its_values(contract: str, value: bytes) -> None:
    """Bytes that do not fit raise InvalidMessage, and the text holds no value."""
    with pytest.raises(InvalidMessage) as refused:
        READERS[contract](value)

    assert "1970" not in str(refused.value)


@pytest.mark.parametrize("path", sorted(pages()), ids=lambda p: p.name)
def test_generated_reference_is_current(path: Path) -> None:
    """docs/reference says what the code says; ``make docs`` writes it again."""
    assert path.read_text(encoding="utf-8") == pages()[path]
