"""A person's document beside the chart: only for jobs that ask, made once, and told of by its hash."""

from __future__ import annotations

from hashlib import sha3_512
from typing import Any

import orjson
import pytest

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.omop.bundle import PersonRecords, decode_person, encode_person
from carebus_contracts.plans import DmlPlan, read_plan
from carebus_converter.domain import conversion
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings

from .factories import a_bundle, a_row


def a_conversion() -> Conversion:
    return Conversion(documents=DocumentSettings(), openemr=OpenEmrSettings())


def nobody(*, retired: bool = False) -> PersonRecords:
    return decode_person(
        encode_person(
            source="lab",
            person_id=7,
            cdm_version="5.4",
            covers=["person"],
            tables={},
            concepts=[],
            retired=retired,
        )
    )


def test_the_plan_of_a_job_that_does_not_ask_is_the_same_without_the_document() -> None:
    """What is added stands at the end: nothing else of the plan changes."""
    convert, person = a_conversion(), a_bundle()
    plain = orjson.loads(convert(person, "openemr") or b"")

    filed = orjson.loads(convert(person, "openemr", filed=True) or b"")

    assert "files" not in plain
    assert [w["table"] for w in plain["writes"]].count("documents") == 0
    assert filed["writes"][:-1] == plain["writes"]
    assert {n: v for n, v in filed.items() if n not in ("writes", "files")} == {
        n: v for n, v in plain.items() if n != "writes"
    }


def test_the_row_tells_of_the_file_that_the_target_documents_gets() -> None:
    """Size and SHA3-512 of the same bytes, the day up to which it tells, and one document for the account."""
    convert = a_conversion()
    person = a_bundle(
        condition_occurrence=[
            a_row("condition_occurrence", condition_concept_id=201826, condition_start_date="2011-06-02")
        ]
    )
    xml = CcdaDocument.from_json(convert(person, "documents") or b"").xml.encode()

    plan = read_plan(convert(person, "openemr", filed=True) or b"")

    write = plan.writes[-1]
    (row,) = (dict(zip(write.columns, row, strict=True)) for row in write.records())
    assert (write.table, write.of) == ("documents", {"ccda_document": 1})
    assert plan.file(row.pop("uuid")) == xml
    assert row == {
        "docdate": "2011-06-02",
        "name": "ccda-lab.xml",
        "size": len(xml),
        "hash": sha3_512(xml).hexdigest(),
    }


def test_the_document_of_a_person_keeps_its_uuid() -> None:
    """Whatever is in it: the loader replaces the row's file."""
    convert = a_conversion()
    one = DmlPlan.from_json(convert(a_bundle(), "openemr", filed=True) or b"")
    other = DmlPlan.from_json(convert(a_bundle(covers=["person"]), "openemr", filed=True) or b"")

    assert list(one.files) == list(other.files) == [one.writes[-1].rows[0][0]]


def test_a_document_is_made_once_for_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them comes first."""
    made = []
    document = conversion.document

    def counted(*arguments: Any, **more: Any) -> Any:
        made.append(arguments)
        return document(*arguments, **more)

    monkeypatch.setattr(conversion, "document", counted)
    convert, one, other = a_conversion(), a_bundle(), a_bundle()
    for person, order in ((one, ("documents", "openemr")), (other, ("openemr", "documents"))):
        for target in order:
            convert(person, target, filed=True)

    assert len(made) == 2


def test_who_is_not_there_has_no_document() -> None:
    """An empty write takes one away that was filed; the retirement of a person is that of everything."""
    convert = a_conversion()
    absent = read_plan(convert(nobody(), "openemr", filed=True) or b"")
    retired = read_plan(convert(nobody(retired=True), "openemr", filed=True) or b"")

    assert [(w.kind, w.count) for w in absent.writes if w.table == "documents"] == [("replace_scope", 0)]
    assert [(w.kind, w.table) for w in retired.writes] == [("tombstone", "*")]
    assert not absent.files
