"""OpenEMR keeps the laws of every target."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from carebus_contracts.plans import ReadPlan
from carebus_contracts.versions import content_hash
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget, rows
from support.target_suite import Shown, TargetSuite, in_order

from .hand_made import a_plan, a_retirement


class TestOpenEmr(TargetSuite):
    """A text is the dosage instruction of a prescription: the one text column without a limit, nullable."""

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, openemr: OpenEmrSettings) -> Callable[[], OpenEmrTarget]:
        return lambda: OpenEmrTarget(openemr)

    @pytest.fixture
    def show(self, read: Callable[..., Any]) -> Callable[[str], Any]:
        async def show(source: str) -> Shown:
            found: dict[int, list[str | None]] = {}
            for pubpid, text in read(
                "SELECT p.pubpid, r.drug_dosage_instructions FROM patient_data p "
                "JOIN prescriptions r ON r.patient_id = p.pid WHERE p.pubpid LIKE %s AND r.active = 1",
                f"{source}:%",
            ):
                found.setdefault(int(pubpid.rpartition(":")[2]), []).append(text)
            return {person: in_order(texts) for person, texts in found.items()}

        return show

    @pytest.fixture
    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        @asynccontextmanager
        async def crash() -> AsyncIterator[None]:
            async def die(session: Any, *_: Any) -> None:
                await session.execute("KILL CONNECTION_ID()")

            with monkeypatch.context() as patched:
                patched.setattr(rows, "_take_away", die)
                yield

        return crash

    def plan(self, source: str, person_id: int, texts: Sequence[str | None]) -> ReadPlan:
        """Our uuids depend on the source, and with them hashes; the suite compares two sources."""
        plan = a_plan(source, person_id, prescriptions=texts)
        of_texts = content_hash(*(repr(text).encode() for text in texts))
        writes = (
            msgspec.structs.replace(w, hash=of_texts) for w in plan.writes if w.table == "prescriptions"
        )
        others = (w for w in plan.writes if w.table != "prescriptions")
        return msgspec.structs.replace(plan, writes=(*others, *writes))

    def retired(self, source: str, person_id: int) -> ReadPlan:
        return a_retirement(source, person_id)

    def refused(self, source: str, person_id: int) -> ReadPlan:
        return a_plan(
            source, person_id, prescriptions=["new"], problems={1: "new"}, problem={"begdate": "newly"}
        )
