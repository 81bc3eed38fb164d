"""Names of document objects: all that the guard must know stands in the name.

``<source>/<shard>/person-<id>/<v>-<ord>-<hash>~<job>.xml`` is a document; the same name with ``.seen``
says that a newer statement had the same content, with ``.gone`` that the person was retired. The
greatest name is the newest, so stores without compare-and-swap agree, whoever writes last. The job
came later: names without it are read as well.

``<source>/<v>-<ord>-<zeros>.gone`` says that all older documents of the source are void, with a job
in its name that those of this job are, up to that version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from carebus_contracts.versions import Version
from carebus_loader.domain.guard import Held

SUFFIX_DOCUMENT = ".xml"
SUFFIX_SEEN = ".seen"
SUFFIX_GONE = ".gone"
PERSON = "person-"
"""Before the id in the name of a person's folder."""
_BEFORE_JOB = "~"
"""Neither in hex digits nor in the name of a job, and safe in paths and URLs."""
SHARDS = 256
"""Folders under a source: a folder of a million entries is slow in most stores."""


class Entry(NamedTuple):
    """One object of a person, by its name."""

    version: Version
    hash: str
    suffix: str
    job_id: str = ""
    """The job that said so; empty in names of old."""


class Floors(NamedTuple):
    """Up to which versions the documents of a source were retired."""

    source: Held | None
    jobs: Mapping[str, Version]

    def void(self, job_id: str, version: Version) -> bool:
        """Whether what a job said at this version counts as no document."""
        return job_id in self.jobs and version <= self.jobs[job_id]


def person_folder(source: str, person_id: int) -> str:
    """Folder of one person's objects, relative to the root."""
    shard = blake2b(str(person_id).encode(), digest_size=1).hexdigest()
    return f"{source}/{shard}/{PERSON}{person_id}"


def object_name(version: Version, content: str, suffix: str, job_id: str = "") -> str:
    """Name of an object in its folder; names sort as versions do, and by hash where these are equal."""
    job = f"{_BEFORE_JOB}{job_id}" if job_id else ""
    return f"{version.v:016x}-{version.ord:08x}-{content or '0' * 32}{job}{suffix}"


def parse_name(name: str) -> Entry | None:
    """Read a name; None when it is not one of ours."""
    stem, dot, suffix = name.rpartition(".")
    said, _, job_id = stem.partition(_BEFORE_JOB)
    parts = said.split("-")
    if len(parts) != 3 or dot + suffix not in (SUFFIX_DOCUMENT, SUFFIX_SEEN, SUFFIX_GONE):
        return None
    try:
        version = Version(int(parts[0], 16), int(parts[1], 16))
    except ValueError:
        return None
    content = "" if dot + suffix == SUFFIX_GONE else parts[2]
    return Entry(version, content, dot + suffix, job_id)


def newest(names: Iterable[str]) -> Entry | None:
    """Return what a folder says of its person."""
    return max((entry for name in names if (entry := parse_name(name))), default=None)


def in_force(entry: Entry | None, floors: Floors) -> Held | None:
    """Return what counts of a person once floors are taken into account."""
    held = None
    if entry is not None:
        held = Held(entry.version, "" if floors.void(entry.job_id, entry.version) else entry.hash)
    return max((each for each in (held, floors.source) if each is not None), default=None)


def floors(names: Iterable[str]) -> Floors:
    """Return what the folder of a source says of all of it."""
    source: Held | None = None
    jobs: dict[str, Version] = {}
    for entry in filter(None, map(parse_name, names)):
        if entry.job_id:
            jobs[entry.job_id] = max(entry.version, jobs.get(entry.job_id, entry.version))
        elif source is None or entry.version > source.version:
            source = Held(entry.version, "")
    return Floors(source, jobs)


def superseded(names: Iterable[str]) -> list[str]:
    """Return the objects that no reader needs: not the newest entry, not the newest one's document."""
    known = {name: entry for name in names if (entry := parse_name(name))}
    if not known:
        return []
    last = max(known.values())
    documents = [e for e in known.values() if e.suffix == SUFFIX_DOCUMENT and e.hash == last.hash]
    keep = {last, max(documents)} if documents else {last}
    return sorted(name for name, entry in known.items() if entry not in keep)


def current_document(names: Iterable[str]) -> str | None:
    """Return the name of the document that stands, or None when there is none."""
    entries = {entry: name for name in names if (entry := parse_name(name))}
    if not entries:
        return None
    last = max(entries)
    documents = [e for e in entries if e.suffix == SUFFIX_DOCUMENT and e.hash == last.hash]
    return entries[max(documents)] if documents else None
