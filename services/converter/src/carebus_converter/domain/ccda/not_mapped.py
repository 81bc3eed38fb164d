"""Why a row is not in the document: nothing disappears in silence."""

from enum import StrEnum


class NotMapped(StrEnum):
    """Reasons, as the job report shows them."""

    DERIVED_TABLE = "derived_table"
    """The table is computed from others whose rows are in the document."""
    HEADER_ONLY = "header_only"
    """The row's dates bound the service event in the header; it has no entry of its own."""
    NO_SECTION = "no_section"
    """A CCD has no section for this table that we fill."""
    NOTHING_RECORDED = "nothing_recorded"
    """The row names no concept, no source value and no result: an entry would be empty."""
    PART_OF_VISIT = "part_of_visit"
    """The visit that this row details is the encounter in the document."""
    REPEATED_PERSON = "repeated_person"
    """A second PERSON or DEATH row; the first, by content, is in the header."""


WHOLE_TABLES = {
    "observation_period": NotMapped.HEADER_ONLY,
    "visit_detail": NotMapped.PART_OF_VISIT,
    "note": NotMapped.NO_SECTION,
    "specimen": NotMapped.NO_SECTION,
    "condition_era": NotMapped.DERIVED_TABLE,
    "drug_era": NotMapped.DERIVED_TABLE,
    "dose_era": NotMapped.DERIVED_TABLE,
    "episode": NotMapped.DERIVED_TABLE,
    "cost": NotMapped.NO_SECTION,
    "payer_plan_period": NotMapped.NO_SECTION,
}
"""Tables none of whose rows gets an entry."""
