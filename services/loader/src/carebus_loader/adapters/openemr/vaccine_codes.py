"""Vaccines by CVX code: OpenEMR takes their names from its table ``codes``, which ships without them."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_loader.adapters.openemr.charts import named_lock
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.places import IMMUNIZATIONS

CVX = 100
"""Code type of CVX in OpenEMR's ``code_types``."""
_CODE_WIDTH = 25


class VaccineCodes:
    """Remembers which codes are there, so that most batches ask nothing."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    async def know(self, session: Session, database: str, judged: Sequence[Judgement]) -> None:
        """Add what is missing of the codes in some plans; outside of a transaction.

        ``codes`` has no unique key, so that only our lock keeps two loaders from adding the same.
        """
        named = {
            code: name
            for code, name in _named(judged)
            if code not in self._known and len(code) <= _CODE_WIDTH
        }
        if not named:
            return
        codes = sorted(named)
        async with named_lock(session, database, "codes"):
            there = await session.select(
                f"SELECT code FROM codes WHERE code_type = %s AND code IN ({', '.join(['%s'] * len(codes))})",
                (CVX, *codes),
            )
            missing = sorted(set(codes) - {code for (code,) in there})
            if missing:
                await session.execute(
                    "INSERT INTO codes (code_type, active, code, code_text, code_text_short) VALUES "
                    + ", ".join([f"({CVX}, 1, %s, %s, %s)"] * len(missing)),
                    [cell for code in missing for cell in (code, named[code], named[code])],
                )
        self._known.update(codes)


def _named(judged: Sequence[Judgement]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for judgement in judged:
        for write in judgement.writes:
            if (
                write.table == IMMUNIZATIONS.table
                and write.count
                and {"cvx_code", "note"} <= set(write.columns)
            ):
                code, note = write.columns.index("cvx_code"), write.columns.index("note")
                found.update((str(row[code]), str(row[note])) for row in write.records())
    return found
