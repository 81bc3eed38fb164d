"""Postgres keeps the laws of every target, and some of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.plans import ReadPlan
from carebus_contracts.versions import Version
from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget, retiring, rows
from carebus_loader.ports import Delivery
from support.chunk_suite import ChunkSuite
from support.target_suite import Shown, TargetSuite, everyone, put, until_done

from .plans import person_plan, retired_plan


class TestPostgres(TargetSuite, ChunkSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, postgres: PostgresSettings) -> Callable[[], PostgresTarget]:
        return lambda: PostgresTarget(postgres)

    @pytest.fixture
    def show(self, pg: Any, postgres: PostgresSettings) -> Callable[[str], Any]:
        async def show(source: str) -> Shown:
            found: dict[int, list[str | None]] = {}
            for person_id, text in await pg.fetch(
                f"SELECT person_id, value_as_string FROM {postgres.omop_schema}.observation "
                'WHERE source = $1 ORDER BY value_as_string COLLATE "C" NULLS FIRST',
                source,
            ):
                found.setdefault(person_id, []).append(text)
            return found

        return show

    @pytest.fixture
    def show_concepts(self, pg: Any, postgres: PostgresSettings) -> Callable[[str], Any]:
        async def show(source: str) -> dict[int, str]:
            rows = await pg.fetch(
                f"SELECT concept_id, concept_name FROM {postgres.omop_schema}.concept WHERE source = $1",
                source,
            )
            names = {row[0]: row[1] for row in rows}
            assert len(names) == len(rows)
            return names

        return show

    @pytest.fixture
    def crash(self, target: PostgresTarget, pg: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        @asynccontextmanager
        async def crash() -> AsyncIterator[None]:
            copy = rows.copy

            async def copy_and_die(connection: Any, table: str, *args: Any, **kwargs: Any) -> None:
                await copy(connection, table, *args, **kwargs)
                if table.endswith("observation"):
                    pid = connection.get_server_pid()
                    await pg.execute("SELECT pg_terminate_backend($1)", pid)

            with monkeypatch.context() as patched:
                patched.setattr(rows, "copy", copy_and_die)
                yield

        return crash

    def plan(self, source: str, person_id: int, texts: Sequence[str | None]) -> ReadPlan:
        return person_plan(source, person_id, texts)

    def retired(self, source: str, person_id: int) -> ReadPlan:
        return retired_plan(source, person_id)

    def refused(self, source: str, person_id: int) -> ReadPlan:
        return person_plan(source, person_id, ["new"], observation_date="newly")

    async def test_only_rows_that_differ_are_written(self, target: PostgresTarget, source: str) -> None:
        """Counts are exact: one row changed, one new, one gone, one left alone."""
        await put(target, self.plan(source, 1, ["a", "b", "c"]))

        fewer = await put(target, self.plan(source, 1, ["a", "x"]), v=2)
        more = await put(target, self.plan(source, 1, ["a", "x", "y"]), v=3)

        assert (fewer.inserted, fewer.updated, fewer.deleted) == (0, 1, 1)
        assert (more.inserted, more.updated, more.deleted) == (1, 0, 0)
        assert more.tables == {"observation": 1}

    async def test_a_source_is_retired_some_subjects_at_a_time(
        self, target: PostgresTarget, show: Any, source: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many it has: persons and chunks all go, those of a job only go with it."""
        monkeypatch.setattr(retiring, "_RETIRED_AT_ONCE", 2)
        await put(target, *(self.plan(source, person, ["a"]) for person in range(1, 6)))
        await put(target, *(self.plan(source, person, ["b"]) for person in (6, 7, 8)), job="two")

        of_job = await put(target, everyone("postgres", source, "two"), v=5)
        left = await show(source)
        of_all = await put(target, everyone("postgres", source), v=6)

        # Each has a row of PERSON and one of OBSERVATION.
        assert (of_job.persons, of_job.deleted, sorted(left)) == (3, 6, [1, 2, 3, 4, 5])
        assert (of_all.persons, of_all.deleted, await show(source)) == (5, 10, {})

    async def test_zero_byte_is_refused(self, target: PostgresTarget, source: str) -> None:
        """Postgres text cannot hold it, so it is the record's fault."""
        with pytest.raises(ConstraintViolated, match="rows of observation: 22021"):
            await put(target, self.plan(source, 1, ["\0"]))

    async def test_number_beyond_64_bits_is_refused(self, target: PostgresTarget, source: str) -> None:
        """Rather than cut."""
        with pytest.raises(ConstraintViolated, match="22003"):
            await put(target, person_plan(source, 1, ["a"], provider_id=2**63))

    async def test_connection_that_was_lost_is_replaced(
        self, target: PostgresTarget, pg: Any, show: Any, source: str
    ) -> None:
        """A server that cut our connections between two batches costs a retry at most."""
        await pg.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'carebus-loader' AND pid <> pg_backend_pid() AND state = 'idle' "
            "AND pid <> $1",
            pg.get_server_pid(),
        )

        await until_done(target, [Delivery(self.plan(source, 1, ["a"]), Version(1), "job")])

        assert await show(source) == {1: ["a"]}
