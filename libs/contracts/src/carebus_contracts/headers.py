"""Kafka headers: what is known of a message without reading its value.

CloudEvents in binary mode, W3C trace context, and the bookkeeping of carebus. They never hold a
record key or any other patient data: ``ce_subject`` is a keyed hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from carebus_contracts.jobs import JOB_ID, Filing
from carebus_contracts.versions import Version

Header = tuple[str, bytes]

NO_VERSION = Version(0)

CONTRACT = "carebus-contract"
JOB = "carebus-job"
SLICE = "carebus-slice"
ATTEMPT = "carebus-attempt"
ORDINAL = "carebus-ordinal"
VERSION = "carebus-version"
TARGETS = "carebus-targets"
DRY_RUN = "carebus-dry-run"
FILING = "carebus-filing"
CLAIM = "carebus-claim"
TRACEPARENT = "traceparent"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The headers of one message, typed; all optional, as a job request needs none."""

    contract: str = ""
    """Name and major version, ``PersonRecords/1``."""
    job_id: str = ""
    slice: int = -1
    attempt: str = ""
    """One execution of a slice; receipts count against it."""
    ordinal: int = -1
    """Number of the message within its attempt, from 0."""
    version: Version = NO_VERSION
    targets: tuple[str, ...] = ()
    """The targets that the job wants; empty when the topic says it."""
    dry_run: bool = False
    filing: Filing = "none"
    """Whether the job wants documents among those of OpenEMR's patients."""
    claim: bool = False
    """The value is a claim check, not the payload."""
    traceparent: str = ""
    extra: tuple[Header, ...] = field(default=())
    """Headers of others, kept for dead letters."""

    @property
    def counted(self) -> bool:
        """Whether a receipt is owed for this message."""
        return bool(self.job_id and self.attempt) and self.slice >= 0 and self.ordinal >= 0


def read_headers(headers: Iterable[Header]) -> Envelope:
    """Read what we know from Kafka headers; hostile or foreign bytes are kept, never raised on."""
    found: dict[str, str] = {}
    extra: list[Header] = []
    for name, value in headers:
        if name in _OURS:
            found[name] = value.decode("utf-8", "replace") if value else ""
        else:
            extra.append((name, value))
    get = found.get
    try:
        version = Version.parse(get(VERSION) or "0")
    except ValueError:
        version = NO_VERSION
    return Envelope(
        contract=get(CONTRACT, ""),
        job_id=get(JOB, "") if _JOB_ID.fullmatch(get(JOB, "")) else "",
        slice=_number(get(SLICE)),
        attempt=get(ATTEMPT, ""),
        ordinal=_number(get(ORDINAL)),
        version=version,
        targets=tuple(t for t in get(TARGETS, "").split(",") if t),
        dry_run=get(DRY_RUN) == "true",
        filing=_FILINGS.get(get(FILING, ""), "none"),
        claim=get(CLAIM) == "true",
        traceparent=get(TRACEPARENT, ""),
        extra=tuple(extra),
    )


def write_headers(
    envelope: Envelope, *, event_type: str, event_id: str, source: str, subject: str = ""
) -> Sequence[Header]:
    """Write Kafka headers.

    Args:
        envelope: Our bookkeeping; empty fields are left out.
        event_type: CloudEvents type, the topic's name.
        event_id: CloudEvents id, unique within ``source``.
        source: CloudEvents source, the service (``/carebus/extractor``).
        subject: A keyed hash of the record key, or nothing.
    """
    headers: list[Header] = [
        ("ce_specversion", b"1.0"),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_id", event_id.encode()),
        ("content-type", b"application/json"),
    ]
    if subject:
        headers.append(("ce_subject", subject.encode()))
    if envelope.contract:
        headers.append((CONTRACT, envelope.contract.encode()))
    if envelope.job_id:
        headers.append((JOB, envelope.job_id.encode()))
    if envelope.slice >= 0:
        headers.append((SLICE, b"%d" % envelope.slice))
    if envelope.attempt:
        headers.append((ATTEMPT, envelope.attempt.encode()))
    if envelope.ordinal >= 0:
        headers.append((ORDINAL, b"%d" % envelope.ordinal))
    if envelope.version.v:
        headers.append((VERSION, str(envelope.version).encode()))
    if envelope.targets:
        headers.append((TARGETS, ",".join(envelope.targets).encode()))
    if envelope.dry_run:
        headers.append((DRY_RUN, b"true"))
    if envelope.filing != "none":
        headers.append((FILING, envelope.filing.encode()))
    if envelope.claim:
        headers.append((CLAIM, b"true"))
    if envelope.traceparent:
        headers.append((TRACEPARENT, envelope.traceparent.encode()))
    return headers


_JOB_ID = re.compile(JOB_ID)
"""Names of files and rows are made of a job's id: one that is none is left out."""
_FILINGS: Mapping[str, Filing] = {"wanted": "wanted", "required": "required"}
_OURS = frozenset(
    (CONTRACT, JOB, SLICE, ATTEMPT, ORDINAL, VERSION, TARGETS, DRY_RUN, FILING, CLAIM, TRACEPARENT)
) | {
    "ce_specversion",
    "ce_type",
    "ce_source",
    "ce_id",
    "ce_subject",
    "content-type",
}


_DIGITS = 18
"""A number of ours is far shorter; Python refuses to read one of thousands of digits."""


def _number(text: str | None) -> int:
    return int(text) if text and len(text) <= _DIGITS and text.isascii() and text.isdigit() else -1
