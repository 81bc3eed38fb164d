"""Payloads that travel by claim check: stored once, found by whose they are, swept with them."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from carebus_contracts.addressing import addressed
from carebus_contracts.claims import ClaimCheck
from carebus_contracts.errors import PayloadMissing
from carebus_contracts.headers import Envelope, read_headers
from carebus_contracts.topics import JOB_STATES, OMOP_RECORDS, plans
from carebus_contracts.versions import Version
from carebus_runtime.blob_marks import BlobMark, name_of, read_name
from carebus_runtime.blobs import BlobStore

PLAN = plans("postgres").name


def about(key: str = "lab/7", v: int = 5, job: str = "nightly", topic: str = PLAN) -> Any:
    return addressed(topic, key.encode(), Envelope(job_id=job, version=Version(v, 2), targets=("postgres",)))


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(f"file://{tmp_path}")


def claim_of(payload: bytes) -> ClaimCheck:
    digest = sha256(payload).hexdigest()
    return ClaimCheck(name=f"{digest[:2]}/{digest}", sha256=digest, size=len(payload))


async def is_there(store: BlobStore, payload: bytes) -> bool:
    try:
        return await store.check_out(claim_of(payload).to_json()) == payload
    except PayloadMissing:
        return False


def older(v: int) -> Any:
    return lambda mark: mark.version < Version(v)


async def test_blobs_of_a_person_are_swept_with_them(store: BlobStore) -> None:
    """Those of other persons and other sources stay."""
    for key in ("lab/7", "lab/8", "ward/7"):
        await store.check_in(key.encode(), about(key))

    swept = await store.sweep("lab", older(9), persons=[7])

    assert swept == 1
    assert [await is_there(store, key) for key in (b"lab/7", b"lab/8", b"ward/7")] == [False, True, True]
    assert await store.sweep("lab", older(9), persons=[7]) == 0


async def test_a_blob_that_a_newer_message_needs_stays(store: BlobStore) -> None:
    """The same payload again is the same blob; it goes with the last message that is void."""
    await store.check_in(b"same", about(v=5))
    await store.check_in(b"same", about(v=12))
    await store.check_in(b"old", about(v=4))

    first = await store.sweep("lab", older(9))
    stayed = await is_there(store, b"same")
    second = await store.sweep("lab", older(20))

    assert (first, stayed, second) == (1, True, 1)
    assert not await is_there(store, b"same")


async def test_a_message_that_comes_during_the_sweep_keeps_its_blob(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found the blob and did not store it again, just before that was deleted."""
    await store.check_in(b"same", about(v=5))
    delete = BlobStore._delete

    def mark_and_delete(self: BlobStore, path: str) -> None:
        newer = about(v=12)
        self._mark(name_of(newer, claim_of(b"same").sha256))
        delete(self, path)

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "_delete", mark_and_delete)
        await store.sweep("lab", older(9))

    assert await is_there(store, b"same")


async def test_a_job_and_reference_rows_are_told_apart(store: BlobStore) -> None:
    """The rule sees job, targets, and whether it is about a person."""
    await store.check_in(b"one", about(job="one"))
    await store.check_in(b"two", about("lab/8", job="two.a-b_c"))
    await store.check_in(b"concepts", about("lab/concept/3", job="one"))
    seen: list[BlobMark] = []

    swept = await store.sweep("lab", lambda mark: seen.append(mark) or (mark.job_id == "one" and mark.person))

    assert swept == 1
    assert {(mark.job_id, mark.person) for mark in seen} == {
        ("one", True),
        ("two.a-b_c", True),
        ("one", False),
    }
    assert {(mark.version, mark.targets) for mark in seen} == {(Version(5, 2), frozenset(["postgres"]))}
    assert [await is_there(store, b) for b in (b"one", b"two", b"concepts")] == [False, True, True]


def test_names_hold_no_record_key() -> None:
    """Nor can a key lead out of the folder; what is no name of ours is passed over."""
    name = name_of(about("lab/../../123456789"), "f" * 64)

    assert "123456789" not in name
    assert ".." not in name
    assert name.startswith("subjects/lab/other-")
    assert read_name(name) == BlobMark(False, Version(5, 2), frozenset(["postgres"]), "nightly", "f" * 64)
    assert [read_name(junk) for junk in ("", "person-1/x", "person-1/x~y~z~d", "who/1-2~a~b~c")] == [None] * 4


@pytest.mark.parametrize(
    ("topic", "key"),
    [(JOB_STATES.name, b"lab/7"), (PLAN, b"job"), (PLAN, None), (OMOP_RECORDS.name, b"../x/7")],
    ids=["states", "no subject", "no key", "no slug"],
)
async def test_what_is_about_nobody_has_no_mark(
    store: BlobStore, tmp_path: Path, topic: str, key: bytes | None
) -> None:
    """It is stored all the same."""
    await store.check_in(b"payload", addressed(topic, key, Envelope()))

    assert await is_there(store, b"payload")
    assert not (tmp_path / "subjects").exists()


async def test_payloads_that_are_stored_at_the_same_time_are_all_there(
    store: BlobStore, tmp_path: Path
) -> None:
    """Each claim check that was given out can be redeemed, and nothing unfinished stays behind."""
    payloads = [b"%d" % number * 200_000 for number in range(20)]

    claims = await asyncio.gather(*map(store.check_in, payloads))

    assert [await store.check_out(claim.to_json()) for claim in claims] == payloads
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == len(payloads)


@pytest.mark.parametrize("hostile", ["../../../outside", "a~b", "x" * 300])
async def test_headers_cannot_choose_where_a_mark_lies(
    store: BlobStore, tmp_path: Path, hostile: str
) -> None:
    """Jobs and targets are parts of the mark's name only when they are some."""
    text = hostile.encode()
    headers = [("carebus-job", text), ("carebus-targets", b"postgres,/" + text), ("carebus-version", b"5.1")]

    await store.check_in(b"payload", addressed(OMOP_RECORDS.name, b"lab/7", read_headers(headers)))

    (mark,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size == 0)
    assert read_name(str(mark.relative_to(tmp_path))) == BlobMark(
        True, Version(5, 1), frozenset(("postgres",)), "", sha256(b"payload").hexdigest()
    )
