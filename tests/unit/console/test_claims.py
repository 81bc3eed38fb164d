"""What became of source rows is exact however batches are cut and however often they come again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_console.domain.claims import Claims
from carebus_console.domain.ordinals import OrdinalSet
from carebus_contracts.model import ranges_of
from carebus_contracts.receipts import Receipt, Result


def a_receipt(result: Result, ordinals: list[int], rows: dict[str, int], unmapped: int = 0) -> Receipt:
    return Receipt(
        stage="carebus-loader-postgres",
        target="postgres",
        job_id="job-1",
        slice=0,
        attempt="a",
        ordinals=ranges_of(ordinals),
        result=result,
        rows={"drug_exposure": rows},
        not_mapped={"drug_exposure": {"no_date": unmapped}} if unmapped else {},
    )


def entered(*receipts: Receipt) -> Claims:
    claims = Claims()
    for receipt in receipts:
        claims.enter(receipt, OrdinalSet.of(receipt.ordinals))
    return claims


def summed(claims: Claims) -> dict[str, int]:
    counts = Counter[str]()
    for claim in claims.counted():
        counts.update(claim.sums["rows"].get("drug_exposure", {}))
        counts.update(claim.sums["not_mapped"].get("drug_exposure", {}))
    return {name: count for name, count in counts.items() if count}


def test_a_batch_that_comes_again_with_another_cut_counts_once() -> None:
    """Ten messages were told twice, in batches that overlap by half; sharing out would be a guess."""
    first = a_receipt(Result.APPLIED, list(range(10)), {"written": 73})
    again = a_receipt(Result.UNCHANGED, list(range(5)), {"unchanged": 31})
    rest = [
        a_receipt(Result.UNCHANGED, list(range(5, 10)), {"unchanged": 42}),
        a_receipt(Result.APPLIED, list(range(10, 12)), {"written": 9}),
    ]

    assert summed(entered(first, again, *rest)) == {"written": 82}
    assert summed(entered(*rest, again, first)) == {"written": 82}


def test_where_the_first_receipt_was_lost_the_second_cut_is_what_there_is() -> None:
    """Two claims overlap and neither holds the other: the pair that says all messages stands."""
    whole = a_receipt(Result.UNCHANGED, [0, 1, 2], {"unchanged": 30})
    left = a_receipt(Result.UNCHANGED, [0, 1], {"unchanged": 25})
    right = a_receipt(Result.UNCHANGED, [2, 3], {"unchanged": 7})

    assert summed(entered(whole, left, right)) == {"unchanged": 32}


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[int], list[Receipt]]:
    """A consumer that dies between receipts and commit, at any place, and begins again after the last commit."""
    sizes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=14))
    receipts: list[Receipt] = []
    written: set[int] = set()
    position = 0
    while position < len(sizes):
        batch = list(range(position, min(len(sizes), position + draw(st.integers(1, 5)))))
        receipts += _told(batch, sizes, written)
        written |= set(batch)
        if len(receipts) > 8 or draw(st.booleans()):
            position = batch[-1] + 1
    return sizes, receipts


def _told(batch: list[int], sizes: list[int], written: set[int]) -> Iterator[Receipt]:
    for result, word, some in (
        (Result.APPLIED, "written", [n for n in batch if n not in written]),
        (Result.UNCHANGED, "unchanged", [n for n in batch if n in written]),
    ):
        if some:
            yield a_receipt(result, some, {word: sum(sizes[n] for n in some)}, unmapped=len(some))


@settings(max_examples=300, deadline=None)
@given(deliveries(), st.data())
def test_every_row_is_counted_once_whatever_dies(
    history: tuple[list[int], list[Receipt]], data: st.DataObject
) -> None:
    """Emitted = written + not mapped, in any order of the receipts, also across a snapshot."""
    sizes, receipts = history
    shuffled = data.draw(st.permutations(receipts))
    cut = data.draw(st.integers(0, len(shuffled)))

    claims = Claims.from_list(entered(*shuffled[:cut]).to_list())
    for receipt in (*shuffled[cut:], *shuffled[:cut]):
        claims.enter(receipt, OrdinalSet.of(receipt.ordinals))

    expected = {"written": sum(sizes), "no_date": len(sizes)}
    assert summed(claims) == {name: count for name, count in expected.items() if count}
