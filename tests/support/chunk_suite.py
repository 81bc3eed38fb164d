"""What every warehouse must do with chunks of reference rows, as tests to subclass.

A chunk comes whole (``replace_scope``) or in part (``upsert``). The state after any sequence is given
here a second time, as a function of the set of statements, and both servers are compared with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.plans import ReadPlan, WriteKind, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version, content_hash
from carebus_loader.ports import Delivery, Target
from support.target_suite import everyone, put, until_done

CONCEPT = ("record_copy", *REFERENCE_TABLES["concept"].columns)
Names = Mapping[int, str]
"""Concept names by id."""


def line_of(concept_id: int, name: str) -> bytes:
    """Return the row of a concept as a plan carries it."""
    cells = {"record_copy": 0, "concept_id": concept_id, "concept_name": name, "domain_id": "Drug"}
    cells["valid_start_date"] = "1970-01-01"
    return orjson.dumps([cells.get(column) for column in CONCEPT])


def chunk_plan(source: str, names: Names, kind: WriteKind, chunk: int = 0) -> ReadPlan:
    """Return the plan of a chunk of concepts."""
    lines = [line_of(concept_id, names[concept_id]) for concept_id in sorted(names)]
    write = encode_write("concept", CONCEPT, lines, kind=kind)
    return read_plan(encode_plan(target="any", source=source, subject=f"concept/{chunk}", writes=[write]))


def whole(source: str, names: Names, chunk: int = 0) -> ReadPlan:
    """Return the plan of a chunk that is complete."""
    return chunk_plan(source, names, "replace_scope", chunk)


def part(source: str, names: Names, chunk: int = 0) -> ReadPlan:
    """Return the plan of some rows of a chunk."""
    return chunk_plan(source, names, "upsert", chunk)


class Said(NamedTuple):
    """One statement of the property test. A job has one version."""

    kind: str
    v: int
    names: tuple[tuple[int, str], ...] = ()
    of_version: int = 0


_CHUNKS = st.builds(
    Said,
    kind=st.sampled_from(["whole", "part", "part"]),
    v=st.integers(1, 6),
    names=st.dictionaries(st.integers(1, 3), st.sampled_from("ab"), max_size=3).map(
        lambda names: tuple(sorted(names.items()))
    ),
)
_RETIREMENTS = st.one_of(
    st.builds(Said, kind=st.just("source"), v=st.integers(1, 6)),
    st.builds(Said, kind=st.just("job"), v=st.integers(7, 9), of_version=st.integers(1, 6)),
)


def what_stands(said: Sequence[Said]) -> Names:
    """Say what is to stand after these statements, in any order."""
    floor = max((one.v for one in said if one.kind == "source"), default=0)
    void = {one.of_version for one in said if one.kind == "job"}
    wholes = [
        ("" if one.v in void else whole("s", dict(one.names)).writes[0].hash, one)
        for one in said
        if one.kind == "whole" and one.v >= floor
    ]
    ground = max(wholes, key=lambda each: (each[1].v, each[0]), default=None)
    lowest = max(floor, ground[1].v if ground else 0)
    names = dict(ground[1].names) if ground and ground[0] else {}
    rows = [
        (one.v, content_hash(line_of(*row)), *row)
        for one in said
        if one.kind == "part" and one.v > lowest
        for row in one.names
    ]
    return names | {concept_id: name for _, _, concept_id, name in sorted(rows)}


class ChunkSuite:
    """The laws of chunks. A subclass has the fixtures of ``TargetSuite``, and ``show_concepts``."""

    @pytest.fixture
    def show_concepts(self) -> Any:
        """``await show_concepts(source)`` gives the names that people see, by id, each once."""
        raise NotImplementedError

    async def test_part_of_a_chunk_takes_nothing_away(
        self, target: Target, show_concepts: Any, source: str
    ) -> None:
        """A job that brings concepts in use after one with the whole vocabulary leaves that whole."""
        await put(target, whole(source, {1: "a", 2: "b", 3: "c"}), v=1)

        written = await put(target, part(source, {2: "b", 4: "d"}), v=2)
        again = await put(target, part(source, {2: "b", 4: "d"}), v=3)

        assert (written.result, written.inserted, written.updated) == (Result.APPLIED, 1, 0)
        assert (again.result, again.inserted, again.updated) == (Result.UNCHANGED, 0, 0)
        assert await show_concepts(source) == {1: "a", 2: "b", 3: "c", 4: "d"}

    async def test_newer_row_is_not_overwritten_by_an_older_one(
        self, target: Target, show_concepts: Any, source: str
    ) -> None:
        """Row by row, also where the newer one said the same as what stood."""
        await put(target, part(source, {1: "same", 2: "old"}), v=1)
        await put(target, part(source, {1: "same", 2: "new"}), v=9)

        late = await put(target, part(source, {1: "other", 2: "other", 3: "first"}), v=5)

        assert (late.result, late.inserted, late.updated) == (Result.APPLIED, 1, 0)
        assert await show_concepts(source) == {1: "same", 2: "new", 3: "first"}

    async def test_newer_whole_chunk_takes_away_what_it_does_not_name(
        self, target: Target, show_concepts: Any, source: str
    ) -> None:
        """Also where it says the same as the whole chunk before; rows that are newer still stay."""
        await put(target, whole(source, {1: "a", 2: "b"}), v=1)
        await put(target, part(source, {2: "other", 3: "c"}), v=2)
        await put(target, part(source, {4: "d"}), v=8)

        await put(target, whole(source, {1: "a", 2: "b"}), v=5)
        late = await put(target, part(source, {3: "c"}), v=4)

        assert late.result is Result.STALE
        assert await show_concepts(source) == {1: "a", 2: "b", 4: "d"}

    async def test_retired_source_loses_what_was_put(
        self, target: Target, show_concepts: Any, source: str
    ) -> None:
        """And older parts do not come back; a retired job's rows stay, as others may need them."""
        await put(target, part(source, {1: "a", 2: "b"}), v=1, job="one")
        await put(target, everyone(target.name, source, "one"), v=2)
        assert await show_concepts(source) == {1: "a", 2: "b"}

        retired = await put(target, everyone(target.name, source), v=5)
        late = await put(target, part(source, {1: "a"}), v=4)
        await put(target, part(source, {9: "new"}), v=6)

        assert (retired.result, retired.deleted) == (Result.APPLIED, 2)
        assert late.result is Result.STALE
        assert await show_concepts(source) == {9: "new"}

    async def test_dry_run_of_a_chunk_tells_and_writes_nothing(
        self, target: Target, show_concepts: Any, source: str
    ) -> None:
        """It answers what a real run would have answered."""
        await put(target, whole(source, {1: "a", 2: "b"}), part(source, {7: "x"}, 1), v=1)
        batch = [
            part(source, {2: "changed", 3: "new"}),
            part(source, {7: "x"}, 1),
            whole(source, {8: "y"}, 2),
        ]

        told = await target.write([Delivery(plan, Version(2), "dry", dry_run=True) for plan in batch])
        seen = await show_concepts(source)
        done = await target.write([Delivery(plan, Version(2), "wet") for plan in batch])

        assert seen == {1: "a", 2: "b", 7: "x"}
        assert told == done
        assert (done[0].inserted, done[0].updated, done[0].deleted) == (1, 1, 0)
        assert await show_concepts(source) == {1: "a", 2: "changed", 3: "new", 7: "x", 8: "y"}

    async def test_two_loaders_at_once_put_into_the_same_chunks(
        self, target: Target, other: Target, show_concepts: Any, source: str
    ) -> None:
        """New chunks and known ones, in any order: the state is that of ``what_stands``."""
        order = random.Random(5)
        said = [
            Said("whole" if v == 3 else "part", v, tuple((n, f"{v}") for n in order.sample(range(1, 7), 3)))
            for v in range(1, 9)
        ]

        async def load(loader: Target, seed: int) -> None:
            for one in random.Random(seed).sample(said, len(said)):
                batch = [Delivery(_plan(one, source), Version(one.v), f"job-{one.v}")]
                await until_done(loader, batch)

        await asyncio.gather(load(target, 1), load(other, 2), load(target, 3))

        assert await show_concepts(source) == what_stands(said)

    async def test_persons_take_no_parts(self, target: Target, source: str) -> None:
        """What is said of a person is complete for each table that is named."""
        columns = ("record_copy", *PERSON_TABLES["person"].columns)
        write = encode_write("person", columns, [], kind="upsert")
        plan = read_plan(encode_plan(target="any", source=source, subject="person/1", writes=[write]))

        with pytest.raises(ConstraintViolated, match="only a chunk takes upserts"):
            await put(target, plan)

    @given(data=st.data())
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    async def test_any_shuffle_of_chunks_converges(
        self, target: Target, other: Target, show_concepts: Any, data: st.DataObject
    ) -> None:
        """The state is that of ``what_stands``, whatever came when, how often, and through which loader."""
        said = data.draw(st.lists(st.one_of(_CHUNKS, _CHUNKS, _RETIREMENTS), min_size=1, max_size=7))
        doubled = data.draw(st.lists(st.sampled_from(said), max_size=3))
        shuffled = data.draw(st.permutations([*said, *doubled]))
        source = f"s{uuid4().hex[:12]}"

        for number, one in enumerate(shuffled):
            loader = (target, other)[number % 2]
            await loader.write([Delivery(_plan(one, source), Version(one.v), f"job-{one.v}")])

        assert await show_concepts(source) == what_stands(said)


def _plan(said: Said, source: str) -> ReadPlan:
    match said.kind:
        case "whole":
            return whole(source, dict(said.names))
        case "part":
            return part(source, dict(said.names))
        case _:
            return everyone("any", source, f"job-{said.of_version}" if said.kind == "job" else "")
