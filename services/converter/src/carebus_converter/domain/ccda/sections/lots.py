"""Lot numbers of drugs and vaccines."""

from __future__ import annotations

from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_converter.domain.ccda.text import clean

_NO_LOT = ("", "")


def lot_number(row: DrugExposure) -> tuple[str, str]:
    """Return the element and the words; both empty without a lot, for which OMOP loads write 0."""
    if row.lot_number is None or row.lot_number == "0" or not (lot := clean(row.lot_number)):
        return _NO_LOT
    return f"<lotNumberText>{lot}</lotNumberText>", lot
