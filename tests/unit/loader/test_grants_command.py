"""``carebus targets grants``: SQL to standard output, nothing executed."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from carebus_loader import command


def test_openemr_grants_rows_of_named_tables_and_temporary_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No right holds for the whole schema but that to temporary tables."""
    monkeypatch.setenv("CAREBUS_OPENEMR_DATABASE", "clinic")

    answer = CliRunner().invoke(command.targets, ["grants", "openemr", "--user", "o'neil@10.0.0.%"])
    lines = answer.stdout.splitlines()

    assert lines[0] == "GRANT CREATE TEMPORARY TABLES ON `clinic`.* TO 'o''neil'@'10.0.0.%';"
    (users,) = (line for line in lines if ".`users`" in line)
    assert users.startswith("GRANT SELECT, INSERT (`uuid`, `username`, ")
    assert not {"password", "google_signin_email"} & set(users.split("`"))
    assert sum(".* TO" in line for line in lines) == 1


def test_clickhouse_grants_reading_and_inserting_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that no longer count are deleted by `targets prepare`."""
    monkeypatch.setenv("CAREBUS_CLICKHOUSE_DATABASE", "omop")

    answer = CliRunner().invoke(command.targets, ["grants", "clickhouse", "--user", "loader"])

    assert answer.stdout == "GRANT SELECT, INSERT ON `omop`.* TO `loader`;\n"


def test_documents_have_no_users() -> None:
    """One sentence, exit status 2."""
    answer = CliRunner().invoke(command.targets, ["grants", "documents", "--user", "loader"])

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "has no users" in answer.stderr
