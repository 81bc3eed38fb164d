"""Receipts: what became of each message, so that the console can close the account."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from carebus_contracts.model import Ranges, WireModel


class Result(StrEnum):
    """What became of a subject at a target; the stronger one stands when a message came twice."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REFUSED = "refused"
    DEAD_LETTERED = "dead_lettered"
    DISCARDED = "discarded"


class LoadMetrics(WireModel):
    """What a batch cost and moved."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    persons: int = Field(default=0, description="Persons that the retirement of many took, or would take.")
    bytes: int = 0
    duration_ms: int = 0


class Receipt(WireModel):
    """One result for some ordinals of one attempt at one slice, at one target."""

    stage: str = Field(description="Consumer group that speaks.")
    target: str
    job_id: str
    slice: int
    attempt: str
    ordinals: Ranges
    result: Result
    metrics: LoadMetrics = LoadMetrics()
    tables: dict[str, int] = Field(default_factory=dict, description="Rows written a table.")
    not_mapped: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Source rows that became nothing, by table and reason."
    )
    rows: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Source rows by OMOP table and what became of them: written, unchanged, stale, conflict.",
    )
    lacking: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Source rows that became nothing for want of a mapping, by table and concept id.",
    )
    reason: str = Field(default="", description="Why it was refused or dead-lettered; a code, never a value.")
