"""Chunks of patients as bundles: the bytes of ``carebus.omop.records.v1``, one a patient.

The layout is that of ``carebus_contracts.omop.bundle.encode_person``, and the same as an extractor
gives for these rows; here many patients are written at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_contracts.omop.location import Location
from carebus_generator.domain.draws import Ints
from carebus_generator.domain.omop.columns import Coded, PersonIds, Same, Table
from carebus_generator.domain.omop.places import care_sites, locations
from carebus_generator.domain.omop.surroundings import Surroundings
from carebus_generator.domain.text import JSON, Piece, line_of, merged, row_pieces, texts, written

CDM_VERSION = "5.4"
BLOCK_PATIENTS = 125
"""Patients written at once: 2 MB of text or so, so that memory does not grow with the chunk. Twice as
many are about 5 % faster and take 8 MB more."""
PLACES_KEPT = 20_000
"""Combinations of places whose text is kept, of about 700 bytes: some thousands are in use."""


@dataclass(frozen=True)
class References:
    """What bundles bring along: rows that belong to no person."""

    source: str
    concepts: Sequence[tuple[int, str | None, str | None, str | None, str | None, str | None]]
    """In the order of ``ConceptInUse``, ascending by id."""
    locations: Sequence[Location]
    care_sites: Sequence[CareSite]

    @classmethod
    def of(cls, surroundings: Surroundings) -> References:
        """Return those of a data set."""
        return cls(
            surroundings.source,
            surroundings.concepts.rows,
            locations(surroundings),
            care_sites(surroundings),
        )


class BundleWriter:
    """Writes the bundles of one data set; keeps what chunks have in common."""

    def __init__(self, references: References) -> None:
        self._source = references.source
        self._concepts = {row[0]: place for place, row in enumerate(references.concepts)}
        self._concept_texts = texts(orjson.dumps(row) for row in references.concepts)
        self._locations = {row.location_id: orjson.dumps([*row]) for row in references.locations}
        self._care_sites = {row.care_site_id: orjson.dumps([*row]) for row in references.care_sites}
        self._location_of = {row.care_site_id: row.location_id for row in references.care_sites}
        self._places: dict[tuple[int | None, ...], bytes] = {}

    def blocks(self, persons: PersonIds, tables: Mapping[str, Table]) -> Iterator[list[bytes]]:
        """Yield the bundles of a chunk, in order, some hundred at a time.

        Args:
            persons: The persons of the chunk.
            tables: Their rows by table, in the order of a bundle, PERSON with a row each.
        """
        heads = _heads(self._source, tables)
        lists = [_table_lists(table) for table in tables.values()]
        openings = [_opening(name) for name in tables]
        concepts = self._concept_lists(tables, persons.count)
        refers = self._refers(tables, persons.count)
        for start in range(0, persons.count, BLOCK_PATIENTS):
            stop = min(start + BLOCK_PATIENTS, persons.count)
            ids = range(persons.first + start, persons.first + stop)
            parts: list[list[bytes]] = [[heads[0] + b"%d" % i + heads[1] for i in ids]]
            for opening, table in zip(openings, lists, strict=True):
                rows = table.of_patients(start, stop)
                parts += [[opening if text else b"" for text in rows], rows]
            parts.append([_CONCEPTS_OPENING + (t or b"]}") for t in concepts.of_patients(start, stop)])
            parts.append([self._places_text(*places) for places in refers[start:stop]])
            yield [b"".join(pieces) for pieces in zip(*parts, strict=True)]

    def _concept_lists(self, tables: Mapping[str, Table], count: int) -> _Lists:
        """The concepts that each patient's rows carry, ascending."""
        place = self._concepts
        # the last column takes in concepts that we know no name of
        used = np.zeros((count, len(place) + 1), dtype=np.bool_)
        for table in tables.values():
            present = np.zeros(count, dtype=np.bool_)
            present[table.patient] = True
            for name in PERSON_TABLES[table.name].concept_columns:
                column = table.columns[name]
                if isinstance(column, Same):
                    if column.value is not None:
                        used[:, place.get(int(column.value), -1)] |= present
                    continue
                assert isinstance(column, Coded)  # noqa: S101 - concepts are labels
                listed = [
                    place.get(v, -1) if isinstance(v, int) else -1 for v in (*column.labels.values, None)
                ]
                used[table.patient, np.array(listed)[column.places]] = True
        patient, concept = np.nonzero(used[:, :-1])
        return _Lists([(self._concept_texts, concept)], patient)

    def _refers(self, tables: Mapping[str, Table], count: int) -> list[tuple[int | None, ...]]:
        """The places that each patient's rows refer to: home, and care sites as they come."""
        homes = _listed(tables["person"], "location_id")
        details = tables["visit_detail"]
        stops = np.cumsum(np.bincount(details.patient, minlength=count)).tolist()
        sites = _listed(details, "care_site_id")
        return [
            (home, *sites[start:stop]) for home, start, stop in zip(homes, [0, *stops], stops, strict=False)
        ]

    def _places_text(self, *places: int | None) -> bytes:
        text = self._places.get(places)
        if text is None:
            if len(self._places) >= PLACES_KEPT:
                self._places.clear()
            text = self._places[places] = self._made_places_text(
                places[0], {s for s in places[1:] if s is not None}
            )
        return text

    def _made_places_text(self, home: int | None, sites: set[int]) -> bytes:
        used = {self._location_of.get(site) for site in sites} | {home}
        tables = {
            "location": [self._locations[i] for i in sorted(self._locations) if i in used],
            "care_site": [self._care_sites[i] for i in sorted(sites) if i in self._care_sites],
        }
        body = b",".join(
            b'"%b":{"columns":%b,"rows":[%b]}'
            % (name.encode(), orjson.dumps(REFERENCE_TABLES[name].columns), b",".join(rows))
            for name, rows in tables.items()
            if rows
        )
        return b',"refers":{%b}}' % body if body else b"}"


