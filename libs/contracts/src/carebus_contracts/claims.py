"""Claim checks: what travels instead of a payload that is too large for its topic."""

from __future__ import annotations

from pydantic import Field

from carebus_contracts.model import WireModel


class ClaimCheck(WireModel):
    """Where the payload lies in the configured blob store: a relative name, never a URL."""

    name: str = Field(pattern=r"^[a-z0-9]+(/[a-z0-9-]+)*$", max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="Bytes of the payload.")
