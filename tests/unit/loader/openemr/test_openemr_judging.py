"""The guard over all tables of a subject: tombstones, floors, and jobs that were retired."""

from __future__ import annotations

from itertools import permutations

import pytest

from carebus_contracts.plans import PlannedTable, ReadPlan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr.judging import NO_FLOORS, Floors, Judgement, Standing, judge, take_back
from carebus_loader.domain.guard import Held
from carebus_loader.ports import Delivery

NEVER_SEEN = Standing({})


def a_delivery(v: int, *, job: str = "", retired: bool = False, **tables: str) -> Delivery:
    writes = [PlannedTable(kind="replace_scope", table=t, hash=h, count=1) for t, h in tables.items()]
    if retired:
        writes = [PlannedTable(kind="tombstone", table="*", hash="", count=0)]
    plan = ReadPlan(target="openemr", source="lab", subject="person/1", writes=tuple(writes))
    return Delivery(plan, Version(v), job or f"job-{v}")


def after(judgement: Judgement) -> Standing:
    return Standing(judgement.held, known=True, last_job=judgement.last_job)


def test_tables_are_judged_one_by_one() -> None:
    """A plan that is new for one table and old for another writes the one."""
    standing = Standing({"lists": Held(Version(5), "aa"), "forms": Held(Version(1), "bb")}, known=True)

    judgement = judge(a_delivery(3, lists="cc", forms="dd"), standing)

    assert [w.table for w in judgement.writes] == ["forms"]
    assert judgement.held == {"lists": Held(Version(5), "aa"), "forms": Held(Version(3), "dd")}
    assert judgement.result is Result.APPLIED


def test_tombstone_of_all_tables_leaves_only_newer_ones() -> None:
    """What is older is emptied, and the ledger needs no more than the tombstone to say so."""
    standing = Standing({"lists": Held(Version(5), "aa"), "forms": Held(Version(1), "bb")}, known=True)

    judgement = judge(a_delivery(3, retired=True), standing)

    assert sorted(judgement.emptied) == ["*", "forms"]
    assert judgement.held == {"lists": Held(Version(5), "aa"), "*": Held(Version(3), "")}


@pytest.mark.parametrize(
    ("v", "result"),
    [(4, Result.STALE), (5, Result.APPLIED), (6, Result.APPLIED)],
    ids=["older", "equal", "newer"],
)
def test_floor_of_a_source_holds_for_subjects_never_seen(v: int, result: Result) -> None:
    """At the very version of the retirement content has the larger hash."""
    floors = NO_FLOORS.raised("", Version(5))

    assert judge(a_delivery(v, lists="aa"), NEVER_SEEN, floors).result is result


def test_plan_of_a_retired_job_says_that_there_is_nothing() -> None:
    """Its version counts, so that what was older still is; nothing is written."""
    floors = NO_FLOORS.raised("job-3", Version(9))

    judgement = judge(a_delivery(3, lists="aa"), NEVER_SEEN, floors)

    assert judgement.writes == []
    assert judgement.result is Result.STALE
    assert judge(a_delivery(2, lists="bb"), after(judgement), floors).result is Result.STALE
    assert judge(a_delivery(4, lists="cc"), after(judgement), floors).result is Result.APPLIED


def test_retirement_of_a_job_comes_out_alike_before_and_after_its_plan() -> None:
    """In any order of two jobs' plans and the retirement of one, the same stands."""

    def fold(order: tuple[str, ...]) -> dict[str, Held]:
        standing, floors = NEVER_SEEN, NO_FLOORS
        for what in order:
            if what == "retire":
                floors = floors.raised("job-3", Version(9))
                if standing.last_job == "job-3":
                    standing = after(take_back(a_delivery(9, retired=True), standing))
            else:
                judgement = judge(a_delivery(int(what), lists=f"a{what}"), standing, floors)
                if judgement.noted:
                    standing = after(judgement)
        return dict(standing.held)

    ends = [fold(order) for order in permutations(["2", "3", "retire"])]

    assert all(end == {"lists": Held(Version(3), "")} for end in ends)


def test_late_statement_does_not_take_a_subject_over() -> None:
    """The job of the newest statement stays the one that is asked for when a job is retired."""
    first = judge(a_delivery(5, lists="aa"), NEVER_SEEN)

    late = judge(a_delivery(3, retired=True), after(first))

    assert late.noted
    assert late.last_job == "job-5"
    assert late.result is Result.STALE


def test_floors_of_jobs_are_apart() -> None:
    """A retired job says nothing of another."""
    floors = Floors({}).raised("one", Version(5))

    assert floors.there("one") == Held(Version(5), "")
    assert floors.there("two") is None
    assert floors.there() is None
