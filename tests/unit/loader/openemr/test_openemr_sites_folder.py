"""Files in OpenEMR's folder: whole or not at all, for those who may read the folder, and only ours are removed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from carebus_contracts.errors import TargetUnavailable
from carebus_loader.adapters.openemr.document_rows import folder_and_name
from carebus_loader.adapters.openemr.sites_folder import SitesFolder, drive_uuid

DOCUMENT = UUID("0d90c224-31a5-8b66-84fb-894b714d5580").bytes


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    (tmp_path / "default" / "documents").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def folder(sites: Path) -> SitesFolder:
    return SitesFolder(sites, "default")


def test_a_file_is_named_by_document_and_content() -> None:
    """The name is a UUIDv8 that begins as the document's; another content is another name."""
    one, other = drive_uuid(DOCUMENT, "aa"), drive_uuid(DOCUMENT, "ab")

    assert one[:8] == other[:8] == DOCUMENT[:8]
    assert one != other
    assert (UUID(bytes=one).version, UUID(bytes=one).variant) == (8, "specified in RFC 4122")


def test_the_path_is_openemrs(sites: Path, folder: SitesFolder) -> None:
    """A folder a patient, in it the uuid in lower case with hyphens; the row's url says so."""
    folder.write(17, DOCUMENT, b"<a/>")

    path = sites / "default/documents/17/0d90c224-31a5-8b66-84fb-894b714d5580"
    assert path.read_bytes() == b"<a/>"
    assert folder.url(17, DOCUMENT) == f"file://{path}"


@pytest.mark.parametrize(("above", "below", "file"), [(0o700, 0o700, 0o600), (0o2775, 0o2770, 0o660)])
def test_who_may_read_is_what_the_folder_above_says_and_never_everybody(
    sites: Path, folder: SitesFolder, above: int, below: int, file: int
) -> None:
    """Owner and group as on ``documents``."""
    (sites / "default" / "documents").chmod(above)

    folder.write(17, DOCUMENT, b"x")

    (path,) = sites.glob("default/documents/17/*")
    assert stat.S_IMODE(path.parent.stat().st_mode) == below
    assert stat.S_IMODE(path.stat().st_mode) == file


def test_writing_again_replaces_and_tells_of_others(sites: Path, folder: SitesFolder) -> None:
    """Only files of the same document count as others."""
    first, second = drive_uuid(DOCUMENT, "1"), drive_uuid(DOCUMENT, "2")

    told = [
        folder.write(17, first, b"1"),
        folder.write(17, uuid4().bytes, b"?"),
        folder.write(17, first, b"one"),
    ]
    told.append(folder.write(17, second, b"2"))

    assert told == [False, False, False, True]
    assert (sites / "default/documents/17" / str(UUID(bytes=first))).read_bytes() == b"one"


def test_only_files_of_the_document_are_removed(sites: Path, folder: SitesFolder) -> None:
    """What was left half written goes as well; a file of OpenEMR's own stays."""
    of_openemr, kept = uuid4().bytes, drive_uuid(DOCUMENT, "2")
    for name in (of_openemr, drive_uuid(DOCUMENT, "1"), kept):
        folder.write(17, name, b"x")
    (sites / "default/documents/17" / f"{UUID(bytes=kept)}.1234abcd.part").write_bytes(b"half")

    folder.remove(17, DOCUMENT, but=str(UUID(bytes=kept)))
    after_one = {p.name for p in (sites / "default/documents/17").iterdir()}
    folder.remove(17, DOCUMENT)
    folder.remove(18, DOCUMENT)

    assert after_one == {str(UUID(bytes=of_openemr)), str(UUID(bytes=kept))}
    assert {p.name for p in (sites / "default/documents/17").iterdir()} == {str(UUID(bytes=of_openemr))}


def test_a_link_is_not_followed(sites: Path, folder: SitesFolder, tmp_path: Path) -> None:
    """A file that somebody put a link for is replaced; a folder that is a link is no place to write."""
    victim, elsewhere = tmp_path / "victim", tmp_path / "elsewhere"
    victim.write_text("mine")
    elsewhere.mkdir()
    (sites / "default/documents/17").mkdir()
    (sites / "default/documents/17" / str(UUID(bytes=DOCUMENT))).symlink_to(victim)
    (sites / "default/documents/18").symlink_to(elsewhere)

    folder.write(17, DOCUMENT, b"x")
    with pytest.raises(TargetUnavailable, match="takes no documents"):
        folder.write(18, DOCUMENT, b"x")
    with pytest.raises(TargetUnavailable, match="takes no documents"):
        folder.remove(18, DOCUMENT)

    assert victim.read_text() == "mine"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_writes_belongs_to_whom_the_folder_belongs(sites: Path, folder: SitesFolder) -> None:
    """The web server's user could not read it otherwise."""
    os.chown(sites / "default" / "documents", 12345, 12346)

    folder.write(17, DOCUMENT, b"x")

    (path,) = sites.glob("default/documents/17/*")
    assert [(p.stat().st_uid, p.stat().st_gid) for p in (path, path.parent)] == [(12345, 12346)] * 2


def test_faults_are_clauses(sites: Path, folder: SitesFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there, not writable, or too deep for the column; nothing when all is well."""
    deep = SitesFolder(sites / ("d" * 200), "default")

    assert folder.fault() == ""
    assert SitesFolder(sites, "other").fault() == "it is not there, or is no folder"
    assert deep.fault() == "its path is too long for OpenEMR's table documents"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert folder.fault() == "this user may not write in it"
    with pytest.raises(
        TargetUnavailable, match=r"takes no documents: this user may not .* CAREBUS_OPENEMR_SITES_FOLDER$"
    ):
        folder.check()


def test_what_goes_wrong_names_folder_and_cause_but_no_patient(sites: Path, folder: SitesFolder) -> None:
    """The number of the patient stays out of the text."""
    (sites / "default/documents/171717").write_text("no folder")

    with pytest.raises(TargetUnavailable, match="takes no documents: FileExistsError") as raised:
        folder.write(171717, DOCUMENT, b"x")

    assert "171717" not in str(raised.value)
    assert raised.value.system == f"OpenEMR's folder {sites}/default/documents"


def test_a_url_names_folder_and_file_whatever_stands_before() -> None:
    """OpenEMR looks at the last parts only; a url that is not of this shape names folder 0, where nothing is."""
    assert folder_and_name("file:///srv/sites/default/documents/17/abc") == (17, "abc")
    assert folder_and_name("file:///srv/sites/default/documents/x/abc") == (0, "abc")
    assert folder_and_name("scan.pdf") == (0, "scan.pdf")
    assert folder_and_name("") == (0, "")


def test_a_lost_file_is_noticed(sites: Path, folder: SitesFolder) -> None:
    """A folder that is away as a whole is no lost file."""
    there = [folder.has(17, DOCUMENT), folder.write(17, DOCUMENT, b"x"), folder.has(17, DOCUMENT)]
    (sites / "default" / "documents").rename(sites / "away")

    assert there == [False, False, True]
    with pytest.raises(TargetUnavailable):
        folder.has(17, DOCUMENT)
