"""Names of the empty objects beside blobs that say whose they are, so that they can be swept.

``subjects/<source>/<person or other>-<hash of the key>/<v>-<ord>~<targets>~<job>~<sha256>``: one for each
message that was sent by claim check. The key itself stands in the message only.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from carebus_contracts.addressing import Addressed
from carebus_contracts.topics import TARGETS
from carebus_contracts.versions import Version

ROOT = "subjects"
_PERSON, _OTHER = "person", "other"
_PART, _AND = "~", "+"


@dataclass(frozen=True, slots=True)
class BlobMark:
    """What a mark says of one message."""

    person: bool
    """Whether the message is about a person."""
    version: Version
    targets: frozenset[str]
    job_id: str
    sha256: str
    """Of the payload, which names its blob."""


def folder(source: str, subject: str, *, person: bool) -> str:
    """Return the folder of the marks of one subject."""
    hashed = blake2b(subject.encode(), digest_size=16, person=b"carebus-blob").hexdigest()
    return f"{ROOT}/{source}/{_PERSON if person else _OTHER}-{hashed}"


def name_of(about: Addressed, sha256: str) -> str:
    """Return the mark of a message, relative to the store."""
    place = folder(about.source, about.subject, person=about.person_id is not None)
    version = f"{about.version.v:016x}-{about.version.ord:08x}"
    # They come from a header, which may say anything, and become part of the name of a file.
    targets = _AND.join(target for target in TARGETS if target in about.targets)
    return f"{place}/{_PART.join((version, targets, about.job_id, sha256))}"


def read_name(path: str) -> BlobMark | None:
    """Read a mark; None when it is not one of ours."""
    place, _, name = path.rpartition("/")
    kind = place.rpartition("/")[2].partition("-")[0]
    parts = name.split(_PART)
    if len(parts) != 4 or kind not in (_PERSON, _OTHER):
        return None
    v, _, order = parts[0].partition("-")
    try:
        version = Version(int(v, 16), int(order, 16))
    except ValueError:
        return None
    targets = frozenset(filter(None, parts[1].split(_AND)))
    return BlobMark(kind == _PERSON, version, targets, parts[2], parts[3])
