"""What is different between two data sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import orjson

from carebus_generator.adapters.manifests import MadeFrom, Manifest
from carebus_generator.adapters.reading import DataSetFiles


def differences(one: str, other: str, key_file: Path | None = None) -> list[str]:
    """Return what differs, a sentence each: what they were made from, counts, the first patient.

    Raises:
        JobError: One cannot be read.
    """
    first, second = DataSetFiles.at(one, key_file), DataSetFiles.at(other, key_file)
    if first.manifest.data_set_hash == second.manifest.data_set_hash:
        return []
    return [
        *_parameters(first.manifest.made_from, second.manifest.made_from),
        *_counts(first.manifest, second.manifest),
        *_first_patient(first, second),
    ]


def _parameters(one: MadeFrom, other: MadeFrom) -> Iterator[str]:
    for name in MadeFrom.model_fields:
        mine, yours = getattr(one, name), getattr(other, name)
        if mine != yours:
            yield f"{name}: {mine} and {yours}"


def _counts(one: Manifest, other: Manifest) -> Iterator[str]:
    for table in one.counts | other.counts:
        mine, yours = one.counts.get(table, 0), other.counts.get(table, 0)
        if mine != yours:
            yield f"rows of {table}: {mine:,} and {yours:,} ({yours - mine:+,})"


def _first_patient(one: DataSetFiles, other: DataSetFiles) -> Iterator[str]:
    pairs = zip_longest(_patients(one), _patients(other))
    for index, (mine, yours) in enumerate(pairs):
        if mine is None or yours is None:
            yield f"the first {index:,} patients are alike, then only one data set goes on"
            return
        if mine != yours:
            parts = ", ".join(_parts(orjson.loads(mine), orjson.loads(yours)))
            yield f"first patient that differs: index {index:,}, in {parts}"
            return


def _patients(files: DataSetFiles) -> Iterator[bytes]:
    for _, blocks in files.chunks():
        for block in blocks:
            yield from block


def _parts(mine: dict[str, object], yours: dict[str, object]) -> Iterator[str]:
    for part in mine | yours:
        one, other = mine.get(part), yours.get(part)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict) and part == "tables":
            yield from (table for table in one | other if one.get(table) != other.get(table))
        else:
            yield part
