"""The report of a job: where every row and every message went, and whether the account closes."""

from __future__ import annotations

from typing import Any

from carebus_console.domain.row_accounts import lacking_concepts, row_accounts
from carebus_contracts.jobs import JobState, JobStatus, TableCounts, TargetProgress


def report_of(state: JobState, *, survey: JobState | None = None) -> dict[str, Any]:
    """Return the report as JSON would hold it.

    Args:
        state: Of the job.
        survey: State of the job that counted whom this one did not mention.

    ``closes`` is true when for each table ``read = emitted + left behind``, and at each target
    ``extracted`` is the sum of its outcomes and each table's emitted rows are accounted for.
    """
    rows = [_table(table, counts) for table, counts in sorted(state.tables.items())]
    targets = [_target(target, state, told) for target, told in state.targets.items()]
    return {
        "job_id": state.job_id,
        "status": state.status.value,
        "kind": state.kind,
        "source": state.source,
        "dry_run": state.dry_run,
        "requester": state.requester,
        "claimed": state.claimed,
        "created_ms": state.created_ms,
        "finished_ms": state.finished_ms,
        "persons": state.persons,
        "extracted": state.extracted,
        "reasons": list(state.reasons),
        "notes": list(state.notes),
        "rows": rows,
        "targets": targets,
        "vanished": _vanished(survey),
        "closes": all(
            part["closes"] for part in (*rows, *targets, *(a for t in targets for a in t["accounts"]))
        ),
    }


def _vanished(survey: JobState | None) -> dict[str, Any] | None:
    """Return how many persons a target has whom the job did not mention; counts once the survey is done."""
    if survey is None:
        return None
    done = survey.status is JobStatus.COMPLETED
    return {
        "survey": survey.job_id,
        "status": survey.status.value,
        "persons": {t: told.persons_retired for t, told in survey.targets.items()} if done else {},
    }


def identity(extracted: int, outcomes: dict[str, int]) -> str:
    """``5 = 3 applied + 2 unchanged``."""
    parts = [f"{count} {name.replace('_', '-')}" for name, count in outcomes.items()]
    return f"{extracted} = {' + '.join(parts) or '0'}"


def _table(table: str, counts: TableCounts) -> dict[str, Any]:
    return {
        "table": table,
        "read": counts.read,
        "emitted": counts.emitted,
        "left_behind": counts.left_behind,
        "noted": counts.noted,
        "closes": counts.read == counts.emitted + sum(counts.left_behind.values()),
    }


def _target(target: str, state: JobState, told: TargetProgress) -> dict[str, Any]:
    return {
        "target": target,
        "extracted": state.extracted,
        "outcomes": told.outcomes,
        "identity": identity(state.extracted, told.outcomes),
        "closes": state.extracted == sum(told.outcomes.values()),
        "accounts": row_accounts(state.tables, told),
        "lacking": lacking_concepts(told.lacking),
        "rows_inserted": told.rows_inserted,
        "rows_updated": told.rows_updated,
        "rows_deleted": told.rows_deleted,
        "persons_retired": told.persons_retired,
        "tables": told.tables,
        "not_mapped": told.not_mapped,
        "reasons": told.reasons,
    }
