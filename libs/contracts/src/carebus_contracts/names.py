"""Where a job takes persons' names from: OMOP has none."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from carebus_contracts.model import UserModel

Column = Annotated[str, Field(min_length=1, max_length=128)]


class Pseudonyms(UserModel):
    """Stable, pronounceable names that no two persons of a source share; they say nothing about anybody."""

    mode: Literal["pseudonym"] = "pseudonym"


class SyntheticNames(UserModel):
    """Plausible names, the same for a person every time. Two persons may share one, as people do."""

    mode: Literal["synthetic"]


class NameColumns(UserModel):
    """Real names, out of PERSON or of a table beside it in the same source.

    The table has a ``person_id``; of several rows of a person the first by content counts. Who has neither
    a given nor a family name there keeps the pseudonym, and the job's notes count them.
    """

    mode: Literal["column"]
    table: str = Field(
        default="person",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="PERSON, or a table or file beside it, without folder and suffix.",
    )
    given: Column = Field(description="Column of the given name.")
    family: Column = Field(description="Column of the family name.")
    middle: Column | None = Field(default=None, description="Column of the middle name.")
    prefix: Column | None = Field(default=None, description="Column of what stands before the name.")
    suffix: Column | None = Field(default=None, description="Column of what stands after it.")
    phone: Column | None = Field(default=None, description="Column of the phone number at home.")
    email: Column | None = Field(default=None, description="Column of the e-mail address.")
    street: Column | None = Field(
        default=None, description="Column of the street; an address given here goes before LOCATION's."
    )
    city: Column | None = Field(default=None, description="Column of the city.")
    state: Column | None = Field(default=None, description="Column of the state.")
    zip: Column | None = Field(default=None, description="Column of the postal code.")

    @property
    def columns(self) -> dict[str, str]:
        """What the table is read for: field of ``GivenName`` to the table's column."""
        return self.model_dump(exclude={"mode", "table"}, exclude_none=True)


def _in_full(value: Any) -> Any:
    """Take ``names: synthetic`` for ``names: {mode: synthetic}``."""
    return {"mode": value} if isinstance(value, str) else value


Names = Annotated[
    Annotated[Pseudonyms | SyntheticNames | NameColumns, Field(discriminator="mode")],
    BeforeValidator(_in_full),
]
MadeUpNames = Annotated[
    Annotated[Pseudonyms | SyntheticNames, Field(discriminator="mode")],
    BeforeValidator(_in_full),
]
"""For persons that nobody has a table of names for."""
