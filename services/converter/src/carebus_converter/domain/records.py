"""Telling the two messages of ``carebus.omop.records.v1`` apart."""

from __future__ import annotations

import re

from carebus_contracts.omop.bundle import (
    PersonRecords,
    ReferenceRecords,
    decode_person,
    decode_reference,
)

_REFERENCE = re.compile(rb'^\s*\{\s*"source"\s*:\s*"[^"]*"\s*,\s*"table"\s*:')


def decode_records(value: bytes) -> PersonRecords | ReferenceRecords:
    """Read a bundle or a chunk of reference rows.

    Raises:
        InvalidMessage: The bytes are neither.
    """
    if _REFERENCE.match(value):
        return decode_reference(value)
    return decode_person(value)
