"""ClickHouse keeps the laws of every target, without a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from carebus_contracts.errors import ConstraintViolated, TargetUnavailable
from carebus_contracts.plans import ReadPlan
from carebus_loader.adapters.clickhouse import ClickHouseSettings, ClickHouseTarget
from carebus_loader.adapters.clickhouse.connection import Connection
from support.chunk_suite import ChunkSuite, part, whole
from support.target_suite import Shown, TargetSuite, everyone, put

from .plans import person_plan, retired_plan


class TestClickHouse(TargetSuite, ChunkSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, clickhouse: ClickHouseSettings) -> Callable[[], ClickHouseTarget]:
        return lambda: ClickHouseTarget(clickhouse)

    @pytest.fixture
    def look(self, ch: Any, clickhouse: ClickHouseSettings) -> Callable[[str, str], Any]:
        """Ask the server for what stands about sources in a table or view."""

        def look(columns: str, table: str, *sources: str) -> Any:
            return ch.query(
                f"SELECT {columns} FROM {clickhouse.database}.{table} "
                "WHERE source IN {sources:Array(String)} ORDER BY ALL NULLS FIRST",
                parameters={"sources": list(sources)},
            ).result_rows

        return look

    @pytest.fixture
    def show(self, look: Any) -> Callable[[str], Any]:
        async def show(source: str) -> Shown:
            found: dict[int, list[str | None]] = {}
            for person_id, text in look("person_id, value_as_string", "observation", source):
                found.setdefault(person_id, []).append(text)
            return found

        return show

    @pytest.fixture
    def show_concepts(self, look: Any) -> Callable[[str], Any]:
        async def show(source: str) -> dict[int, str]:
            rows = look("concept_id, concept_name", "concept", source)
            assert len(dict(rows)) == len(rows)
            return dict(rows)

        return show

    @pytest.fixture
    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        @asynccontextmanager
        async def crash(table: str = "carebus_scope") -> AsyncIterator[None]:
            insert = Connection.insert

            async def insert_or_die(self: Connection, name: str, *args: Any) -> None:
                if name == table:
                    raise TargetUnavailable(name)
                await insert(self, name, *args)

            with monkeypatch.context() as patched:
                patched.setattr(Connection, "insert", insert_or_die)
                yield

        return crash

    def plan(self, source: str, person_id: int, texts: Sequence[str | None]) -> ReadPlan:
        return person_plan(source, person_id, texts)

    def retired(self, source: str, person_id: int) -> ReadPlan:
        return retired_plan(source, person_id)

    def refused(self, source: str, person_id: int) -> ReadPlan:
        return person_plan(source, person_id, ["new"], observation_date="newly")

    async def test_crash_between_tables_shows_nothing_new(
        self, target: ClickHouseTarget, look: Any, crash: Any, source: str
    ) -> None:
        """One table's rows are there, another's are not: the old state of both shows."""
        await put(target, self.plan(source, 1, ["a"]))

        with pytest.raises(TargetUnavailable):
            async with crash("observation_rows"):
                await put(target, self.plan(source, 1, []), self.plan(source, 2, ["b"]), v=2)

        assert look("person_id, value_as_string", "observation", source) == [(1, "a")]
        assert look("person_id", "person", source) == [(1,)]

    async def test_number_beyond_64_bits_is_refused(self, target: ClickHouseTarget, source: str) -> None:
        """The server would wrap it to a negative number in silence."""
        with pytest.raises(ConstraintViolated, match="more than 64 bits"):
            await put(target, person_plan(source, 1, ["a"], provider_id=2**63))

    async def test_date_that_is_none_is_refused(self, target: ClickHouseTarget, source: str) -> None:
        """The server would make it 1900-01-01."""
        with pytest.raises(ConstraintViolated):
            await put(target, person_plan(source, 1, ["a"], observation_date="2020-13-45"))

    async def test_tidying_deletes_what_does_not_count(
        self, target: ClickHouseTarget, look: Any, crash: Any, source: str
    ) -> None:
        """Superseded and retired rows go for good; rows that count and rows under way stay."""
        retired = f"{source}r"
        await put(target, self.plan(source, 1, ["a", "b"]), self.plan(retired, 1, ["secret"]))
        await put(target, self.plan(source, 2, ["gone"]))
        await put(target, self.plan(source, 1, ["a"]), self.retired(source, 2), v=2)
        await put(target, self.plan(source, 1, ["a"]), v=3)
        await put(target, everyone("clickhouse", retired), v=4)
        with pytest.raises(TargetUnavailable):
            async with crash():
                await put(target, self.plan(source, 1, ["under", "way"]), v=5)

        await target.prepare()

        stored = look("value_as_string", "observation_rows", source, retired)
        assert stored == [("a",), ("under",), ("way",)]
        assert look("person_id, value_as_string", "observation", source) == [(1, "a")]

    async def test_tidying_deletes_rows_that_were_put_and_do_not_count(
        self, target: ClickHouseTarget, look: Any, show_concepts: Any, source: str
    ) -> None:
        """Those under a newer whole chunk, or of a retired source; what counts stays."""
        retired = f"{source}r"
        await put(target, part(source, {1: "a", 2: "b"}), part(retired, {1: "a"}))
        await put(target, whole(source, {1: "a"}), v=2)
        await put(target, part(source, {3: "c"}), v=3)
        await put(target, everyone("clickhouse", retired), v=4)

        await target.prepare()

        assert look("concept_id", "concept_upserts", source, retired) == [(3,)]
        assert await show_concepts(source) == {1: "a", 3: "c"}

    async def test_change_is_counted_by_number(self, target: ClickHouseTarget, source: str) -> None:
        """All rows of a changed table are written anew; the count says how many there were and are."""
        await put(target, self.plan(source, 1, ["a", "b", "c"]))

        written = await put(target, self.plan(source, 1, ["a", "x"]), v=2)

        assert (written.inserted, written.updated, written.deleted) == (0, 2, 1)
