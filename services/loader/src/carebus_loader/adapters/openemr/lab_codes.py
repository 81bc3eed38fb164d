"""Tests by LOINC code: OpenEMR's FHIR takes the code of a report from its table ``procedure_type``."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_loader.adapters.openemr.charts import named_lock
from carebus_loader.adapters.openemr.connection import Session, marks
from carebus_loader.adapters.openemr.judging import Judgement
from carebus_loader.adapters.openemr.places import REPORTS, is_of

LABORATORY = "laboratory_test"
_CODE_WIDTH, _NAME_WIDTH = 64, 63


class LabCodes:
    """Remembers which tests are there, so that most batches ask nothing."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    async def know(self, session: Session, database: str, judged: Sequence[Judgement]) -> None:
        """Add what is missing of the tests in some plans; outside of a transaction.

        ``procedure_type`` has no unique key, so that only our lock keeps two loaders from adding the
        same. One row a code is enough, and more than one would double each report in FHIR.
        """
        named = {code: name for code, name in _named(judged) if code not in self._known}
        if not named:
            return
        codes = sorted(named)
        async with named_lock(session, database, "tests"):
            there = await session.select(
                f"SELECT procedure_code FROM procedure_type WHERE procedure_code IN ({marks(codes)})", codes
            )
            missing = sorted(set(codes) - {code for (code,) in there})
            if missing:
                await session.execute(
                    "INSERT INTO procedure_type (parent, name, lab_id, procedure_code, procedure_type, "
                    "standard_code, activity, procedure_type_name) VALUES "
                    + ", ".join([f"(0, %s, @carebus_lab, %s, 'ord', %s, 1, '{LABORATORY}')"] * len(missing)),
                    [cell for code in missing for cell in (named[code][:_NAME_WIDTH], code, code)],
                )
        self._known.update(codes)


def _named(judged: Sequence[Judgement]) -> set[tuple[str, str]]:
    """Return code and name of the laboratory tests that have a LOINC code; others are ``TYPE:code``."""
    wanted = ("procedure_code", "procedure_name", "procedure_type")
    found: set[tuple[str, str]] = set()
    for judgement in judged:
        for write in judgement.writes:
            if is_of(write.table, REPORTS) and write.count and set(wanted) <= set(write.columns):
                code, name, kind = map(write.columns.index, wanted)
                found.update(
                    (str(row[code]), str(row[name])) for row in write.records() if row[kind] == LABORATORY
                )
    return {(code, name) for code, name in found if code and ":" not in code and len(code) <= _CODE_WIDTH}
