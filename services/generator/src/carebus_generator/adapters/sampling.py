"""Some patients out of many, evenly spread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from carebus_generator.adapters.reading import DataSetFiles
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.omop import omop_tables
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.surroundings import surroundings_of


def spread(total: int, count: int) -> list[int]:
    """Return that many indices, or all, in the middle of equal parts."""
    count = min(count, total)
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]


def of_scenario(scenario: Scenario, seed: int, count: int) -> Iterator[bytes]:
    """Yield bundles of some patients of a scenario; only these are made."""
    model = compile_model(scenario, seed)
    surroundings = surroundings_of(model, "sample")
    writer = BundleWriter(References.of(surroundings))
    for index in spread(scenario.total, count):
        chunk = omop_tables(surroundings, make_cohort(model, index, 1))
        for block in writer.blocks(chunk.persons, chunk.tables):
            yield from block


def of_files(url: str, count: int, key_file: Path | None) -> Iterator[bytes]:
    """Yield bundles of some patients of a data set; only their chunks are read.

    Raises:
        JobError: It cannot be read.
    """
    files = DataSetFiles.at(url, key_file)
    wanted = spread(files.manifest.made_from.patients, count)
    chunks = tuple(
        chunk
        for chunk in files.manifest.chunks
        if any(chunk.first <= index < chunk.first + chunk.patients for index in wanted)
    )
    for chunk, blocks in files.chunks(chunks):
        index = chunk.first
        for block in blocks:
            yield from (bundle for place, bundle in enumerate(block, start=index) if place in wanted)
            index += len(block)
