"""Names for persons whom OMOP leaves without one."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
_ROUNDS = 4
"""Four Feistel rounds of a keyed hash make a strong pseudorandom permutation (Luby and Rackoff)."""


class PersonName(NamedTuple):
    """A name as it is shown to people; it says nothing about the person."""

    given: str
    family: str


def pseudonym(source: str, person_id: int, key: bytes = b"") -> PersonName:
    """Give one person of a source a stable name that no other person of this source has.

    The whole id is permuted under a key (of the source and of the site) and then spelt, so that
    equal names are impossible rather than unlikely, and neighbours in id look nothing alike.
    Ids below 2**31 get two words of five letters; larger ones a longer family name.

    Args:
        source: Slug of the source; the same id in another source gets another name.
        person_id: Any integer, negative ones too.
        key: The site's secret. Without it anyone can compute the id from the name.

    Source:
        Spelling of 16 bits as consonant-vowel-consonant-vowel-consonant: D. S. Wilkerson,
        "A Proposal for Proquints", arXiv:0901.4016.
    """
    number = person_id * 2 if person_id >= 0 else -person_id * 2 - 1
    half_bits = 16
    while number >> (2 * half_bits):
        half_bits *= 2
    left, right = _permute(hash_key(source, key), number, half_bits)
    words = [_word((left << half_bits | right) >> shift & 0xFFFF) for shift in range(0, 2 * half_bits, 16)]
    return PersonName(words[0].title(), "-".join(words[1:]).title())


def _permute(hash_key: bytes, number: int, half_bits: int) -> tuple[int, int]:
    size = half_bits // 8
    left, right = number >> half_bits, number & ((1 << half_bits) - 1)
    for step in range(_ROUNDS):
        block = right.to_bytes(size, "big") + bytes((step,))
        # A digest holds 64 bytes at most; an id of more than 1,024 bits is no id.
        mixed = int.from_bytes(blake2b(block, key=hash_key, digest_size=size).digest(), "big")
        left, right = right, left ^ mixed
    return left, right


@lru_cache(maxsize=1024)
def hash_key(source: str, key: bytes) -> bytes:
    """Fold site key and source to what blake2b takes as a key; the length keeps them apart."""
    return blake2b(len(key).to_bytes(8, "big") + key + source.encode(), digest_size=32).digest()


def _word(bits: int) -> str:
    return (
        _CONSONANTS[bits >> 12]
        + _VOWELS[bits >> 10 & 3]
        + _CONSONANTS[bits >> 6 & 15]
        + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )
