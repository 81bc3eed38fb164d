"""The document store keeps the newest document of a person, whoever writes last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.errors import ConfigurationError, InvalidMessage
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version, content_hash
from carebus_loader.adapters.documents import DocumentsSettings, DocumentStore
from carebus_loader.domain.document_names import current_document, person_folder
from carebus_loader.ports import DocumentDelivery


def a_delivery(
    xml: str = "<a/>",
    v: int = 1,
    person: int = 7,
    *,
    retired: bool = False,
    all_persons: bool = False,
    job: str = "job",
    of_job: str = "",
    dry_run: bool = False,
) -> DocumentDelivery:
    document = CcdaDocument(
        source="lab",
        person_id=person,
        document_id="d",
        hash=content_hash(xml.encode()),
        xml=xml,
        retired=retired,
        all_persons=all_persons,
        of_job=of_job,
    )
    return DocumentDelivery(document, Version(v, 1), job, dry_run)


async def a_store(folder: Path) -> DocumentStore:
    store = DocumentStore(DocumentsSettings(url=f"file://{folder}"))
    await store.start()
    return store


def standing(folder: Path, person: int = 7) -> str | None:
    home = folder / person_folder("lab", person)
    name = current_document(p.name for p in home.iterdir()) if home.exists() else None
    return (home / name).read_text() if name else None


async def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    """A document delivered twice is one object; a newer statement of it adds only a marker."""
    store = await a_store(tmp_path)

    first = await store.write([a_delivery()])
    files = sorted(tmp_path.rglob("*.xml"))
    written_at = files[0].stat().st_mtime_ns
    again = await store.write([a_delivery()])
    newer = await store.write([a_delivery(v=2)])

    assert [w.result for w in (*first, *again, *newer)] == [
        Result.APPLIED,
        Result.UNCHANGED,
        Result.UNCHANGED,
    ]
    assert sorted(tmp_path.rglob("*.xml")) == files
    assert files[0].stat().st_mtime_ns == written_at


async def test_old_after_new_is_stale(tmp_path: Path) -> None:
    """An older document changes nothing, also when the newer version had no new content."""
    store = await a_store(tmp_path)
    await store.write([a_delivery("<new/>", v=2)])
    await store.write([a_delivery("<new/>", v=5)])

    (late,) = await store.write([a_delivery("<other/>", v=4)])

    assert late.result is Result.STALE
    assert standing(tmp_path) == "<new/>"


async def test_a_retired_person_has_no_document_and_stays_retired(tmp_path: Path) -> None:
    """Retiring removes the object, and an older document does not bring it back."""
    store = await a_store(tmp_path)
    await store.write([a_delivery(v=1), a_delivery(v=1, person=8)])

    (gone,) = await store.write([a_delivery("", v=3, retired=True)])
    (late,) = await store.write([a_delivery(v=2)])

    assert (gone.deleted, late.result) == (1, Result.STALE)
    assert standing(tmp_path) is None
    assert standing(tmp_path, 8) == "<a/>"


async def test_a_retired_source_stays_retired_for_persons_who_come_late(tmp_path: Path) -> None:
    """All persons of a source go, and one who was never seen does not come with an older version."""
    store = await a_store(tmp_path)
    await store.write([a_delivery(v=1, person=p) for p in (1, 2, 3)])

    (all_gone,) = await store.write([a_delivery("", v=5, retired=True, all_persons=True)])
    (late,) = await (await a_store(tmp_path)).write([a_delivery(v=4, person=99)])
    (newer,) = await store.write([a_delivery(v=6, person=1)])

    assert (all_gone.deleted, late.result, newer.result) == (3, Result.STALE, Result.APPLIED)


async def test_a_retired_job_takes_only_what_it_wrote_last(tmp_path: Path) -> None:
    """Persons whom another job confirmed or changed since stay; what it says later is void."""
    store = await a_store(tmp_path)
    await store.write([a_delivery(f"<{p}/>", 1, person=ord(p), job="one") for p in "abc"])
    await store.write(
        [a_delivery("<b2/>", 2, ord("b"), job="two"), a_delivery("<c/>", 2, ord("c"), job="two")]
    )
    retirement = {"retired": True, "all_persons": True, "of_job": "one"}

    (told,) = await store.write([a_delivery("", 5, **retirement, dry_run=True)])
    before = standing(tmp_path, ord("a"))
    (done,) = await store.write([a_delivery("", 5, **retirement)])
    redelivered, late = await (await a_store(tmp_path)).write(
        [a_delivery("<a/>", 1, ord("a"), job="one"), a_delivery("<d/>", 1, ord("d"), job="one")]
    )
    (between,) = await store.write([a_delivery("<a0/>", 0, ord("a"), job="zero")])

    assert before == "<a/>"
    assert (told.persons, done.persons, done.deleted) == (1, 1, 1)
    assert [standing(tmp_path, ord(p)) for p in "abcd"] == [None, "<b2/>", "<c/>", None]
    assert {redelivered.result, late.result, between.result} == {Result.STALE}


async def test_documents_older_than_a_whole_job_are_those_of_vanished_persons(tmp_path: Path) -> None:
    """Who was confirmed or retired since is not among them; retiring takes exactly these."""
    store = await a_store(tmp_path)
    await store.write([a_delivery(v=1, person=p) for p in (-3, 7, 8, 9)])
    await store.write([a_delivery(v=5, person=8), a_delivery("", 2, 9, retired=True)])

    ids = await store.vanished("lab", Version(5))
    (done,) = await store.write([a_delivery("", 5, retired=True, all_persons=True)])

    assert (ids, done.persons) == ([-3, 7], 2)
    assert await store.vanished("lab", Version(5)) == []
    assert [standing(tmp_path, p) for p in (-3, 7, 8, 9)] == [None, None, "<a/>", None]


async def test_names_of_old_are_read(tmp_path: Path) -> None:
    """A store from before jobs stood in names goes on; no job's retirement touches those documents."""
    store = await a_store(tmp_path)
    home = tmp_path / person_folder("lab", 7)
    home.mkdir(parents=True)
    (home / f"{1:016x}-{1:08x}-{content_hash(b'<a/>')}.xml").write_text("<a/>")

    (again,) = await store.write([a_delivery()])
    await store.write([a_delivery("", 5, retired=True, all_persons=True, of_job="job")])

    assert again.result is Result.UNCHANGED
    assert standing(tmp_path) == "<a/>"


