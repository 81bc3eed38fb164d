"""Receipts tell apart what is new and what came again."""

from __future__ import annotations

from collections.abc import Sequence

from carebus_contracts.headers import Envelope
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Receipt, Result
from carebus_loader.domain.guard import Verdict
from carebus_loader.handlers import load_plans
from carebus_loader.ports import Delivery, Written
from carebus_runtime.received import Received


class NoDiscards:
    def discarded(self, job_id: str) -> bool:
        return False


def a_message(ordinal: int, rows: int) -> Received[ReadPlan]:
    write = encode_write("drug_exposure", ("id",), [b"[%d]" % n for n in range(rows)])
    unmapped = {"note": {"no_place": 1}}
    plan = encode_plan(
        target="t", source="lab", subject=f"person/{ordinal}", writes=[write], not_mapped=unmapped
    )
    envelope = Envelope(job_id="j", slice=0, attempt="a", ordinal=ordinal)
    return Received(read_plan(plan), envelope, "t", 0, ordinal, 0, b"k", 1)


async def test_what_the_target_had_no_place_for_joins_what_the_converter_had_none_for() -> None:
    """Both are counted by table and reason."""

    async def write(batch: Sequence[Delivery]) -> list[Written]:
        return [Written(Result.APPLIED, not_mapped={"drug_exposure": {"no_shelf": 4}}) for _ in batch]

    handle = load_plans(write, target="t", stage="carebus-loader-t", controls=NoDiscards())
    (receipt,) = (await handle([a_message(1, 4)])).receipts

    assert receipt.not_mapped == {"note": {"no_place": 1}, "drug_exposure": {"no_shelf": 4}}
    assert receipt.rows == {}


async def receipts(verdicts: Sequence[Verdict], *messages: Received[ReadPlan]) -> list[Receipt]:
    told = iter(verdicts)

    async def write(batch: Sequence[Delivery]) -> list[Written]:
        return [Written(Result.UNCHANGED, verdicts={"drug_exposure": next(told)}) for _ in batch]

    handle = load_plans(write, target="t", stage="carebus-loader-t", controls=NoDiscards())
    return list((await handle(messages)).receipts)


async def test_what_came_again_has_a_receipt_of_its_own() -> None:
    """The sums of rows of new messages then never overlap in part with those of an earlier receipt."""
    again, new = await receipts([Verdict.UNCHANGED, Verdict.RAISE], a_message(1, 3), a_message(2, 4))

    assert (again.ordinals, again.rows) == (((1, 1),), {"drug_exposure": {"unchanged": 3}})
    assert (new.ordinals, new.rows) == (((2, 2),), {"drug_exposure": {"unchanged": 4}})


async def test_a_message_that_is_in_a_batch_twice_counts_its_rows_once() -> None:
    """The converter may have sent it again after a crash."""
    (receipt,) = await receipts([Verdict.UNCHANGED] * 2, a_message(1, 3), a_message(1, 3))

    assert receipt.ordinals == ((1, 1),)
    assert receipt.rows == {"drug_exposure": {"unchanged": 3}}
    assert receipt.not_mapped == {"note": {"no_place": 1}}
