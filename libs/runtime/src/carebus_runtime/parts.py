"""How much of a batch is in memory decoded at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carebus_contracts.headers import CLAIM


def first_part(records: Sequence[Any], limit: int) -> list[Any]:
    """Return the first of a batch's records (aiokafka's), together no more than ``limit`` bytes, at least one.

    A claim check stands alone: what it stands for was too large for a message.
    """
    size = 0
    for number, record in enumerate(records):
        claimed = any(name == CLAIM for name, _ in record.headers)
        size += limit + 1 if claimed else len(record.value or b"")
        if number and size > limit:
            return list(records[:number])
    return list(records)
