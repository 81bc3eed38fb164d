"""References to providers and sites become the columns of OpenEMR's tables."""

from __future__ import annotations

import pytest

from carebus_loader.adapters.openemr.referring import Directory, Site

DIRECTORY = Directory({"aa": 5}, {"bb": Site(7, "Clinic 7")}, provider=1, site=Site(3, "Main"))


@pytest.mark.parametrize(
    ("table", "columns", "row", "expected"),
    [
        pytest.param(
            "form_encounter", ("uuid", "reason", "provider", "site"), ["u", "r", "aa", "bb"],
            {"uuid": "u", "reason": "r", "provider_id": 5, "facility_id": 7, "facility": "Clinic 7"},
            id="encounter",
        ),
        pytest.param(
            "form_encounter", ("uuid", "provider", "site"), ["u", None, None],
            {"uuid": "u", "provider_id": 1, "facility_id": 3, "facility": "Main"},
            id="encounter of those in the settings",
        ),
        pytest.param(
            "form_encounter", ("uuid", "provider", "site"), ["u", "cc", "cc"],
            {"uuid": "u", "provider_id": 1, "facility_id": 3, "facility": "Main"},
            id="encounter of those who are not there",
        ),
        pytest.param(
            "immunizations", ("uuid", "provider", "route"), ["u", "aa", None],
            {"uuid": "u", "administered_by_id": 5, "route": None},
            id="vaccine",
        ),
        pytest.param(
            "users", ("uuid", "site"), ["u", "bb"],
            {"uuid": "u", "facility_id": 7, "facility": "Clinic 7"},
            id="provider at a site",
        ),
        pytest.param(
            "users", ("uuid", "site"), ["u", None],
            {"uuid": "u", "facility_id": 0, "facility": ""},
            id="provider at no known site",
        ),
        pytest.param("lists", ("uuid", "title"), ["u", "t"], {"uuid": "u", "title": "t"}, id="no references"),
    ],
)  # fmt: skip
def test_references_become_columns(
    table: str, columns: tuple[str, ...], row: list[object], expected: dict[str, object]
) -> None:
    """Each gets the number, and where the table has it the name."""
    names, resolved = DIRECTORY.resolve(table, columns)

    assert dict(zip(names, resolved(row), strict=True)) == expected


@pytest.mark.parametrize(("table", "nobody"), [("procedure_order", 0), ("prescriptions", None)])
def test_nobody_is_what_the_table_takes(table: str, nobody: int | None) -> None:
    """Without a provider in the settings it is 0 where the column demands a number, else NULL."""
    _, resolved = Directory().resolve(table, ("uuid", "provider"))

    assert resolved(["u", None]) == ["u", nobody]


@pytest.mark.parametrize(("own", "expected"), [("1987654321", "1987654321"), ("", "1234567893")])
def test_npi_of_the_settings_is_for_those_who_have_none(own: str, expected: str) -> None:
    """Who has one keeps it."""
    _, resolved = Directory(npi="1234567893").resolve("users", ("uuid", "npi", "site"))

    assert resolved(["u", own, None]) == ["u", expected, 0, ""]
