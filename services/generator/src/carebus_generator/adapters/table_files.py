"""Chunks of CSV and Parquet files read back as tables, and written as bundles again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from carebus_contracts.errors import JobError
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec
from carebus_contracts.omop.concept import Concept
from carebus_contracts.omop.location import Location
from carebus_generator.adapters.arrow_columns import arrow_schema, column_of
from carebus_generator.adapters.manifests import ChunkRecord, Piece
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.omop.columns import PersonIds, Table

if TYPE_CHECKING:
    from carebus_generator.adapters.reading import DataSetFiles


def bundle_writer(files: DataSetFiles) -> BundleWriter:
    """Return a writer with the concepts and places of a data set.

    Raises:
        JobError: Files are missing, changed or cut.
    """
    return BundleWriter(_references(files))


def bundles_of_tables(files: DataSetFiles, chunk: ChunkRecord, writer: BundleWriter) -> Iterator[list[bytes]]:
    """Yield the bundles of a chunk's rows, some at a time.

    Raises:
        JobError: Files are missing, changed or cut, or rows do not fit together.
    """
    pieces = {piece.table: piece for piece in chunk.pieces}
    read = {
        name: _read(files, pieces.get(name), spec)
        for name, spec in PERSON_TABLES.items()
        if name in chunk.counts
    }
    ids = np.asarray(read["person"]["person_id"])
    if len(ids) != chunk.patients or not (ids == np.arange(ids[0], ids[0] + len(ids))).all():
        raise JobError(f"chunk {chunk.chunk} of {files.folder.url} does not hold its persons in order")
    persons = PersonIds(int(ids[0]), len(ids))
    tables = {name: _table(name, rows, persons) for name, rows in read.items()}
    yield from writer.blocks(persons, tables)


def _read(files: DataSetFiles, piece: Piece | None, spec: TableSpec) -> Any:
    schema = arrow_schema(spec)
    if piece is None:
        return schema.empty_table()
    try:
        with files.text(piece) as text:
            if files.manifest.format == "parquet":
                return pq.read_table(pa.BufferReader(text.read()), schema=schema)
            # only the first piece of a file has the header
            names = None if piece.offset == 0 else schema.names
            return pc.read_csv(
                text,
                read_options=pc.ReadOptions(column_names=names, use_threads=False),
                parse_options=pc.ParseOptions(newlines_in_values=True),
                convert_options=pc.ConvertOptions(
                    column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False
                ),
            )
    except pa.ArrowInvalid as error:
        raise JobError(f"{piece.path} in {files.folder.url} is not {spec.name} as it was written") from error


def _table(name: str, rows: Any, persons: PersonIds) -> Table:
    patient = np.asarray(rows["person_id"], dtype=np.int64) - persons.first
    if len(patient) and (patient.min() < 0 or patient.max() >= persons.count or (np.diff(patient) < 0).any()):
        raise JobError(f"rows of {name} are not in the order of their persons")
    return Table(name, patient, {c: column_of(rows[c]) for c in PERSON_TABLES[name].columns})


def _references(files: DataSetFiles) -> References:
    def rows(kind: Callable[..., Any], name: str) -> Sequence[Any]:
        piece = next((p for p in files.manifest.files if p.table == name), None)
        return [kind(**row) for row in _read(files, piece, REFERENCE_TABLES[name]).to_pylist()]

    concepts: Sequence[Concept] = rows(Concept, "concept")
    places: Sequence[Location] = rows(Location, "location")
    sites: Sequence[CareSite] = rows(CareSite, "care_site")
    return References(
        files.manifest.made_from.source,
        [
            (
                c.concept_id,
                c.concept_code,
                c.vocabulary_id,
                c.concept_name,
                c.domain_id,
                c.standard_concept,
            )
            for c in concepts
        ],
        places,
        sites,
    )
