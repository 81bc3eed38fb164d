"""A person's C-CDA document among the patient's documents: the row, which tells of the file beside the plan's rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha3_512
from types import MappingProxyType
from typing import NamedTuple

import orjson

from carebus_contracts.documents import MADE_DOCUMENT
from carebus_converter.domain.openemr.cells import day
from carebus_converter.domain.openemr.chart import write
from carebus_converter.domain.openemr.row_ids import RowIds

DOCUMENTS = ("uuid", "docdate", "name", "size", "hash")


def document_uuid(source: str, person_id: int) -> str:
    """Return the uuid of a person's one document; the loader files its content under it."""
    return RowIds(source, person_id).uuid(MADE_DOCUMENT, 0)


class Filing(NamedTuple):
    """What a plan says of a document."""

    writes: tuple[bytes, ...] = ()
    files: Mapping[str, str] = MappingProxyType({})
    """Contents by uuid of the row."""


def filing(source: str, person_id: int, xml: str, day_told: date | None) -> Filing:
    """Say that a person has this document.

    Args:
        source: Slug.
        person_id: The person.
        xml: The document, pure ASCII.
        day_told: Day up to which it tells.

    Source:
        OpenEMR keeps the SHA3-512 of a file in hexadecimal digits.
    """
    content = xml.encode("ascii")
    uuid, name = document_uuid(source, person_id), orjson.dumps(f"ccda-{source}.xml").decode()
    row = f'["{uuid}",{day(day_told)},{name},{len(content)},"{sha3_512(content).hexdigest()}"]'
    return Filing((write("documents", DOCUMENTS, [row], of=MADE_DOCUMENT),), {uuid: xml})


def no_document() -> bytes:
    """Write that a person has no document."""
    return write("documents", DOCUMENTS, [], of=MADE_DOCUMENT)
