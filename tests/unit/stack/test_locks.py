"""Lock files, downloads and unpacking."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from carebus_stack.downloads import cache_dir, parse_lock, program_folder, read_lock, sha256_of, unpack


def test_a_lock_names_coordinates_and_checksums() -> None:
    """Comments and empty lines are skipped; a platform may lead the line."""
    jars = parse_lock("# why\n\norg.x:y_2.13:1.0 sha256=ab\nlinux-x86_64 a.b:c:2 sha256=cd\n")

    assert [(jar.coordinate, jar.sha256, jar.platform) for jar in jars] == [
        ("org.x:y_2.13:1.0", "ab", None),
        ("a.b:c:2", "cd", "linux-x86_64"),
    ]
    assert [jar.file_name for jar in jars] == ["y_2.13-1.0.jar", "c-2.jar"]


@pytest.mark.parametrize("name", ["kafka", "mariadb"])
def test_our_locks_are_whole_and_hold_no_address(name: str) -> None:
    """Every line has a full SHA-256; where jars come from is not written anywhere."""
    jars = read_lock(name)

    assert jars
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert all(jar.coordinate.count(":") == 2 and "/" not in jar.coordinate for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours first, then XDG's, then the home's."""
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("CAREBUS_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_dir() == Path("/home/someone/.cache/carebus")

    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/carebus")

    monkeypatch.setenv("CAREBUS_CACHE_DIR", "/ours")
    assert cache_dir() == Path("/ours")


def test_a_program_folder_is_filled_once_and_whole(tmp_path: Path) -> None:
    """A fill that fails leaves no folder; one that succeeded is not repeated."""
    fills = []

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("connection lost")

    def fill(folder: Path) -> None:
        fills.append(folder)
        (folder / "whole").touch()

    with pytest.raises(OSError, match="connection lost"):
        program_folder("p", fail, home=tmp_path)
    after_failure = (tmp_path / "p").exists()
    for _ in range(2):
        program_folder("p", fill, home=tmp_path)

    assert after_failure is False
    assert len(fills) == 1
    assert [file.name for file in (tmp_path / "p").iterdir()] == ["whole"]


def test_unpacking_takes_one_tree_and_sets_run_bits(tmp_path: Path) -> None:
    """Only what lies below the root comes out; programs can be run; no entry leaves the folder."""
    archive = tmp_path / "a.jar"
    with zipfile.ZipFile(archive, "w") as jar:
        jar.writestr("x/linux/bin/server", "#!/bin/sh\n")
        jar.writestr("x/linux/share/words", "abc")
        jar.writestr("x/osx/bin/server", "other")
        jar.writestr("x/linux/../../escaped", "no")

    unpack(archive, tmp_path / "out", root="x/linux")

    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert files == ["bin/server", "share/words"]
    assert os.access(tmp_path / "out/bin/server", os.X_OK)
    assert not os.access(tmp_path / "out/share/words", os.X_OK)
    assert not (tmp_path / "escaped").exists()


def test_checksum_of_a_file(tmp_path: Path) -> None:
    """As sha256sum prints it."""
    (tmp_path / "f").write_bytes(b"abc")

    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
