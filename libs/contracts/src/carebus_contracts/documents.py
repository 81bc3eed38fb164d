"""A clinical document on its way to its store."""

from __future__ import annotations

from pydantic import Field

from carebus_contracts.jobs import JOB_ID
from carebus_contracts.model import WireModel
from carebus_contracts.omop.bundle import SOURCE_SLUG

MADE_DOCUMENT = "ccda_document"
"""Under this name accounts tell of documents that are filed in OpenEMR; the others are OMOP's tables."""


class CcdaDocument(WireModel):
    """One C-CDA document. The same records give the same bytes."""

    source: str = Field(pattern=SOURCE_SLUG)
    person_id: int
    document_id: str = Field(description="The document's own id (UUID).")
    hash: str = Field(pattern=r"^[0-9a-f]{0,64}$", description="content_hash of the XML.")
    xml: str = Field(description="The document; empty with ``retired``.")
    not_mapped: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Source rows that became nothing in the document, by table and reason.",
    )
    mapped: dict[str, int] = Field(
        default_factory=dict, description="Source rows that are in the document, by table."
    )
    lacking: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Of those not mapped the ones for want of a mapping of their concept, by table and concept.",
    )
    retired: bool = Field(
        default=False,
        description="The person's documents are to vanish.",
    )
    all_persons: bool = Field(
        default=False,
        description="With ``retired``: those of every person of the source; person_id says nothing then.",
    )
    of_job: str = Field(
        default="",
        pattern=rf"{JOB_ID}|^$",
        description="With ``all_persons``: only those that this job wrote last.",
    )
