"""Source rows are counted by what the guard decided of their table."""

from __future__ import annotations

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_loader.domain.accounting import (
    CONCEPTS_A_RECEIPT,
    OTHERS,
    most_frequent,
    rows_of_document,
    rows_of_plan,
)
from carebus_loader.domain.deliveries import Written
from carebus_loader.domain.guard import Verdict


def a_plan() -> ReadPlan:
    writes = [
        encode_write("person", ("a",), [b"[1]"]),
        encode_write("note", ("a",), []),
        encode_write("form_vitals", ("a",), [b"[1]", b"[2]"], of={"measurement": 9}),
        encode_write("prescriptions", ("a",), [b"[1]", b"[2]", b"[3]"], of={"drug_exposure": 3}),
    ]
    return read_plan(encode_plan(target="t", source="s", subject="person/1", writes=writes))


def test_rows_of_a_plan_follow_the_verdict_of_their_write() -> None:
    """Grouped rows count as many as they are made of; empty writes count nothing."""
    verdicts = {"person": Verdict.RAISE, "form_vitals": Verdict.WRITE, "prescriptions": Verdict.STALE}

    assert rows_of_plan(a_plan(), Written(Result.APPLIED, verdicts=verdicts)) == {
        "person": {"unchanged": 1},
        "measurement": {"written": 9},
        "drug_exposure": {"stale": 3},
    }


def test_rows_that_somebody_else_changed_are_conflicts() -> None:
    """They were left alone, so they are not among those written; rows that are as they were are neither."""
    finer = {
        "prescriptions": {"written": 0, "conflict": 2, "unchanged": 1},
        "form_vitals": {"written": 1, "conflict": 0, "unchanged": 1},
    }
    rows = rows_of_plan(a_plan(), Written(Result.APPLIED, finer=finer))

    assert rows["drug_exposure"] == {"conflict": 2, "unchanged": 1}
    # Which of nine measurements stand in the row that was put, a target does not know.
    assert rows["measurement"] == {"written": 9}


def test_what_a_target_has_no_place_for_is_not_written() -> None:
    """It is counted as not mapped, and nowhere else."""
    unplaced = Written(Result.APPLIED, not_mapped={"measurement": {"no_place": 9}})

    assert rows_of_plan(a_plan(), unplaced) == {"person": {"written": 1}, "drug_exposure": {"written": 3}}


def test_what_was_refused_or_discarded_counts_no_rows() -> None:
    """The report names them by difference, with the messages that they are in."""
    assert rows_of_plan(a_plan(), Written(Result.DISCARDED)) == {}


def test_rows_of_a_document() -> None:
    """All that is in it shares its fate."""
    document = CcdaDocument(
        source="s", person_id=1, document_id="d", hash="00", xml="", mapped={"note": 2, "death": 0}
    )

    assert rows_of_document(document, Written(Result.UNCHANGED)) == {"note": {"unchanged": 2}}


def test_receipts_name_the_most_frequent_concepts_and_sum_up_the_rest() -> None:
    """However many concepts lack a mapping, a receipt stays small and the sum stays right."""
    lacking = {str(n): n for n in range(1, CONCEPTS_A_RECEIPT + 11)}

    short = most_frequent({"observation": lacking})["observation"]

    assert len(short) == CONCEPTS_A_RECEIPT + 1
    assert short[OTHERS] == sum(range(1, 11))
    assert sum(short.values()) == sum(lacking.values())
