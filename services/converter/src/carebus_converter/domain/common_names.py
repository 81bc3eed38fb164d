"""Plausible names for persons whom OMOP leaves without one."""

from __future__ import annotations

from hashlib import blake2b

from carebus_converter.domain.identity import PersonName, hash_key


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MALE = _words(
    "James Michael Robert John David William Richard Joseph Thomas Christopher Charles Daniel Matthew "
    "Anthony Mark Steven Donald Andrew Joshua Paul Kenneth Kevin Brian Timothy Ronald Jason George Edward "
    "Jeffrey Ryan Jacob Nicholas Gary Eric Jonathan Stephen Larry Justin Benjamin Scott Brandon Samuel "
    "Gregory Alexander Patrick Frank Jack Raymond Dennis Tyler Aaron Jerry Jose Nathan Adam Henry Zachary "
    "Douglas Peter Noah Kyle Ethan Christian Jeremy"
)
_FEMALE = _words(
    "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Karen Sarah Lisa Nancy Sandra Ashley "
    "Emily Kimberly Betty Margaret Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Sharon "
    "Laura Cynthia Amy Kathleen Angela Dorothy Shirley Emma Brenda Nicole Pamela Samantha Anna Katherine "
    "Christine Debra Rachel Olivia Carolyn Maria Janet Heather Diane Catherine Julie Victoria Helen Joyce "
    "Lauren Kelly Christina Joan Judith Ruth Hannah Evelyn Andrea"
)
_FAMILY = _words(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez "
    "Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark "
    "Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams "
    "Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz "
    "Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson "
    "Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James Bennett Gray "
    "Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins "
    "Perry Russell Sullivan Bell Coleman Butler Henderson Barnes Gonzales Fisher Vasquez Simmons Romero "
    "Jordan Patterson Alexander Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant"
)
_GIVEN = {8507: _MALE, 8532: _FEMALE}
_EITHER = _MALE + _FEMALE


def synthetic_name(
    source: str, person_id: int, gender_concept_id: int | None, key: bytes = b""
) -> PersonName:
    """Give one person of a source a plausible name: the same every time, but not theirs alone.

    There are 8,192 full names for each of the two sexes that have a list, so two persons may share one.

    Args:
        source: Slug of the source.
        person_id: The whole id is hashed.
        gender_concept_id: Chooses the list of given names; both lists serve where it is neither 8507 nor 8532.
        key: The site's secret, as of pseudonyms.

    Source:
        Some of the most frequent given names of the US Social Security Administration's last hundred years
        and surnames of the US Census of 2010, both in the public domain.
    """
    digest = blake2b(str(person_id).encode(), key=hash_key(source, key), digest_size=16).digest()
    given = _GIVEN.get(gender_concept_id or 0, _EITHER)
    return PersonName(
        given[int.from_bytes(digest[:8], "big") % len(given)],
        _FAMILY[int.from_bytes(digest[8:], "big") % len(_FAMILY)],
    )