async def test_a_retirement_beside_a_running_load_leaves_nothing_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked at a person before the document was there; the writer sees the floor and takes it back."""
    store, other = await a_store(tmp_path), await a_store(tmp_path)
    put = DocumentStore._put

    def put_after_the_retirement(self: DocumentStore, *args: Any) -> None:
        with monkeypatch.context() as once:
            once.setattr(DocumentStore, "_put", put)
            asyncio.run(other.write([a_delivery("", 5, retired=True, all_persons=True)]))
        put(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(DocumentStore, "_put", put_after_the_retirement)
        await store.write([a_delivery(v=1)])

    assert standing(tmp_path) is None


@pytest.mark.parametrize("person", [0, -1, 2**63 - 1, -(2**63)])
async def test_any_integer_may_be_a_persons_id(tmp_path: Path, person: int) -> None:
    """No id stands for something else: such a person has a document, and loses it alone."""
    store = await a_store(tmp_path)

    written = await store.write([a_delivery(person=person), a_delivery(person=1)])
    (gone,) = await store.write([a_delivery("", v=2, person=person, retired=True)])

    assert [w.inserted for w in written] == [1, 1]
    assert gone.deleted == 1
    assert (standing(tmp_path, person), standing(tmp_path, 1)) == (None, "<a/>")


async def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    """A dry run says what would be, and the folder stays empty."""
    store = await a_store(tmp_path)
    delivery = a_delivery()

    (would,) = await store.write([DocumentDelivery(delivery.document, delivery.version, dry_run=True)])

    assert would.inserted == 1
    assert list(tmp_path.rglob("*.*")) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations([("<a/>", 1), ("<b/>", 2), ("<c/>", 2), ("<b/>", 3), ("", 2)] * 2))
async def test_any_order_converges(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[str, int]]
) -> None:
    """Whatever the order and the duplicates, the newest content stands."""
    folder = tmp_path_factory.mktemp("documents")
    store = await a_store(folder)

    for xml, v in order:
        await store.write([a_delivery(xml, v, retired=not xml)])

    assert standing(folder) == "<b/>"


_STATEMENTS = st.one_of(
    st.tuples(st.just("document"), st.integers(1, 4), st.sampled_from(["<a/>", "<b/>"])),
    st.tuples(st.just("person"), st.integers(1, 4), st.just("")),
    st.tuples(st.just("source"), st.integers(1, 4), st.just("")),
    st.tuples(st.just("job"), st.integers(5, 6), st.sampled_from(["job-1", "job-2", "job-3", "job-4"])),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
async def test_any_order_of_documents_and_retirements_converges(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """What stands depends on what was said, not on when it came."""
    said = data.draw(st.lists(_STATEMENTS, min_size=1, max_size=6))
    shuffled = data.draw(st.permutations([*said, *data.draw(st.lists(st.sampled_from(said), max_size=3))]))
    ends = []

    for order in (said, shuffled):
        folder = tmp_path_factory.mktemp("documents")
        store = await a_store(folder)
        for kind, v, what in order:
            await store.write(
                [
                    a_delivery(
                        what if kind == "document" else "",
                        v,
                        retired=kind != "document",
                        all_persons=kind in ("source", "job"),
                        job=f"job-{v}",
                        of_job=what if kind == "job" else "",
                    )
                ]
            )
        ends.append(standing(folder))

    assert ends[0] == ends[1]


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be stops the start, with the setting's name."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="CAREBUS_DOCUMENTS_URL"):
        await a_store(tmp_path / "file" / "sub")


@pytest.mark.parametrize(
    "hostile",
    [
        {"source": "../../outside"},
        {"source": "a/b"},
        {"hash": "../../outside"},
        {"hash": "a-b"},
        {"of_job": "../../outside"},
    ],
)
def test_a_document_cannot_choose_where_it_lies(hostile: dict[str, str]) -> None:
    """Source and hash are parts of its path, so they are looked at before it reaches a store."""
    told = {"source": "lab", "person_id": 7, "document_id": "d", "hash": "00", "xml": "<ClinicalDocument/>"}

    CcdaDocument.from_json(orjson.dumps(told))
    with pytest.raises(InvalidMessage):
        CcdaDocument.from_json(orjson.dumps(told | hostile))
