"""What a site says about its charts."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OpenEmrSettings:
    """Settings of the OpenEMR mapping."""

    names_key: bytes = field(default=b"", repr=False)
    """The site's secret behind pseudonyms."""
