"""Whom a message is about: read from its topic, key and headers, whatever its value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from carebus_contracts.headers import Envelope
from carebus_contracts.omop.bundle import SOURCE_SLUG
from carebus_contracts.topics import OMOP_RECORDS, TARGETS, plans
from carebus_contracts.versions import Version

_TARGET_OF = {plans(target).name: target for target in TARGETS}
_SLUG = re.compile(SOURCE_SLUG)


@dataclass(frozen=True, slots=True)
class Addressed:
    """Subject and purpose of a message with records."""

    source: str
    subject: str
    """The rest of the key: ``<person_id>`` or ``<table>/<chunk>``."""
    version: Version
    targets: frozenset[str]
    """The targets that it is for."""
    job_id: str

    @property
    def person_id(self) -> int | None:
        """The person, when it is about one."""
        number = self.subject.removeprefix("-")
        return int(self.subject) if number.isascii() and number.isdigit() else None


def addressed(topic: str, key: bytes | None, envelope: Envelope) -> Addressed | None:
    """Return whom a message is about; None when it holds no records of a source."""
    if topic == OMOP_RECORDS.name:
        targets = frozenset(envelope.targets)
    elif topic in _TARGET_OF:
        targets = frozenset((_TARGET_OF[topic],))
    else:
        return None
    source, _, subject = (key or b"").decode("utf-8", "replace").partition("/")
    if not subject or _SLUG.fullmatch(source) is None:
        return None
    return Addressed(source, subject, envelope.version, targets, envelope.job_id)
