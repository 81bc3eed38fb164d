"""Rows of ``lists``, where OpenEMR keeps problems and allergies side by side."""

from __future__ import annotations

from carebus_converter.domain.openemr.cells import NULL

LISTS = (
    "uuid",
    "type",
    "title",
    "diagnosis",
    "verification",
    "begdate",
    "enddate",
    "outcome",
    "external_id",
    "encounter",
)
RESOLVED = 1
UNASSIGNED = 0


def list_row(uuid: str, what: str, *, begun: str, ended: str, record_id: int, encounter: str) -> str:
    """Return one row; ``what`` is the text of its type, title, diagnosis and verification."""
    outcome = UNASSIGNED if ended == NULL else RESOLVED
    return f'["{uuid}",{what},{begun},{ended},{outcome},"{record_id}",{encounter}]'
