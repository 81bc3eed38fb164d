"""What a site says about the documents that leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from carebus_contracts.errors import ConfigurationError

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+").fullmatch
_OFFSET = re.compile(r"[+-](0[0-9]|1[0-4])[0-5][0-9]").fullmatch
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?").fullmatch


@dataclass(frozen=True, slots=True)
class DocumentSettings:
    """The header's fixed half; the defaults give a valid document.

    Raises:
        ConfigurationError: A value would make every document invalid.
    """

    organization: str = "carebus"
    """Author's organisation and custodian."""
    id_root: str = ""
    """OID under which records get their ids; empty derives one from the source's slug."""
    device: str = "carebus converter"
    """Software that is named as the author."""
    utc_offset: str = "+0000"
    """Zone of times that carry none: OMOP's do not."""
    language: str = "en-US"
    """Language of titles and narrative."""
    released: date | None = None
    """Release date of the source; the document's time. Without it the latest record's."""
    name_key: bytes = field(default=b"", repr=False)
    """The site's secret behind pseudonyms."""

    def __post_init__(self) -> None:
        if self.id_root and not _OID(self.id_root):
            raise ConfigurationError("id_root is no OID, such as 2.16.840.1.113883.3.1234")
        if not _OFFSET(self.utc_offset):
            raise ConfigurationError("utc_offset is not of the form +HHMM or -HHMM")
        if not _LANGUAGE(self.language):
            raise ConfigurationError("language is not of the form en or en-US")

    def root_for(self, source: str) -> str:
        """Return the OID root of one source's ids."""
        return self.id_root or _derived_root(source)


@lru_cache(maxsize=1024)
def _derived_root(source: str) -> str:
    """Anyone may use the arc 2.25 with a UUID as its number (ITU-T X.667)."""
    return f"2.25.{uuid5(NAMESPACE_URL, 'urn:carebus:source:' + source).int}"
