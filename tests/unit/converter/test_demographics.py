"""What persons are called and where they live: by the job's names and the source's LOCATION."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import (
    REFERRED_TABLES,
    GivenName,
    PersonRecords,
    decode_person,
    encode_person,
)
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.omop.person import Person
from carebus_converter.domain.common_names import synthetic_name
from carebus_converter.domain.demographics import NO_REACH, NOWHERE, Address, full_name, home, reach
from carebus_converter.domain.identity import pseudonym

IDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
LOCATION = {"location_id": 5, "address_1": "1 Long Lane", "address_2": "Flat 2", "city": "Springfield"}
MORE = {"state": "MA", "zip": "01101", "country_concept_id": 42046186}


def a_bundle(name: GivenName | None = None, person_id: int = 7, **location: Any) -> PersonRecords:
    """A woman who lives at location 5, which has what the test says."""
    person: dict[str, Any] = {"person_id": person_id, "gender_concept_id": 8532, "location_id": 5}
    rows = [[person.get(column) for column in PERSON_TABLES["person"].columns]]
    columns = REFERRED_TABLES["location"].columns
    return decode_person(
        encode_person(
            source="lab",
            person_id=person_id,
            cdm_version="5.4",
            covers=["person"],
            tables={"person": orjson.dumps(rows)},
            concepts=[b'[42046186,"US","ISO","United States of America","Geography","S"]'],
            refers={"location": [orjson.dumps([location.get(c) for c in columns])]} if location else None,
            name=name.to_json() if name else None,
        )
    )


def person_of(bundle: PersonRecords) -> Person:
    return bundle.rows(Person)[0]


def called(bundle: PersonRecords, key: bytes = b"") -> Any:
    return full_name(bundle, key, person_of(bundle))


def test_names_of_the_source_are_taken_as_they_are() -> None:
    """All parts of a real name, and a name of one word only."""
    whole = GivenName(prefix="Dr", given="Bedin", middle="T.", family="Lusab", suffix="III")

    assert called(a_bundle(whole)) == ("Bedin", "Lusab", "T.", "Dr", "III", True)
    assert called(a_bundle(GivenName(family="Lusab"))) == ("", "Lusab", "", "", "", True)


@pytest.mark.parametrize("name", [None, GivenName(), GivenName(phone="1", middle="T.")])
def test_who_has_no_name_keeps_the_pseudonym(name: GivenName | None) -> None:
    """Also where the names' table knows a phone number, or a middle name alone."""
    assert called(a_bundle(name), b"secret")[:2] == pseudonym("lab", 7, b"secret")
    assert not called(a_bundle(name)).real


def test_synthetic_names_fit_the_sex_of_the_record() -> None:
    """Names of women for 8532, of men for 8507; other persons draw from both."""
    women = {synthetic_name("lab", i, 8532).given for i in range(3_000)}
    men = {synthetic_name("lab", i, 8507).given for i in range(3_000)}
    others = {synthetic_name("lab", i, None).given for i in range(6_000)}

    assert not women & men
    assert (len(women), len(men)) == (64, 64)
    assert others == women | men
    assert called(a_bundle(GivenName(synthetic=True)))[:2] == synthetic_name("lab", 7, 8532)


def test_synthetic_names_are_spread_over_the_lists() -> None:
    """Serial ids draw given and family names apart from each other, and no name much more often."""
    names = Counter(synthetic_name("lab", i, 8532) for i in range(40_000))

    assert len(names) > 8_000
    assert max(names.values()) < 25


@given(IDS)
def test_synthetic_names_depend_on_the_whole_id_source_and_key(person_id: int) -> None:
    """The same person has the same name each time; the key decides which."""
    assert synthetic_name("lab", person_id, 8507) == synthetic_name("lab", person_id, 8507)
    names = {
        (synthetic_name(source, person_id ^ bit, 8507, key))
        for source in ("lab", "ward")
        for bit in (0, 1 << 40)
        for key in (b"", b"a", b"b")
    }
    assert len(names) > 3


def test_a_home_is_the_location_of_the_person() -> None:
    """As given, with the name of the country's concept; unknown places are nowhere."""
    there = home(a_bundle(**LOCATION, **MORE), person_of(a_bundle()))

    assert there == Address("1 Long Lane", "Flat 2", "Springfield", "MA", "01101", "United States of America")
    assert home(a_bundle(), person_of(a_bundle())) == NOWHERE
    assert home(a_bundle(**LOCATION), None) == NOWHERE


def test_an_address_beside_the_name_goes_before_the_location() -> None:
    """Nothing is mixed out of two addresses."""
    bundle = a_bundle(GivenName(given="A", street="2 High Street", zip="02202"), **LOCATION, **MORE)

    assert home(bundle, person_of(bundle)) == Address("2 High Street", zip="02202")


def test_only_the_names_table_knows_how_to_reach_somebody() -> None:
    """Phone and e-mail address."""
    assert reach(a_bundle(GivenName(phone="+1 555 0100", email="p7@example.org"))) == (
        "+1 555 0100",
        "p7@example.org",
    )
    assert reach(a_bundle(**LOCATION)) == NO_REACH
