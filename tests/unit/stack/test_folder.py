"""A stack's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from carebus_stack import LocalStack, StackError
from carebus_stack.endpoints import local_endpoints, settings_text
from carebus_stack.folder import PASSWORDS, StackFolder
from carebus_stack.platforms import require_disk
from carebus_stack.ports import Ports
from carebus_stack.servers.mariadb import init_sql


def test_passwords_are_made_once_and_are_all_different(tmp_path: Path) -> None:
    """A second `prepare` keeps them: servers know the first ones."""
    folder = StackFolder(tmp_path / "s")

    folder.prepare()
    first = [folder.password(name) for name in PASSWORDS]
    folder.prepare()

    assert [folder.password(name) for name in PASSWORDS] == first
    assert len(set(first)) == len(PASSWORDS)


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """`--dir` may name a folder of others."""
    tmp_path.chmod(0o750)

    StackFolder(tmp_path).prepare()

    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_removing_takes_only_what_is_ours(tmp_path: Path) -> None:
    """A wrong --dir costs nobody their files."""
    folder = StackFolder(tmp_path)
    folder.prepare()
    folder.remember(port_offset=7, settings="A=b\n")
    (tmp_path / "thesis.txt").touch()

    folder.remove()

    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_offset_and_mode_are_remembered(tmp_path: Path) -> None:
    """Later commands need not repeat them; before the first `up` nothing is known."""
    folder = StackFolder(tmp_path)
    before = folder.remembered()

    folder.remember(port_offset=7, settings="", mode="docker")

    assert (before.known, before.port_offset, before.mode) == (False, 0, "native")
    assert (folder.remembered().port_offset, folder.remembered().mode) == (7, "docker")
    assert LocalStack(tmp_path).endpoints.kafka.bootstrap == "127.0.0.1:29099"


def test_settings_name_password_files_and_no_password(tmp_path: Path) -> None:
    """The settings file tells where secrets are."""
    folder = StackFolder(tmp_path)
    folder.prepare()

    text = settings_text(local_endpoints(Ports.at(0), folder.secrets).settings())

    assert "CAREBUS_KAFKA_BOOTSTRAP=127.0.0.1:29092\n" in text
    assert f"CAREBUS_OPENEMR_PASSWORD_FILE={tmp_path}/secrets/mariadb-carebus\n" in text
    assert not any(folder.password(name) in text for name in PASSWORDS)


def test_users_are_made_outside_the_binlog() -> None:
    """A capture that reads the binlog from its start finds no statements about users."""
    lines = init_sql(lambda name: f"pw-{name}", "openemr").splitlines()

    assert lines[0] == "SET SESSION sql_log_bin = 0;"
    assert "IDENTIFIED BY 'pw-mariadb-carebus'" in "\n".join(lines)


@pytest.mark.parametrize("names", [["kafka", "oracle"], []], ids=["unknown", "none"])
def test_unknown_servers_are_refused(tmp_path: Path, names: list[str]) -> None:
    """The sentence lists those that there are."""
    with pytest.raises(StackError, match="the stack has kafka, mariadb, postgres, clickhouse"):
        LocalStack(tmp_path, servers=names)


def test_a_full_disk_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """The folder need not exist."""
    with pytest.raises(StackError, match="GB free and the stack needs"):
        require_disk(tmp_path / "not/there", min_free_bytes=1 << 60)


def test_folders_of_others_are_neither_used_nor_wiped(tmp_path: Path) -> None:
    """A folder that happens to hold `kafka/` is no stack: `up` refuses it, `down --wipe` leaves it."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "notes.txt").touch()

    with pytest.raises(StackError, match="no stack was started"):
        LocalStack(tmp_path).up()
    LocalStack(tmp_path).down(wipe=True)

    assert [path.name for path in tmp_path.rglob("*")] == ["kafka", "notes.txt"]
