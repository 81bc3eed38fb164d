"""What a data set in files says of itself: ``manifest.json``, and a record of each finished chunk."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from pydantic import Field, ValidationError

from carebus_contracts.errors import JobError
from carebus_contracts.model import WireModel, places_of
from carebus_generator.adapters.folders import Folder
from carebus_generator.adapters.packing import Compression

MANIFEST = "manifest.json"
RECORDS = ".chunks"
"""Folder of the records of finished chunks while a data set is not complete."""

Format = Literal["ndjson", "json", "csv", "parquet"]


class MadeFrom(WireModel):
    """What decides every value of a data set. Equal ones give equal data-set hashes."""

    source: str = Field(description="Slug of the data set as a source.")
    scenario: str = Field(description="Name of the scenario.")
    scenario_hash: str = Field(description="SHA-256 of the scenario's content.")
    seed: int
    model_version: str
    catalogue_hash: str = Field(description="SHA-256 of the table of codes.")
    mode: str = Field(description="independent, or capacity: with queues.")
    patients: int
    first_person_id: int

    @property
    def fingerprint(self) -> str:
        """A hash of all this."""
        return sha256(self.model_dump_json().encode()).hexdigest()


class Piece(WireModel):
    """Some bytes of a file."""

    path: str = Field(description="Below the data set's folder.")
    offset: int = 0
    bytes: int
    sha256: str
    table: str | None = Field(default=None, description="OMOP table, where a file holds one.")


class ChunkRecord(WireModel):
    """A finished chunk."""

    chunk: int
    first: int = Field(description="Index of its first patient.")
    patients: int
    counts: dict[str, int] = Field(description="Rows by table.")
    digest: str = Field(description="Partial sum of the data-set hash.")
    pieces: tuple[Piece, ...]
    fingerprint: str = Field(default="", description="Of the data set that it is part of.")


class Manifest(WireModel):
    """A complete data set."""

    kind: Literal["carebus data set"] = "carebus data set"
    version: Literal[1] = 1
    data_set_hash: str = Field(description="Independent of chunks, workers and format.")
    made_from: MadeFrom
    format: Format
    compression: Compression
    key_id: str | None = Field(default=None, description="Which key, where files are encrypted.")
    counts: dict[str, int] = Field(description="Rows by table.")
    files: tuple[Piece, ...] = Field(description="Every file whole.")
    chunks: tuple[ChunkRecord, ...] = Field(description="Ascending; their pieces are bytes of the files.")


def read_manifest(folder: Folder, name: str = MANIFEST) -> Manifest:
    """Read a manifest.

    Raises:
        JobError: There is none, or it is no manifest; the text names the place.
    """
    with folder.open(name) as file:
        text = file.read()
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        # faults of the whole have no place
        why = places_of(error) if error.errors()[0]["loc"] else "it is no JSON object"
        raise JobError(f"{name} in {folder.url} is no manifest of a data set: {why}") from None
