"""Defects of the generator that people used before, in what it wrote: numbered as in our notes."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_generator.command import generate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 1,000 patients as packed CSV, by the command that people use."""
    made = tmp_path_factory.mktemp("csv")
    arguments = ["run", "baltic_defence", "--total", "1000", "--format", "csv", "--compression", "gzip"]
    found = CliRunner().invoke(generate, [*arguments, "--out", str(made), "--processes", "1", "--quiet"])
    assert found.exit_code == 0, found.output
    return made


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with gzip.open(folder / f"{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_08_csv_tells_patients_and_their_fates_apart(folder: Path) -> None:
    """Every name was "Unknown Unknown", and every status "Active"."""
    persons = rows(folder, "person")
    ends = {row["person_id"]: row["discharged_to_source_value"] for row in rows(folder, "visit_occurrence")}
    ways = {row["person_id"]: row["cause_source_value"].partition(" ")[0] for row in rows(folder, "death")}
    back = {
        row["person_id"]
        for row in rows(folder, "observation")
        if row["observation_source_value"] == "MIL:RTD"
    }

    assert len({person["person_source_value"] for person in persons}) == len(persons) == 1_000
    assert ends.keys() | ways.keys() == {person["person_id"] for person in persons}
    assert {"DOW", "RTD"} <= set(ends.values())
    assert "KIA" in ways.values()
    assert ends.keys() & ways.keys() == {person for person, end in ends.items() if end in {"DOW", "DIED"}}
    assert back == {person for person, end in ends.items() if end == "RTD"}
    text = "".join(gzip.decompress(path.read_bytes()).decode() for path in folder.glob("*.gz"))
    assert "Unknown" not in text
    assert "Active" not in text


def test_10_ages_are_those_of_the_injury(folder: Path) -> None:
    """Ages were relative to today's clock; here the base date is 1 June 2025, whenever this runs."""
    starts = {r["person_id"]: r["observation_period_start_date"] for r in rows(folder, "observation_period")}

    ages = []
    for person in rows(folder, "person"):
        born = (int(person["year_of_birth"]), int(person["month_of_birth"]), int(person["day_of_birth"]))
        year, month, day = map(int, starts[person["person_id"]].split("-"))
        ages.append(year - born[0] - ((month, day) < born[1:]))

    assert min(ages) >= 18
    assert max(ages) <= 60
    assert Counter(age < 30 for age in ages)[True] > 500
