"""Why a row is not in the chart: nothing disappears in silence."""

from enum import StrEnum


class NotMapped(StrEnum):
    """Reasons, as the job report shows them."""

    DERIVED_TABLE = "derived_table"
    """The table is computed from others whose rows are mapped."""
    NO_VALUE = "no_value"
    """A vital sign without any value, or a question without an answer: there is nothing to show."""
    DENIED = "denied"
    """An allergy that the row asks about and answers with no: OpenEMR lists what patients have."""
    PART_OF_VISIT = "part_of_visit"
    """OpenEMR's encounters have no parts; the visit that it belongs to is in the chart."""
    NO_ORDER = "no_order"
    """OpenEMR keeps specimens under the line of an order, and OMOP does not say which test one was for."""
    NO_SAFE_PLACE = "no_safe_place"
    """OpenEMR has a form for it, whose rows it numbers by the highest number so far without a key that refuses
    one that is taken: rows put beside it could get into somebody else's form, and be doubled by a repetition."""
    NO_PLACE = "no_place"
    """OpenEMR has no table that would show it."""
    NO_PERSON = "no_person"
    """The source has no PERSON row for it, so there is no chart to put it into."""
    NO_DATE = "no_date"
    """The target demands a date and the row has none."""
    NOT_COVERED = "not_covered"
    """The bundle does not claim to hold this table whole, so its rows cannot replace others."""
    NOTHING_RECORDED = "nothing_recorded"
    """The row names no concept, no source value and no result: an entry would be empty."""
    UNNAMED = "unnamed"
    """The row has a value, and neither concept nor source value says of what."""
    REPEATED_PERSON = "repeated_person"
    """A second PERSON or DEATH row; the first, by content, is in the chart."""
    SUPERSEDED = "superseded"
    """A newer row says the same kind of thing, and OpenEMR shows only the newest."""


WHOLE_TABLES = {
    "observation_period": NotMapped.NO_PLACE,
    "visit_detail": NotMapped.PART_OF_VISIT,
    "note": NotMapped.NO_SAFE_PLACE,
    "specimen": NotMapped.NO_ORDER,
    "condition_era": NotMapped.DERIVED_TABLE,
    "drug_era": NotMapped.DERIVED_TABLE,
    "dose_era": NotMapped.DERIVED_TABLE,
    "episode": NotMapped.DERIVED_TABLE,
    "cost": NotMapped.NO_PLACE,
    "payer_plan_period": NotMapped.NO_PLACE,
}
"""Tables none of whose rows gets into the chart."""
