"""Whether the files of a data set are what its manifest says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from carebus_contracts.errors import JobError
from carebus_generator.adapters.folders import COPY_BYTES
from carebus_generator.adapters.manifests import Manifest, Piece
from carebus_generator.adapters.reading import DataSetFiles
from carebus_generator.domain.digest import added, chunk_digest, data_set_hash


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    manifest: Manifest
    faults: tuple[str, ...]
    """A sentence each; none when all is well."""


def verify(url: str, key_file: Path | None = None) -> Verified:
    """Read a data set again: sizes and sha256 of files, then each patient, counts, and the hash of all.

    CSV and Parquet are compared by value: their rows are made into bundles again.

    Raises:
        JobError: There is no manifest, or the key is missing or another.
    """
    files = DataSetFiles.at(url, key_file)
    faults = [fault for piece in files.manifest.files if (fault := _file_fault(files, piece))]
    # what cannot be read whole was named already; its content would only be named again
    return Verified(files.manifest, tuple(faults or _content_faults(files)))


def _file_fault(files: DataSetFiles, piece: Piece) -> str:
    found, size = sha256(), 0
    try:
        with files.folder.open(piece.path) as file:
            while block := file.read(COPY_BYTES):
                found.update(block)
                size += len(block)
    except JobError as error:
        return str(error)
    if size != piece.bytes:
        return f"{piece.path} has {size:,} bytes and not {piece.bytes:,}"
    if found.hexdigest() != piece.sha256:
        return f"{piece.path} was changed: its sha256 is another"
    return ""


def _content_faults(files: DataSetFiles) -> list[str]:
    faults, digests = [], []
    counts: Counter[str] = Counter(dict.fromkeys(files.manifest.counts, 0))
    patients = 0
    try:
        for chunk, blocks in files.chunks():
            first, sums = chunk.first, []
            for block in blocks:
                sums.append(chunk_digest(first, block))
                first += len(block)
                for bundle in block:
                    for table, rows in orjson.loads(bundle)["tables"].items():
                        counts[table] += len(rows["rows"])
            digests.append(added(sums))
            patients += first - chunk.first
            if digests[-1] != chunk.digest:
                faults.append(f"patients {chunk.first:,} to {first - 1:,} are not those of the manifest")
    except (JobError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        return [*faults, str(error) if isinstance(error, JobError) else "a patient is no bundle"]
    made = files.manifest.made_from
    if patients != made.patients:
        faults.append(f"there are {patients:,} patients and not {made.patients:,}")
    if data_set_hash(patients, added(digests)) != files.manifest.data_set_hash:
        faults.append("the hash of the data set is another")
    faults += [
        f"{table} has {counts[table]:,} rows and not {rows:,}"
        for table, rows in files.manifest.counts.items()
        if counts[table] != rows
    ]
    return faults
