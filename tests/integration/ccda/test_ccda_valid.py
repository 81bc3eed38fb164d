"""Every document of two whole data sets is valid: schema, three Schematrons, and the strict checks."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import ConceptInUse, GivenName, decode_person
from carebus_converter.domain.ccda import DocumentSettings, document
from support.omop_bundles import bundles
from unit.converter.ccda.factories import (
    FULL_DIRECTORY,
    KNOWN,
    SETTINGS,
    a_document,
    a_measurement,
    a_person,
    a_procedure,
    a_row,
    a_visit,
    an_observation,
    with_directory,
)
from unit.converter.ccda.strategies import directories, given_names, odd_concepts, rows_of_any_table
from unit.converter.ccda.test_ccda_bad_input import CASES, many_measurements

FULL = os.environ.get("CAREBUS_TEST_FULL") == "1"
"""Everything under every Schematron: two minutes instead of one."""

SAMPLE = 300


@pytest.fixture(scope="module")
def documents(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file a person of GiBleed and of Synthea27Nj, in a folder each."""
    root = tmp_path_factory.mktemp("ccda")
    for name in ("gibleed_5.3", "synthea27nj_5.4"):
        folder = root / name
        folder.mkdir()
        for encoded in bundles(shared / "omop" / name / "parquet"):
            person = decode_person(encoded)
            made = document(person, settings=DocumentSettings())
            (folder / f"{person.person_id}.xml").write_text(made.xml, encoding="ascii")
    return root


@pytest.fixture(scope="module")
def sample(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same 300 documents each time, or all of them."""
    if FULL:
        yield documents
        return
    root = tmp_path_factory.mktemp("sample")
    every = sorted(documents.rglob("*.xml"))
    for path in random.Random(7).sample(every, min(SAMPLE, len(every))):
        (root / f"{path.parent.name}-{path.name}").symlink_to(path)
    yield root


def test_every_document_is_valid_ccda(shared: Path, documents: Path) -> None:
    """All persons of both data sets, under the current Schematron of R2.1."""
    assert len(list(documents.rglob("*.xml"))) == 2_722

    assert_valid(shared, documents, "r21")


@pytest.mark.parametrize("schematron", ["r21-2025-07", "companion"])
def test_documents_are_valid_under_other_schematrons(shared: Path, sample: Path, schematron: str) -> None:
    """The version that many sites still run, and the one merged with the Companion Guide."""
    assert_valid(shared, sample, schematron)


@pytest.fixture(scope="module")
def odd_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of records with empty cells, repeated ids, hostile text, and each case of bad input."""
    root = tmp_path_factory.mktemp("odd")

    @settings(max_examples=300 if FULL else 150, derandomize=True, deadline=None, database=None)
    @given(st.lists(rows_of_any_table(), max_size=12), odd_concepts())
    def write(rows: list[NamedTuple], concepts: list[ConceptInUse]) -> None:
        made = a_document(*rows, concepts=[*KNOWN, *concepts])
        (root / f"{made.document_id}.xml").write_text(made.xml, encoding="ascii")

    write()
    cases = CASES | ({"20000-measurements": many_measurements()} if FULL else {})
    for name, rows in cases.items():
        (root / f"{name}.xml").write_text(a_document(*rows).xml, encoding="ascii")
    return root


@pytest.mark.parametrize("schematron", ["r21", "r21-2025-07", "companion"])
def test_documents_of_odd_records_are_valid(shared: Path, odd_documents: Path, schematron: str) -> None:
    """Whatever a bundle holds, its document is valid."""
    assert_valid(shared, odd_documents, schematron)


@pytest.fixture(scope="module")
def peopled_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents with names, addresses, providers and sites; whole, without any cell, and of hostile text."""
    root = tmp_path_factory.mktemp("peopled")
    rows = (
        a_person(location_id=5, care_site_id=3),
        a_visit(provider_id=4, care_site_id=3),
        a_procedure(provider_id=4),
        a_measurement(provider_id=4, value_as_number=5.0),
        an_observation(provider_id=4),
    )

    @settings(max_examples=300 if FULL else 100, derandomize=True, deadline=None, database=None)
    @example(FULL_DIRECTORY, GivenName(given="Bedin", family="Lusab", phone="+1 555 0100", email="b@x.org"))
    @example(FULL_DIRECTORY, GivenName(synthetic=True))
    @example([a_row(type(row), **{row._fields[0]: row[0]}) for row in FULL_DIRECTORY], GivenName(family="L"))
    @given(directories(), given_names())
    def write(directory: list[NamedTuple], name: GivenName) -> None:
        made = document(with_directory(*rows, directory=directory, name=name), settings=SETTINGS)
        (root / f"{made.document_id}.xml").write_text(made.xml, encoding="ascii")

    write()
    return root


@pytest.mark.parametrize("schematron", ["r21", "r21-2025-07", "companion"])
def test_documents_that_name_people_and_places_are_valid(
    shared: Path, peopled_documents: Path, schematron: str
) -> None:
    """Whatever a source says of them."""
    assert_valid(shared, peopled_documents, schematron)


def assert_valid(shared: Path, folder: Path, schematron: str) -> None:
    """Fail with the findings unless the validator finds no error in any file of a folder."""
    validator = str(shared / "ccda" / "ccda_validate.py")
    command = [sys.executable, validator, "--strict", "-q", "--sch", schematron, str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4_000:] + run.stderr[-1_000:]
    assert " 0 failed, 0 errors" in run.stdout + run.stderr
