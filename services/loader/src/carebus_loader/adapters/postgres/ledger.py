"""The ledger: what is held of each subject, locked and changed in the transaction of the data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from carebus_contracts.versions import UNKNOWN_HASH, Version
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.locks import advisory_key
from carebus_loader.domain.guard import Held, pack, unpack
from carebus_loader.domain.warehouse.judging import Standing
from carebus_loader.domain.warehouse.scopes import is_person

NO_ROWS: Mapping[str, Held] = MappingProxyType({})
Subject = tuple[str, str]
"""Source and subject."""


class Overtaken(Exception):
    """Another owner met these subjects first, in the same moment: begin the transaction again."""


class Entry(NamedTuple):
    """A row of the ledger."""

    held: Mapping[str, Held]
    jobs: Mapping[Version, str]
    """The job behind each version that is held; a subject has one, or few."""
    upserted: Mapping[str, Held] = NO_ROWS
    """Of a chunk: the rows that were put since its last whole statement, by their key."""

    def holds(self, table: str) -> bool:
        """Whether the subject may have rows in this table."""
        return bool(self.upserted) or (table in self.held and self.held[table].hash != UNKNOWN_HASH)

    def standing(self) -> dict[str, Standing]:
        """Return what is held by table."""
        return {table: Standing(held, self.jobs.get(held.version, "")) for table, held in self.held.items()}

    def noting(self, statements: Mapping[str, Held], jobs: Mapping[Version, str]) -> Entry:
        """Return the entry after statements of these jobs about some of its tables."""
        held = {**self.held, **statements}
        versions = {each.version for each in held.values()}
        known = {**self.jobs, **jobs}
        jobs_known = {version: known[version] for version in versions if version in known}
        return Entry(held, jobs_known, self.upserted)


NOTHING = Entry({}, {})
_VANISHED = (
    "source = $1 AND subject LIKE 'person/%' AND NOT tombstone AND NOT EXISTS ("
    "SELECT 1 FROM json_object_keys(l.held::json) AS said(version) "
    "WHERE (split_part(version, '.', 1)::bigint, split_part(version, '.', 2)::bigint) >= ($2::bigint, $3::bigint))"
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger as one transaction sees it."""

    connection: Any
    schema: str

    async def hold_sources(self, sources: Collection[str], retiring: Collection[str]) -> None:
        """Keep retirements of these sources apart from all else that happens to them, until commit."""
        for source in sorted(sources):
            shared = "" if source in retiring else "_shared"
            await self.connection.execute(
                f"SELECT pg_advisory_xact_lock{shared}($1)", advisory_key(self.schema, source)
            )

    async def floors(self, sources: Collection[str]) -> dict[tuple[str, str], Version]:
        """Read the floors of these sources."""
        rows = await self.connection.fetch(
            f"SELECT source, what, v, ord FROM {self._name(sql.FLOORS)} WHERE source = ANY($1::varchar[])",
            list(sources),
        )
        return {(row[0], row[1]): Version(row[2], row[3]) for row in rows}

    async def raise_floor(self, source: str, what: str, version: Version) -> None:
        """Note a floor; the source is held by us alone."""
        await self.connection.execute(
            f"INSERT INTO {self._name(sql.FLOORS)} (source, what, v, ord) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (source, what) DO UPDATE SET v = excluded.v, ord = excluded.ord",
            source,
            what,
            *version,
        )

    async def read(self, subjects: Iterable[Subject], *, lock: bool) -> dict[Subject, Entry]:
        """Read the entries of those subjects that have one; with ``lock`` in key order and until commit."""
        wanted = list(subjects)
        sources, names = _columns(wanted)
        rows = await self.connection.fetch(
            f"SELECT l.source, l.subject, l.held, l.jobs FROM {self._name(sql.LEDGER)} l "
            "JOIN unnest($1::varchar[], $2::varchar[]) AS w(source, subject) "
            "ON l.source = w.source AND l.subject = w.subject "
            "ORDER BY l.source, l.subject" + (" FOR UPDATE OF l" if lock else ""),
            sources,
            names,
        )
        upserted = await self._upserted([s for s in wanted if not is_person(s[1])])
        return {(row[0], row[1]): _entry(row[2], row[3], upserted.get((row[0], row[1]))) for row in rows}

    async def of_source(self, source: str, job_id: str, *, after: str, limit: int) -> list[tuple[str, Entry]]:
        """Lock and read the next entries of a source, or of those that may hold something of one job."""
        rows = await self.connection.fetch(
            f"SELECT l.subject, l.held, l.jobs, u.held FROM {self._name(sql.LEDGER)} l "
            f"LEFT JOIN {self._name(sql.UPSERTED)} u ON u.source = l.source AND u.subject = l.subject "
            "WHERE l.source = $1 AND position($2 IN l.jobs) > 0 AND l.subject > $3 "
            f"ORDER BY l.subject LIMIT {limit} FOR UPDATE OF l",
            source,
            orjson.dumps(job_id).decode() if job_id else "",
            after,
        )
        return [(row[0], _entry(row[1], row[2], row[3])) for row in rows]

    async def vanished(
        self, source: str, version: Version, *, after: str, limit: int
    ) -> list[tuple[str, Entry]]:
        """Lock and read the next persons who are there, and of whom nothing is as new as a version."""
        rows = await self.connection.fetch(
            f"SELECT subject, held, jobs FROM {self._name(sql.LEDGER)} l "
            f"WHERE {_VANISHED} AND subject > $4 ORDER BY subject LIMIT {limit} FOR UPDATE",
            source,
            *version,
            after,
        )
        return [(row[0], _entry(row[1], row[2], None)) for row in rows]

    async def count_vanished(self, source: str, version: Version) -> int:
        """Count the persons who are there, and of whom nothing is as new as a version."""
        count: int = await self.connection.fetchval(
            f"SELECT count(*) FROM {self._name(sql.LEDGER)} l WHERE {_VANISHED}", source, *version
        )
        return count

    async def vanished_ids(self, source: str, version: Version) -> list[int]:
        """Return the ids of these persons, in ascending order."""
        rows = await self.connection.fetch(
            f"SELECT subject FROM {self._name(sql.LEDGER)} l WHERE {_VANISHED}", source, *version
        )
        return sorted(int(row[0].partition("/")[2]) for row in rows)

    async def insert(self, entries: Mapping[Subject, Entry]) -> None:
        """Write first entries, in key order.

        Raises:
            Overtaken: A subject got its first entry since we read.
        """
        if not entries:
            return
        done = await self.connection.execute(
            f"INSERT INTO {self._name(sql.LEDGER)} (source, subject, held, tombstone, jobs) "
            "SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::text[], $4::boolean[], $5::text[]) "
            "ON CONFLICT DO NOTHING",
            *_rows(entries),
        )
        if int(done.rpartition(" ")[2]) != len(entries):
            raise Overtaken
        await self._note_upserted({key: entry for key, entry in entries.items() if entry.upserted})

    async def update(self, entries: Mapping[Subject, Entry]) -> None:
        """Replace entries that we hold locked."""
        if not entries:
            return
        await self.connection.execute(
            f"UPDATE {self._name(sql.LEDGER)} l SET held = n.held, tombstone = n.tombstone, "
            "jobs = n.jobs, updated_at = now() "
            "FROM unnest($1::varchar[], $2::varchar[], $3::text[], $4::boolean[], $5::text[]) "
            "AS n(source, subject, held, tombstone, jobs) "
            "WHERE l.source = n.source AND l.subject = n.subject",
            *_rows(entries),
        )
        await self._note_upserted({key: entry for key, entry in entries.items() if not is_person(key[1])})

    async def _upserted(self, chunks: Sequence[Subject]) -> dict[Subject, str]:
        """Read the rows that were put, of chunks whose entries are locked."""
        if not chunks:
            return {}
        rows = await self.connection.fetch(
            f"SELECT u.source, u.subject, u.held FROM {self._name(sql.UPSERTED)} u "
            "JOIN unnest($1::varchar[], $2::varchar[]) AS w(source, subject) "
            "ON u.source = w.source AND u.subject = w.subject",
            *_columns(chunks),
        )
        return {(row[0], row[1]): row[2] for row in rows}

    async def _note_upserted(self, entries: Mapping[Subject, Entry]) -> None:
        if not entries:
            return
        keys = sorted(entries)
        await self.connection.execute(
            f"INSERT INTO {self._name(sql.UPSERTED)} AS u (source, subject, held) "
            "SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::text[]) "
            "ON CONFLICT (source, subject) DO UPDATE SET held = excluded.held "
            "WHERE u.held <> excluded.held",
            *_columns(keys),
            [pack(entries[key].upserted).decode() for key in keys],
        )

    def _name(self, table: str) -> str:
        return f"{sql.quoted(self.schema)}.{sql.quoted(table)}"


def _entry(held: str, jobs: str, upserted: str | None) -> Entry:
    known = {Version.parse(v): job for v, job in orjson.loads(jobs).items()}
    return Entry(unpack(held), known, unpack(upserted) if upserted else NO_ROWS)


def _columns(subjects: Iterable[Subject]) -> tuple[list[str], list[str]]:
    wanted = sorted(subjects)
    return [source for source, _ in wanted], [subject for _, subject in wanted]


def _rows(entries: Mapping[Subject, Entry]) -> Sequence[list[Any]]:
    keys = sorted(entries)
    found = [entries[key] for key in keys]
    return (
        [source for source, _ in keys],
        [subject for _, subject in keys],
        [pack(entry.held).decode() for entry in found],
        [not entry.upserted and not any(held.hash for held in entry.held.values()) for entry in found],
        [
            orjson.dumps({str(version): job for version, job in sorted(entry.jobs.items())}).decode()
            for entry in found
        ],
    )
