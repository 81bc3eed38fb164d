"""Downloads that fail give one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from carebus_stack import StackError
from carebus_stack.downloads import LockedJar, fetch


def test_an_unreachable_repository_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the jar and what to check."""
    monkeypatch.setenv("CAREBUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CAREBUS_MAVEN_REPOSITORY", "http://127.0.0.1:9/nothing")

    with pytest.raises(StackError, match=r"download of a\.b:c:1 failed .* CAREBUS_MAVEN_REPOSITORY"):
        fetch([LockedJar("a.b:c:1", "00" * 32)])


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than the lock's are removed and never used."""
    monkeypatch.setenv("CAREBUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CAREBUS_MAVEN_REPOSITORY", "http://127.0.0.1:9/nothing")
    cached = tmp_path / "maven/a/b/c/1/c-1.jar"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"not the jar")

    with pytest.raises(StackError, match=r"download of a\.b:c:1 failed"):
        fetch([LockedJar("a.b:c:1", "00" * 32)])

    assert not cached.exists()
