"""The console asks who vanished once, and again only where it was not understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from carebus_console import surveys
from carebus_console.domain.book import Book
from carebus_console.judging import Judge
from carebus_console.surveys import AGAIN_AFTER_S, TRIES, Surveys
from carebus_contracts.jobs import Accepted, Planned, Rejected, SliceDone, parse_request
from carebus_runtime.received import Outgoing

REQUEST = b'{"kind":"extract","source":"lab","omop":{"format":"csv","path":"/d"},"targets":["postgres"]}'


class FakeRecords:
    def __init__(self) -> None:
        self.book = Book()


class FakeProducer:
    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self.sent += messages


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at_s = [1000.0]
    monkeypatch.setattr(surveys.time, "monotonic", lambda: at_s[0])
    return at_s


def a_survey_office(*jobs: str) -> tuple[FakeRecords, FakeProducer, Surveys]:
    records, producer = FakeRecords(), FakeProducer()
    for number, job_id in enumerate(jobs):
        complete(records.book, job_id, 10 + number)
    anybody: Any = records
    judge = Judge(anybody, loaders=anybody, token=SecretStr("secret"))
    sender: Any = producer
    return records, producer, Surveys(anybody, producer=sender, judge=judge)


def complete(book: Book, job_id: str, at_ms: int) -> None:
    book.enter(Accepted(job_id=job_id, request=parse_request(REQUEST)), at_ms)
    book.enter(Planned(job_id=job_id, slices=1, persons=0, fingerprint="f", accepted_ms=at_ms), at_ms)
    book.enter(SliceDone(job_id=job_id, slice=0, attempt="a", messages=0), at_ms)


async def test_the_newest_whole_job_is_followed_by_one_survey(now: list[float]) -> None:
    """Older ones are not, and it is not asked twice."""
    records, producer, office = a_survey_office("old", "new")

    await office.submit_due()
    now[0] += 10 * AGAIN_AFTER_S
    request = parse_request(producer.sent[0].value)
    records.book.enter(Accepted(job_id="new.vanished", request=request), 99)
    await office.submit_due()

    assert [message.key for message in producer.sent] == [b"new.vanished"]
    assert getattr(request, "not_in_job", None) == "new"
    assert [name for name, _ in producer.sent[0].headers] == ["carebus-proof"]


async def test_a_rejected_survey_is_submitted_again_a_few_times(now: list[float]) -> None:
    """After a while, as who admits may not know yet that the job has completed."""
    records, producer, office = a_survey_office("job")

    for _ in range(2 * TRIES):
        await office.submit_due()
        await office.submit_due()
        records.book.enter(Rejected(job_id="job.vanished", reasons=("it is running",)), 99)
        now[0] += AGAIN_AFTER_S + 1

    assert len(producer.sent) == TRIES