def _listed(table: Table, name: str) -> list[int | None]:
    column = table.columns[name]
    if isinstance(column, Same):
        return [column.value] * len(table)  # type: ignore[list-item]
    assert isinstance(column, Coded)  # noqa: S101 - places are labels
    values = np.array([*column.labels.values, None], dtype=object)
    return values[column.places].tolist()  # type: ignore[no-any-return]


class _Lists:
    """Rows of a chunk that can be written as lists, a patient each."""

    def __init__(self, pieces: Sequence[Piece], patient: Ints) -> None:
        last = np.ones(len(patient), dtype=np.bool_)
        last[:-1] = patient[1:] != patient[:-1]
        self._pieces = merged([*pieces, (_ENDS, last.astype(np.int64))])
        self._line = line_of(self._pieces)
        self._patient = patient
        self._last = last

    def of_patients(self, start: int, stop: int) -> list[bytes]:
        """Return the text of each patient's rows with the end of the list; empty where there are none."""
        low, high = np.searchsorted(self._patient, (start, stop)).tolist()
        # no other line end stands inside a row: JSON escapes it
        lists = b"".join(written(self._pieces, low, high, self._line)).split(b"\n")[:-1]
        if len(lists) == stop - start:
            return lists
        found = [b""] * (stop - start)
        there = self._patient[low:high][self._last[low:high]] - start
        for place, text in zip(there.tolist(), lists, strict=True):
            found[place] = text
        return found


_ENDS = texts((b",", b"]}\n"))
"""What stands behind a row: the next one of the patient, or the end of the list and a line end."""
_CONCEPTS_OPENING = b'},"concepts":{"columns":%b,"rows":[' % orjson.dumps(ConceptInUse._fields)


def _table_lists(table: Table) -> _Lists:
    return _Lists(row_pieces(table.columns.values(), JSON), table.patient)


def _heads(source: str, tables: Iterable[str]) -> tuple[bytes, bytes]:
    """What stands before and behind the person id; keys in the order of ``encode_person``."""
    before, after = orjson.dumps(
        {"source": source, "person_id": 0, "cdm_version": CDM_VERSION, "covers": [*tables]}
    ).split(b'"person_id":0')
    return before + b'"person_id":', after[:-1] + b","


def _opening(table: str) -> bytes:
    return b'%b"%b":{"columns":%b,"rows":[' % (
        b'"tables":{' if table == "person" else b",",
        table.encode(),
        orjson.dumps(PERSON_TABLES[table].columns),
    )
