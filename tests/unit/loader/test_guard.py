"""The guard: older changes nothing, equal is nothing to do, and the order of arrival is of no account."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held, Verdict, decide, pack, result_of, unpack

OLD, NEW, NEWER_MAPPING = Version(1000, 1), Version(2000, 1), Version(2000, 2)

versions = st.builds(Version, st.integers(0, 3), st.integers(0, 2))
hashes = st.sampled_from(["", "0a", "7f", "ff"])


@pytest.mark.parametrize(
    ("held", "version", "content", "verdict"),
    [
        pytest.param(None, OLD, "aa", Verdict.WRITE, id="never seen"),
        pytest.param(Held(OLD, "aa"), NEW, "bb", Verdict.WRITE, id="newer, other content"),
        pytest.param(Held(OLD, "aa"), NEW, "aa", Verdict.RAISE, id="newer, same content"),
        pytest.param(Held(NEW, "aa"), NEW, "aa", Verdict.UNCHANGED, id="the same again"),
        pytest.param(Held(NEW, "aa"), OLD, "bb", Verdict.STALE, id="older, other content"),
        pytest.param(Held(NEW, "aa"), OLD, "aa", Verdict.STALE, id="older, same content"),
        pytest.param(Held(NEW, "aa"), NEWER_MAPPING, "bb", Verdict.WRITE, id="same data, better mapping"),
        pytest.param(Held(NEW, "aa"), NEW, "bb", Verdict.WRITE, id="equal version, larger hash"),
        pytest.param(Held(NEW, "bb"), NEW, "aa", Verdict.STALE, id="equal version, smaller hash"),
        pytest.param(Held(NEW, ""), OLD, "aa", Verdict.STALE, id="older than a tombstone"),
    ],
)
def test_verdict(held: Held | None, version: Version, content: str, verdict: Verdict) -> None:
    """Each case of DESIGN §6 has its verdict."""
    assert decide(held, version, content) is verdict


@given(st.lists(st.tuples(versions, hashes), min_size=1, max_size=5))
def test_any_order_with_duplicates_ends_in_the_same_state(statements: list[tuple[Version, str]]) -> None:
    """The state after all statements depends on the statements, not on their order or number."""

    def fold(order: tuple[tuple[Version, str], ...]) -> Held | None:
        held: Held | None = None
        for version, content in order:
            if decide(held, version, content) in (Verdict.WRITE, Verdict.RAISE):
                held = Held(version, content)
        return held

    ends = {fold((*order, *order)) for order in permutations(statements)}

    assert len(ends) == 1
    assert ends.pop() == max(Held(v, c) for v, c in statements)


@pytest.mark.parametrize(
    ("verdicts", "result"),
    [
        ([Verdict.UNCHANGED, Verdict.WRITE], Result.APPLIED),
        ([Verdict.RAISE, Verdict.UNCHANGED], Result.UNCHANGED),
        ([Verdict.STALE, Verdict.STALE], Result.STALE),
        ([], Result.UNCHANGED),
    ],
)
def test_result_of_a_subject(verdicts: list[Verdict], result: Result) -> None:
    """One written table makes a subject applied; only all stale is stale."""
    assert result_of(verdicts) is result


@given(st.dictionaries(st.sampled_from(["person", "death", "note"]), st.builds(Held, versions, hashes)))
def test_packed_state_comes_back(held: dict[str, Held]) -> None:
    """What is packed for a ledger row is what is read from it."""
    assert unpack(pack(held)) == held
