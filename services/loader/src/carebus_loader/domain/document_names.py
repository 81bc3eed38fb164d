"""Names of document objects: all that the guard must know stands in the name.

``<source>/<shard>/person-<id>/<v>-<ord>-<hash>.xml`` is a document; the same name with ``.seen``
says that a newer statement had the same content, with ``.gone`` that the person was retired. The
greatest name is the newest, so stores without compare-and-swap agree, whoever writes last.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held

SUFFIX_DOCUMENT = ".xml"
SUFFIX_SEEN = ".seen"
SUFFIX_GONE = ".gone"
SHARDS = 256
"""Folders under a source: a folder of a million entries is slow in most stores."""


class Entry(NamedTuple):
    """One object of a person, by its name."""

    version: Version
    hash: str
    suffix: str


def person_folder(source: str, person_id: int) -> str:
    """Folder of one person's objects, relative to the root."""
    shard = blake2b(str(person_id).encode(), digest_size=1).hexdigest()
    return f"{source}/{shard}/person-{person_id}"


def object_name(version: Version, content: str, suffix: str) -> str:
    """Name of an object in its folder; names sort as versions do, and by hash where these are equal."""
    return f"{version.v:016x}-{version.ord:08x}-{content or '0' * 32}{suffix}"


def parse_name(name: str) -> Entry | None:
    """Read a name; None when it is not one of ours."""
    stem, dot, suffix = name.rpartition(".")
    parts = stem.split("-")
    if len(parts) != 3 or dot + suffix not in (SUFFIX_DOCUMENT, SUFFIX_SEEN, SUFFIX_GONE):
        return None
    try:
        version = Version(int(parts[0], 16), int(parts[1], 16))
    except ValueError:
        return None
    content = "" if dot + suffix == SUFFIX_GONE else parts[2]
    return Entry(version, content, dot + suffix)


def held(names: Iterable[str]) -> Held | None:
    """Return what a folder says of its person: the newest entry."""
    entries = [entry for name in names if (entry := parse_name(name))]
    if not entries:
        return None
    newest = max(entries)
    return Held(newest.version, newest.hash)


def superseded(names: Iterable[str]) -> list[str]:
    """Return the objects that no reader needs: not the newest entry, not the newest one's document."""
    known = {name: entry for name in names if (entry := parse_name(name))}
    if not known:
        return []
    newest = max(known.values())
    documents = [e for e in known.values() if e.suffix == SUFFIX_DOCUMENT and e.hash == newest.hash]
    keep = {newest, max(documents)} if documents else {newest}
    return sorted(name for name, entry in known.items() if entry not in keep)


def current_document(names: Iterable[str]) -> str | None:
    """Return the name of the document that stands, or None when there is none."""
    entries = {entry: name for name in names if (entry := parse_name(name))}
    if not entries:
        return None
    newest = max(entries)
    documents = [e for e in entries if e.suffix == SUFFIX_DOCUMENT and e.hash == newest.hash]
    return entries[max(documents)] if documents else None
