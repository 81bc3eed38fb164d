"""The document store keeps the newest document of a person, whoever writes last."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.errors import ConfigurationError
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version, content_hash
from carebus_loader.adapters.documents import DocumentsSettings, DocumentStore
from carebus_loader.domain.document_names import current_document, person_folder
from carebus_loader.ports import DocumentDelivery


def a_delivery(
    xml: str = "<a/>", v: int = 1, person: int = 7, *, retired: bool = False, all_persons: bool = False
) -> DocumentDelivery:
    document = CcdaDocument(
        source="lab",
        person_id=person,
        document_id="d",
        hash=content_hash(xml.encode()),
        xml=xml,
        retired=retired,
        all_persons=all_persons,
    )
    return DocumentDelivery(document, Version(v, 1))


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


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be stops the start, with the setting's name."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="CAREBUS_DOCUMENTS_URL"):
        await a_store(tmp_path / "file" / "sub")
