"""Bases of the wire models, and ranges of ordinals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from carebus_contracts.errors import InvalidMessage


class WireModel(BaseModel):
    """What services send each other: frozen, and tolerant of fields that are newer than the reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> bytes:
        """The bytes on the wire; fields that hold their default are left out."""
        return self.model_dump_json(exclude_defaults=True, by_alias=True).encode()

    @classmethod
    def from_json(cls, value: bytes) -> Self:
        """Read the bytes on the wire.

        Raises:
            InvalidMessage: They do not fit; the text names the place, never a value.
        """
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise InvalidMessage(places_of(error)) from None


class UserModel(BaseModel):
    """What people write: frozen, and strict about misspelt fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Ranges = tuple[tuple[int, int], ...]
"""Ordinals as closed ranges in ascending order: ``((0, 4), (7, 7))`` is 0 to 4 and 7."""


def ranges_of(ordinals: Iterable[int]) -> Ranges:
    """Pack ordinals into closed ranges."""
    packed: list[list[int]] = []
    for ordinal in sorted(set(ordinals)):
        if packed and packed[-1][1] + 1 == ordinal:
            packed[-1][1] = ordinal
        else:
            packed.append([ordinal, ordinal])
    return tuple((low, high) for low, high in packed)


def places_of(error: ValidationError, limit: int = 3) -> str:
    """Say where a message does not fit, without any of its values."""
    found = [
        f"{'.'.join(map(str, e['loc']))}: {e['type']}"
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return "; ".join(found[:limit]) + more
