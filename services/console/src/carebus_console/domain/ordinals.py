"""Sets of ordinals: which messages of an attempt a receipt speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.model import Ranges

MAX_ORDINAL = 1_000_000
"""Ten times the largest slice; a number beyond is a fault of its sender, and would cost memory here."""


@dataclass(frozen=True, slots=True)
class OrdinalSet:
    """Numbers from 0, a bit each: a thousand messages in any pattern are 125 bytes."""

    bits: int = 0

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> OrdinalSet:
        """Read closed ranges, in any order.

        Raises:
            InvalidMessage: A range is inverted, negative or beyond ``MAX_ORDINAL``.
        """
        bits = 0
        for low, high in ranges:
            if not 0 <= low <= high <= MAX_ORDINAL:
                raise InvalidMessage(f"ordinals {low} to {high} are no range of 0 to {MAX_ORDINAL}")
            bits |= (1 << (high + 1)) - (1 << low)
        return cls(bits)

    @classmethod
    def first(cls, count: int) -> OrdinalSet:
        """Return 0 to ``count - 1``."""
        return cls((1 << count) - 1)

    @classmethod
    def from_text(cls, text: str) -> OrdinalSet:
        """Read what ``to_text`` wrote.

        Raises:
            ValueError: The text is something else.
        """
        return cls.first(int(text[1:])) if text.startswith("<") else cls(int(text, 16))

    def to_text(self) -> str:
        """``<n`` for 0 to n - 1, which is the rule; else the bits in hexadecimal."""
        whole = self.bits & (self.bits + 1) == 0
        return f"<{self.bits.bit_length()}" if whole else f"{self.bits:x}"

    def ranges(self) -> Ranges:
        """Return closed ranges in ascending order."""
        return tuple(self._runs())

    def __or__(self, other: OrdinalSet) -> OrdinalSet:
        return OrdinalSet(self.bits | other.bits)

    def __and__(self, other: OrdinalSet) -> OrdinalSet:
        return OrdinalSet(self.bits & other.bits)

    def __sub__(self, other: OrdinalSet) -> OrdinalSet:
        return OrdinalSet(self.bits & ~other.bits)

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def _runs(self) -> Iterator[tuple[int, int]]:
        rest, base = self.bits, 0
        while rest:
            gap = (rest & -rest).bit_length() - 1
            rest >>= gap
            # The lowest zero ends the run: adding one carries through all ones before it.
            run = (rest ^ (rest + 1)).bit_length() - 1
            yield base + gap, base + gap + run - 1
            rest >>= run
            base += gap + run


NOTHING = OrdinalSet()
