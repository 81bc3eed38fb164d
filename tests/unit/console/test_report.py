"""The report closes when every source row is accounted for at every target."""

from __future__ import annotations

from typing import Any

from carebus_console.domain.report import report_of
from carebus_contracts.jobs import JobState, JobStatus, TableCounts, TargetProgress


def a_report(extracted: int = 3, **told: Any) -> dict[str, Any]:
    """Three messages with 40 drug exposures and, in a reference chunk, two concepts."""
    state = JobState(
        job_id="job-1",
        status=JobStatus.COMPLETED,
        extracted=extracted,
        tables={
            "drug_exposure": TableCounts(read=41, emitted=40, left_behind={"orphan": 1}),
            "concept": TableCounts(read=2, emitted=2),
            "note": TableCounts(),
        },
        targets={
            "openemr": TargetProgress.model_validate({"outcomes": {"applied": 2, "unchanged": 1}} | told)
        },
    )
    return report_of(state)


ROWS = {"drug_exposure": {"written": 20, "unchanged": 9, "stale": 3, "conflict": 1}}
NOT_MAPPED = {"drug_exposure": {"no_date": 5, "nothing_recorded": 2}, "concept": {"only_as_referred": 2}}


def test_emitted_rows_are_the_sum_of_what_became_of_them() -> None:
    """40 = 20 + 9 + 3 + 1 + 7; tables without rows are left out."""
    report = a_report(rows=ROWS, not_mapped=NOT_MAPPED)

    assert report["closes"]
    assert report["targets"][0]["accounts"] == [
        {
            "table": "concept",
            "emitted": 2,
            "written": 0,
            "unchanged": 0,
            "stale": 0,
            "conflict": 0,
            "not_mapped": {"only_as_referred": 2},
            "given_up": 0,
            "closes": True,
        },
        {
            "table": "drug_exposure",
            "emitted": 40,
            "written": 20,
            "unchanged": 9,
            "stale": 3,
            "conflict": 1,
            "not_mapped": {"no_date": 5, "nothing_recorded": 2},
            "given_up": 0,
            "closes": True,
        },
    ]


def test_a_row_that_is_missing_opens_the_account() -> None:
    """Nothing was given up, so nothing may be missing; neither may there be one too many."""
    missing = a_report(rows={"drug_exposure": {"written": 32}}, not_mapped=NOT_MAPPED)
    surplus = a_report(rows={"drug_exposure": {"written": 34}}, not_mapped=NOT_MAPPED)

    assert not missing["closes"]
    assert not surplus["closes"]
    assert [a["closes"] for a in missing["targets"][0]["accounts"]] == [True, False]


def test_rows_in_dead_letters_are_found_by_difference() -> None:
    """A message was given up, and 14 rows with it; a surplus is an error even then."""
    outcomes = {"applied": 2, "dead_lettered": 1}
    rows = {"drug_exposure": {"written": 19}}
    report = a_report(outcomes=outcomes, rows=rows, not_mapped=NOT_MAPPED)
    surplus = a_report(outcomes=outcomes, rows={"drug_exposure": {"written": 34}}, not_mapped=NOT_MAPPED)

    assert report["closes"]
    assert report["targets"][0]["accounts"][1]["given_up"] == 14
    assert not surplus["closes"]


def test_concepts_without_a_mapping_come_most_frequent_first() -> None:
    """Twenty of them, of all tables together."""
    lacking = {"observation": {str(n): n for n in range(1, 30)}, "measurement": {"3004249": 15}}
    told = a_report(rows=ROWS, not_mapped=NOT_MAPPED, lacking=lacking)["targets"][0]["lacking"]

    assert len(told) == 20
    assert told[0] == {"table": "observation", "concept_id": "29", "rows": 29}
    assert [t["concept_id"] for t in told if t["rows"] == 15] == ["3004249", "15"]


def test_documents_that_were_made_on_the_way_are_accounted_for_too() -> None:
    """No source has them, so there are as many as the target tells of; the account closes."""
    rows = ROWS | {"ccda_document": {"written": 2}}
    not_mapped = NOT_MAPPED | {"ccda_document": {"no_sites_folder": 1}}

    report = a_report(rows=rows, not_mapped=not_mapped)

    (told,) = (a for a in report["targets"][0]["accounts"] if a["table"] == "ccda_document")
    assert (told["emitted"], told["written"], told["not_mapped"]) == (3, 2, {"no_sites_folder": 1})
    assert report["closes"]
