"""A scenario made ready: what decides a data set, and its patients, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from carebus_contracts.errors import JobError
from carebus_generator.adapters.manifests import MadeFrom
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.catalogue import data_text
from carebus_generator.domain.digest import chunk_digest
from carebus_generator.domain.draws import MODEL_VERSION
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.omop import OmopChunk, Surroundings, omop_tables
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.surroundings import surroundings_of

CATALOGUE_HASH = sha256(data_text("codes.csv").encode()).hexdigest()
MOST_PERSON_ID = 9_000_000_000_000_000
PART_PATIENTS = 2_000
"""Patients made at a time, however large a chunk is: their columns take some 30 MB."""

Block = tuple[list[bytes], str]
"""Some bundles, and their part of the data-set hash."""


def made_from(scenario: Scenario, *, source: str, seed: int, first_person_id: int) -> MadeFrom:
    """Return what decides every value of a data set.

    Raises:
        JobError: Ids would be too great.
    """
    if first_person_id + scenario.total - 1 > MOST_PERSON_ID:
        raise JobError(
            f"first_person_id: is {first_person_id:,}, must be at most {MOST_PERSON_ID - scenario.total + 1:,}, "
            "as ids of records are a thousand times those of persons and have 64 bits"
        )
    return MadeFrom(
        source=source,
        scenario=scenario.name,
        scenario_hash=scenario.digest(),
        seed=seed,
        model_version=MODEL_VERSION,
        catalogue_hash=CATALOGUE_HASH,
        mode=scenario.mode,
        patients=scenario.total,
        first_person_id=first_person_id,
    )


@dataclass(frozen=True)
class DataSet:
    """A data set that can be made, and what all its records have in common. Not for two threads at a time."""

    made_from: MadeFrom
    model: Model
    surroundings: Surroundings
    writer: BundleWriter

    @classmethod
    def compiled(cls, scenario: Scenario, origin: MadeFrom) -> DataSet:
        """Make a scenario ready. Takes milliseconds, or in capacity mode as long as its queues need."""
        model = compile_model(scenario, origin.seed)
        surroundings = surroundings_of(model, origin.source, origin.first_person_id)
        return cls(origin, model, surroundings, BundleWriter(References.of(surroundings)))

    @property
    def patients(self) -> int:
        """How many there are."""
        return self.made_from.patients

    def parts(self, first: int, count: int) -> Iterator[OmopChunk]:
        """Make patients from the index ``first`` on, some thousand at a time."""
        stop = min(first + count, self.patients)
        for start in range(first, stop, PART_PATIENTS):
            # nothing here holds on to the cohort: its columns are a quarter of the memory
            yield omop_tables(
                self.surroundings, make_cohort(self.model, start, min(PART_PATIENTS, stop - start))
            )

    def blocks(self, part: OmopChunk) -> Iterator[Block]:
        """Yield the bundles of some patients in order, a few at a time."""
        first = part.first
        for block in self.writer.blocks(part.persons, part.tables):
            yield block, chunk_digest(first, block)
            first += len(block)
