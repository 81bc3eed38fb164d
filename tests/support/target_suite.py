"""What every target must do, as tests to subclass (manner of ``singer_sdk/testing/suites.py``).

A target's own test module subclasses ``TargetSuite`` and says how to make its plans and how to read
what it shows. In the suite a person has *texts*: records that hold one string each.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carebus_contracts.errors import ConstraintViolated, TransientError
from carebus_contracts.plans import ALL_PERSONS, ALL_SUBJECTS, ReadPlan, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.ports import Delivery, Target, Written

Shown = Mapping[int, Sequence[str | None]]
"""Texts by person, sorted."""

ODD_TEXTS = (
    "",
    "null",
    "\\N",
    "\\.",
    "a\n\\.\nb",
    'quote " and \\" and \\\\',
    "tab\tnew line\ncarriage\rreturn",
    "comma, ],[ and ],\n[ and [0,1]",
    "'; DROP TABLE person; --",
    "\x01\x1f\x7f\x85\u2028",
    "Zoë Ærø 山田 🧬 e\u0301",
    "123456789012345678901234567890",
    "x" * 70_000,
)


class TargetSuite:
    """The laws of a target. Each test uses a source of its own, so one store serves all of them."""

    odd_texts: Sequence[str] = ODD_TEXTS
    takes_nulls = True

    # --- what a subclass says -------------------------------------------------------------------

    @pytest.fixture(scope="class")
    def make(self) -> Callable[[], Any]:
        """Makes targets that are not started."""
        raise NotImplementedError

    @pytest.fixture
    def show(self) -> Callable[[str], Any]:
        """``await show(source)`` gives the texts that people see, as ``Shown``."""
        raise NotImplementedError

    @pytest.fixture
    def crash(self, target: Target) -> Callable[[], AbstractAsyncContextManager[None]]:
        """``async with crash():`` makes a write fail, as servers do, when a part of its data was sent."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    async def target(cls, make: Callable[[], Any]) -> AsyncIterator[Target]:
        """A started target."""
        async with started(make()) as target:
            yield target

    @pytest.fixture(scope="class")
    @classmethod
    async def other(cls, make: Callable[[], Any]) -> AsyncIterator[Target]:
        """Another loader's connection to the same store."""
        async with started(make()) as target:
            yield target

    def plan(self, source: str, person_id: int, texts: Sequence[str | None]) -> ReadPlan:
        """Return the plan of a person with these texts."""
        raise NotImplementedError

    def retired(self, source: str, person_id: int) -> ReadPlan:
        """Return the plan that retires a person."""
        raise NotImplementedError

    def refused(self, source: str, person_id: int) -> ReadPlan:
        """Return a plan with a good record and one that the target must refuse."""
        raise NotImplementedError

    # --- the laws -------------------------------------------------------------------------------

    @pytest.fixture
    def source(self) -> str:
        return f"s{uuid4().hex[:12]}"

    async def test_what_is_sent_is_shown(self, target: Target, show: Any, source: str) -> None:
        """Odd characters and nulls arrive as they were."""
        texts = [*self.odd_texts, *([None] if self.takes_nulls else [])]

        written = await put(target, self.plan(source, 1, texts))

        assert written.result is Result.APPLIED
        assert await show(source) == {1: in_order(texts)}

    async def test_replayed_plan_is_written_once(self, target: Target, show: Any, source: str) -> None:
        """The same plan again, in a batch or later, changes nothing."""
        plan = self.plan(source, 1, ["a", "b"])
        first = await put(target, plan)

        again = await put(target, plan)

        assert first.inserted >= 2
        assert again.result is Result.UNCHANGED
        assert (again.inserted, again.updated, again.deleted) == (0, 0, 0)
        assert await show(source) == {1: ["a", "b"]}

    async def test_older_plan_after_a_newer_one_is_stale(
        self, target: Target, show: Any, source: str
    ) -> None:
        """The order of arrival is of no account."""
        await put(target, self.plan(source, 1, ["new"]), v=5)

        late = await put(target, self.plan(source, 1, ["old", "older"]), v=4)

        assert late.result is Result.STALE
        assert await show(source) == {1: ["new"]}

    async def test_newer_mapping_of_the_same_data_is_applied(
        self, target: Target, show: Any, source: str
    ) -> None:
        """The second half of a version counts as well."""
        await target.write([Delivery(self.plan(source, 1, ["first mapping"]), Version(5, 1), "j")])

        (written,) = await target.write(
            [Delivery(self.plan(source, 1, ["better mapping"]), Version(5, 2), "j")]
        )

        assert written.result is Result.APPLIED
        assert await show(source) == {1: ["better mapping"]}

    async def test_equal_content_raises_the_version(self, target: Target, show: Any, source: str) -> None:
        """A plan between the first and the equal newer one is stale, though it comes last."""
        await put(target, self.plan(source, 1, ["same"]), v=1)
        equal = await put(target, self.plan(source, 1, ["same"]), v=9)

        between = await put(target, self.plan(source, 1, ["other"]), v=5)

        assert equal.result is Result.UNCHANGED
        assert between.result is Result.STALE
        assert await show(source) == {1: ["same"]}

    async def test_at_equal_versions_the_larger_hash_wins(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Two contents of one version end alike, whichever came first."""
        one, two = self.plan(source, 1, ["one"]), self.plan(source, 1, ["two"])
        await put(target, one)
        await put(target, two)
        seen = await show(source)
        mirrored = f"{source}m"
        await put(target, self.plan(mirrored, 1, ["two"]))

        await put(target, self.plan(mirrored, 1, ["one"]))

        assert await show(mirrored) == seen

    async def test_changed_plan_replaces_exactly_its_person(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Rows that are gone go, new ones come, neighbours stay."""
        await put(target, self.plan(source, 1, ["a", "b", "c"]), self.plan(source, 2, ["n"]))

        written = await put(target, self.plan(source, 1, ["b", "d"]), v=2)

        assert written.result is Result.APPLIED
        assert await show(source) == {1: ["b", "d"], 2: ["n"]}

    async def test_table_named_without_rows_is_emptied(self, target: Target, show: Any, source: str) -> None:
        """No rows is a statement, and an older plan does not bring them back."""
        await put(target, self.plan(source, 1, ["a", "b"]), v=2)

        emptied = await put(target, self.plan(source, 1, []), v=3)
        late = await put(target, self.plan(source, 1, ["a", "b"]), v=2)

        assert (emptied.result, late.result) == (Result.APPLIED, Result.STALE)
        assert emptied.deleted >= 2
        assert await show(source) == {}

    async def test_person_that_came_empty_can_be_filled(self, target: Target, show: Any, source: str) -> None:
        """The first rows of a known person arrive like those of a new one."""
        await put(target, self.plan(source, 1, []), v=1)

        await put(target, self.plan(source, 1, ["a"]), v=2)

        assert await show(source) == {1: ["a"]}

    async def test_same_persons_of_two_sources_stay_apart(
        self, target: Target, show: Any, source: str
    ) -> None:
        """The source is part of every key."""
        await put(target, self.plan(source, 1, ["here"]), self.plan(f"{source}b", 1, ["there"]))

        assert await show(source) == {1: ["here"]}
        assert await show(f"{source}b") == {1: ["there"]}

    async def test_bad_record_refuses_the_whole_batch(self, target: Target, show: Any, source: str) -> None:
        """Nothing of the batch shows, also not of the persons that were there before."""
        await put(target, self.plan(source, 1, ["old"]), self.plan(source, 3, ["old"]))
        batch = [
            self.plan(source, 1, ["new"]),
            self.plan(source, 2, ["new"]),
            self.refused(source, 3),
            self.plan(source, 4, ["new"]),
        ]

        with pytest.raises(ConstraintViolated) as refusal:
            await put(target, *batch, v=2)

        assert await show(source) == {1: ["old"], 3: ["old"]}
        assert "old" not in str(refusal.value)
        assert "new" not in str(refusal.value)
        assert refusal.value.__cause__ is None, "the driver's error may hold values"

    async def test_rest_of_a_refused_batch_arrives(self, target: Target, show: Any, source: str) -> None:
        """After the bad one was set aside its neighbours go through, and it keeps what it had."""
        await put(target, self.plan(source, 2, ["old"]))
        with pytest.raises(ConstraintViolated):
            await put(target, self.plan(source, 1, ["new"]), self.refused(source, 2), v=2)

        await put(target, self.plan(source, 1, ["new"]), v=2)

        assert await show(source) == {1: ["new"], 2: ["old"]}

    async def test_batch_after_a_crash_in_the_middle_is_whole(
        self, target: Target, show: Any, crash: Any, source: str
    ) -> None:
        """The same batch again gives what it would have given at once; meanwhile the old state shows."""
        before = [self.plan(source, 1, ["a", "b"]), self.plan(source, 2, ["c"])]
        after = [
            self.plan(source, 1, ["b", "x"]),
            self.plan(source, 2, ["c", "y"]),
            self.plan(source, 3, ["z"]),
        ]
        await put(target, *before)

        with pytest.raises(TransientError):
            async with crash():
                await put(target, *after, v=2)
        between = await show(source)
        await put(target, *after, v=2)

        assert between == {1: ["a", "b"], 2: ["c"]}
        assert await show(source) == {1: ["b", "x"], 2: ["c", "y"], 3: ["z"]}

    async def test_retired_person_is_gone_for_good(self, target: Target, show: Any, source: str) -> None:
        """What is older comes back no more; what is newer does."""
        await put(target, self.plan(source, 1, ["a"]), self.plan(source, 2, ["b"]), v=1)

        gone = await put(target, self.retired(source, 1), v=3)
        late = await put(target, self.plan(source, 1, ["a"]), v=2)
        assert await show(source) == {2: ["b"]}
        await put(target, self.plan(source, 1, ["again"]), v=4)

        assert (gone.result, late.result) == (Result.APPLIED, Result.STALE)
        assert gone.deleted >= 1
        assert await show(source) == {1: ["again"], 2: ["b"]}

    async def test_tombstone_for_a_person_never_seen_holds(
        self, target: Target, show: Any, source: str
    ) -> None:
        """A retirement that overtakes the data wins."""
        await put(target, self.retired(source, 1), v=3)

        late = await put(target, self.plan(source, 1, ["a"]), v=2)

        assert late.result is Result.STALE
        assert await show(source) == {}

    async def test_retired_source_keeps_what_is_newer(self, target: Target, show: Any, source: str) -> None:
        """Everything older goes, seen or not yet seen; other sources stay."""
        await put(target, self.plan(source, 1, ["a"]), self.plan(f"{source}b", 1, ["there"]), v=1)
        await put(target, self.plan(source, 2, ["new"]), v=8)

        retired = await put(target, everyone(target.name, source), v=5)
        unseen = await put(target, self.plan(source, 3, ["late"]), v=4)
        await put(target, self.plan(source, 1, ["again"]), v=6)

        assert retired.result is Result.APPLIED
        assert retired.deleted >= 1
        assert unseen.result is Result.STALE
        assert await show(source) == {1: ["again"], 2: ["new"]}
        assert await show(f"{source}b") == {1: ["there"]}

    async def test_retired_source_keeps_what_was_confirmed_later(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Old data whose version was raised by an equal newer plan are no older than that plan."""
        await put(target, self.plan(source, 1, ["a"]), v=1)
        await put(target, self.plan(source, 1, ["a"]), v=8)

        await put(target, everyone(target.name, source), v=5)

        assert await show(source) == {1: ["a"]}

    async def test_retired_job_takes_only_what_it_wrote_last(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Persons that another job confirmed or changed since stay."""
        await put(
            target, self.plan(source, 1, ["a"]), self.plan(source, 2, ["b"]), self.plan(source, 3, ["c"]),
            v=1, job="one",
        )  # fmt: skip
        await put(target, self.plan(source, 2, ["b2"]), self.plan(source, 3, ["c"]), v=2, job="two")

        retired = await put(target, everyone(target.name, source, "one"), v=5)
        redelivered = await put(target, self.plan(source, 1, ["a"]), v=1, job="one")

        assert retired.result is Result.APPLIED
        assert redelivered.result is not Result.APPLIED
        assert await show(source) == {2: ["b2"], 3: ["c"]}

    async def test_job_that_is_under_way_survives_the_retirement_of_another(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Retiring job one does not make job two's plans stale, though they are older than the retirement."""
        await put(target, self.plan(source, 1, ["a"]), v=1, job="one")
        await put(target, everyone(target.name, source, "one"), v=5)

        await put(target, self.plan(source, 1, ["a2"]), v=2, job="two")

        assert await show(source) == {1: ["a2"]}

    async def test_persons_that_a_whole_job_did_not_mention_can_be_retired(
        self, target: Target, show: Any, source: str
    ) -> None:
        """A survey counts them, a retirement takes them; who was mentioned since or comes back stays."""
        for person in (1, 2, 3, 4, 5):
            await put(target, self.plan(source, person, ["a"]), v=1, job="first")
        await put(target, self.plan(source, 1, ["a"]), self.plan(source, 2, ["changed"]), v=5, job="whole")
        await put(target, self.plan(source, 4, ["a"]), v=6, job="part")
        plan = missing_persons(target.name, source)

        (told,) = await target.write([Delivery(plan, Version(5), "survey", dry_run=True)])
        before = await show(source)
        teller: Any = target
        ids = await teller.vanished(source, Version(5))
        done = await put(target, plan, v=5, job="retire")
        after = await show(source)
        late = await put(target, self.plan(source, 3, ["a"]), self.plan(source, 9, ["a"]), v=4, job="old")
        await put(target, self.plan(source, 5, ["back"]), v=7, job="newer")
        again = await put(target, plan, v=5, job="retire")

        assert (told.result, told.persons, done.persons, again.persons) == (Result.APPLIED, 2, 2, 0)
        assert (ids, await teller.vanished(source, Version(5))) == ([3, 5], [])
        assert set(before) == {1, 2, 3, 4, 5}
        assert after == {1: ["a"], 2: ["changed"], 4: ["a"]}
        assert done.deleted >= 2
        assert late.result is Result.STALE
        assert await show(source) == after | {5: ["back"]}

    async def test_retired_source_tells_how_many_persons_went(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Not those who were gone before, or who are newer."""
        await put(target, *(self.plan(source, person, ["a"]) for person in (1, 2, 3)), v=1)
        await put(target, self.retired(source, 1), v=2)
        await put(target, self.plan(source, 3, ["newer"]), v=9)

        done = await put(target, everyone(target.name, source), v=5)

        assert done.persons == 1

    async def test_dry_run_tells_and_writes_nothing(self, target: Target, show: Any, source: str) -> None:
        """It answers what a real run would have answered."""
        await put(target, self.plan(source, 1, ["a", "b"]), self.plan(source, 2, ["c"]), v=1)
        batch = [
            self.plan(source, 1, ["a", "x", "y"]),
            self.plan(source, 2, ["c"]),
            self.plan(source, 3, ["z"]),
            self.retired(source, 4),
        ]

        told = await target.write([Delivery(plan, Version(2), "dry", dry_run=True) for plan in batch])
        seen = await show(source)
        done = await target.write([Delivery(plan, Version(2), "wet") for plan in batch])

        assert seen == {1: ["a", "b"], 2: ["c"]}
        assert told == done

    async def test_dry_retirement_writes_nothing(self, target: Target, show: Any, source: str) -> None:
        """A source stays, and leaves no floor behind."""
        await put(target, self.plan(source, 1, ["a"]), v=1)

        (told,) = await target.write(
            [Delivery(everyone(target.name, source), Version(5), "dry", dry_run=True)]
        )
        await put(target, self.plan(source, 2, ["b"]), v=2)

        assert told.result is Result.APPLIED
        assert await show(source) == {1: ["a"], 2: ["b"]}

    async def test_answers_come_in_the_order_of_the_batch(
        self, target: Target, show: Any, source: str
    ) -> None:
        """Whatever order a target works in."""
        await put(target, self.plan(source, 2, ["known"]), v=5)

        written = await target.write(
            [
                Delivery(self.plan(source, 3, ["new"]), Version(5), "j"),
                Delivery(self.plan(source, 2, ["older"]), Version(4), "j"),
                Delivery(self.plan(source, 1, ["dry"]), Version(5), "j", dry_run=True),
                Delivery(self.plan(f"{source}b", 2, ["new"]), Version(5), "j"),
            ]
        )

        assert [w.result for w in written] == [
            Result.APPLIED,
            Result.STALE,
            Result.APPLIED,
            Result.APPLIED,
        ]

    async def test_two_loaders_at_once_end_as_one_would(
        self, target: Target, other: Target, show: Any, source: str
    ) -> None:
        """Both may meet the same persons in the same moment, new ones and known ones, in any order."""
        persons = range(1, 13)
        await put(target, *(self.plan(source, p, ["old"]) for p in persons if p % 3 == 0))

        async def load(loader: Target, seed: int) -> None:
            order = random.Random(seed)
            for v in order.sample(range(2, 8), 6):
                batch = [Delivery(self.plan(source, p, [f"{v}", "always"]), Version(v), "j") for p in persons]
                order.shuffle(batch)
                await until_done(loader, batch)

        await asyncio.gather(load(target, 1), load(other, 2), load(target, 3))

        assert await show(source) == {p: ["7", "always"] for p in persons}

    async def test_retirement_beside_a_running_load_leaves_nothing_older(
        self, target: Target, other: Target, show: Any, source: str
    ) -> None:
        """Persons that arrive while the source is being retired are as gone as those before."""

        async def load() -> None:
            for person in range(1, 31):
                await until_done(target, [Delivery(self.plan(source, person, ["x"]), Version(1), "j")])

        async def retire() -> None:
            await until_done(other, [Delivery(everyone(target.name, source), Version(5), "r")])

        await asyncio.gather(load(), retire())

        assert await show(source) == {}

    @given(data=st.data())
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    async def test_any_shuffle_with_duplicates_converges(
        self, target: Target, show: Any, data: st.DataObject
    ) -> None:
        """The law behind all others: the state depends on what was said, not on when it came."""
        said = data.draw(st.lists(st.one_of(_PERSONS, _RETIREMENTS), min_size=1, max_size=7))
        doubled = data.draw(st.lists(st.sampled_from(said), max_size=4))
        shuffled = data.draw(st.permutations([*said, *doubled]))
        sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(shuffled), max_size=len(shuffled)))
        straight, mixed = f"s{uuid4().hex[:12]}", f"s{uuid4().hex[:12]}"

        for one in said:
            await target.write([self._delivery(one, straight)])
        while shuffled:
            batch, shuffled = _batch(shuffled, sizes.pop())
            await target.write([self._delivery(one, mixed) for one in batch])

        assert await show(mixed) == await show(straight)

    def _delivery(self, said: Said, source: str) -> Delivery:
        if said.kind == "texts":
            plan = self.plan(source, said.person_id, said.texts)
        elif said.kind == "person":
            plan = self.retired(source, said.person_id)
        elif said.kind == "persons":
            plan = missing_persons("any", source)
        else:
            plan = everyone("any", source, f"job-{said.of_version}" if said.kind == "job" else "")
        return Delivery(plan, Version(said.v), f"job-{said.v}")


class Said(NamedTuple):
    """One statement of the property test. A job has one version."""

    kind: str
    v: int
    person_id: int = 0
    texts: tuple[str, ...] = ()
    of_version: int = 0


_PERSONS = st.one_of(
    st.builds(
        Said,
        kind=st.just("texts"),
        v=st.integers(1, 6),
        person_id=st.integers(1, 2),
        texts=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
    ),
    st.builds(Said, kind=st.just("person"), v=st.integers(1, 6), person_id=st.integers(1, 2)),
)
_RETIREMENTS = st.one_of(
    st.builds(Said, kind=st.just("source"), v=st.integers(1, 6)),
    st.builds(Said, kind=st.just("persons"), v=st.integers(1, 6)),
    # A job is retired after it was accepted.
    st.builds(Said, kind=st.just("job"), v=st.integers(7, 9), of_version=st.integers(1, 6)),
)


def _batch(said: Sequence[Said], size: int) -> tuple[list[Said], list[Said]]:
    """Take up to ``size`` statements of different subjects, as the loader's edge does."""
    batch: list[Said] = []
    for one in said[:size]:
        if any(_subject(one) == _subject(taken) for taken in batch):
            break
        batch.append(one)
    return batch, list(said[len(batch) :])


def _subject(said: Said) -> int:
    return said.person_id if said.kind in ("texts", "person") else 0


def everyone(target: str, source: str, of_job: str = "") -> ReadPlan:
    """Return the plan that retires a source, or what one job wrote last of it."""
    text = (
        '{"target":"%s","source":"%s","subject":"%s","of_job":"%s",'
        '"writes":[{"kind":"tombstone","table":"*","hash":"","count":0}]}'
    )
    return read_plan((text % (target, source, ALL_SUBJECTS, of_job)).encode())


def missing_persons(target: str, source: str) -> ReadPlan:
    """Return the plan that retires the persons of whom nothing is as new as the plan."""
    write = '{"kind":"tombstone","table":"*","hash":"","count":0}'
    text = '{"target":"%s","source":"%s","subject":"%s","writes":[%s]}'
    return read_plan((text % (target, source, ALL_PERSONS, write)).encode())


@asynccontextmanager
async def started(target: Any) -> AsyncIterator[Any]:
    """Start a target, and stop it afterwards."""
    await target.start()
    try:
        yield target
    finally:
        await target.stop()


async def put(target: Target, *plans: ReadPlan, v: int = 1, job: str = "job") -> Written:
    """Write plans as one batch, and return what became of the first."""
    written = await target.write([Delivery(plan, Version(v), job) for plan in plans])
    return written[0]


async def until_done(target: Target, batch: Sequence[Delivery]) -> None:
    """Write a batch as a worker does: again after each transient error."""
    for _ in range(30):
        try:
            await target.write(batch)
        except TransientError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the target stayed busy")


def in_order(texts: Sequence[str | None]) -> list[str | None]:
    """Sort texts, nulls first."""
    return sorted(texts, key=lambda text: (text is not None, text or ""))
