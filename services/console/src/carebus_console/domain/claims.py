"""What receipts say of source rows, counted so that each message counts once.

A receipt tells the rows of all its messages in one sum. When a worker died between its receipt and its
commit, the messages come again, in batches cut elsewhere: sums then overlap in part, and neither adding
nor sharing them out would be exact. But those batches that were committed follow one another without gap
or overlap, so among the receipts there is always a set that says each message once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from carebus_console.domain.ordinals import NOTHING, OrdinalSet
from carebus_contracts.receipts import Receipt, Result

STRONGEST_FIRST = tuple(Result)
_SEARCHED = 12
"""Claims that overlap, up to which all choices are weighed; beyond, the strongest are taken as they come."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The sums of one receipt."""

    ordinals: OrdinalSet
    result: Result
    told: bytes
    """JSON of ``rows`` and ``not_mapped``; kept as text, as there are as many of these as receipts."""

    @property
    def sums(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """``rows`` and ``not_mapped``, each by table and outcome or reason."""
        sums: Mapping[str, Mapping[str, Mapping[str, int]]] = orjson.loads(self.told)
        return sums


@dataclass(slots=True)
class Claims:
    """The claims of one attempt at one target; what counts depends on what was said, not on when."""

    said: dict[int, Claim] = field(default_factory=dict)
    """By the bits of their ordinals: of two about the same messages the stronger stands."""
    _overlap: bool = False

    def enter(self, receipt: Receipt, ordinals: OrdinalSet) -> bool:
        """Note what a receipt says; whether that is new."""
        told = orjson.dumps(
            {"rows": receipt.rows, "not_mapped": receipt.not_mapped}, option=orjson.OPT_SORT_KEYS
        )
        return self._note(Claim(ordinals, receipt.result, told))

    def counted(self) -> Sequence[Claim]:
        """Return claims that say as many messages as can be, each of them once."""
        if not self._overlap:
            return tuple(self.said.values())
        return [claim for group in _groups(self.said.values()) for claim in _disjoint(group)]

    def to_list(self) -> list[Any]:
        """Return it as JSON would hold it."""
        return [[c.ordinals.to_text(), c.result.value, c.sums] for c in self.said.values()]

    @classmethod
    def from_list(cls, raw: Iterable[Any]) -> Claims:
        """Read what ``to_list`` gave."""
        claims = cls()
        for text, result, sums in raw:
            told = orjson.dumps(sums, option=orjson.OPT_SORT_KEYS)
            claims._note(Claim(OrdinalSet.from_text(text), Result(result), told))
        return claims

    def _note(self, claim: Claim) -> bool:
        known = self.said.get(claim.ordinals.bits)
        if known is not None and _rank(known) <= _rank(claim):
            return False
        if known is None and not self._overlap:
            self._overlap = any(claim.ordinals & other.ordinals for other in self.said.values())
        self.said[claim.ordinals.bits] = claim
        return True


def _rank(claim: Claim) -> tuple[Any, ...]:
    """Order claims: stronger results first, then more messages, then by content, so that no two are equal."""
    return STRONGEST_FIRST.index(claim.result), -len(claim.ordinals), claim.ordinals.bits, claim.told


def _groups(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Part claims so that those of different groups do not overlap."""
    groups: list[tuple[OrdinalSet, list[Claim]]] = []
    for claim in claims:
        touched = [group for group in groups if group[0] & claim.ordinals]
        groups = [group for group in groups if not group[0] & claim.ordinals]
        all_ordinals, members = claim.ordinals, [claim]
        for ordinals, others in touched:
            all_ordinals |= ordinals
            members += others
        groups.append((all_ordinals, members))
    return [members for _, members in groups]


def _disjoint(claims: Sequence[Claim]) -> Sequence[Claim]:
    ranked = sorted(claims, key=_rank)
    return _best(ranked) if len(ranked) <= _SEARCHED else _as_they_come(ranked)


def _best(claims: Sequence[Claim]) -> Sequence[Claim]:
    """Return those without overlap that say most; of equals the ones with stronger results."""
    if len(claims) <= 1:
        return claims
    first, *rest = claims
    apart = [claim for claim in rest if not claim.ordinals & first.ordinals]
    with_it = [first, *_best(apart)]
    if len(apart) == len(rest):
        return with_it
    return max(with_it, _best(rest), key=_worth)


def _worth(claims: Sequence[Claim]) -> tuple[int, ...]:
    by_result = (sum(len(c.ordinals) for c in claims if c.result is r) for r in STRONGEST_FIRST)
    return sum(len(c.ordinals) for c in claims), *by_result


def _as_they_come(claims: Sequence[Claim]) -> Sequence[Claim]:
    chosen: list[Claim] = []
    covered = NOTHING
    for claim in claims:
        if not claim.ordinals & covered:
            chosen.append(claim)
            covered |= claim.ordinals
    return chosen
