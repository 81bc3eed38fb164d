"""From what is asked for to all that chunks of patients need; kept by content in a cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import orjson

from carebus_contracts.errors import InvalidScenario, JobError
from carebus_contracts.jobs import GenerateJob
from carebus_generator.adapters.manifests import MadeFrom
from carebus_generator.cache import SingleFlightCache
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.catalogue import data_text
from carebus_generator.domain.draws import MODEL_VERSION
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.omop import OmopChunk, Surroundings, omop_tables
from carebus_generator.domain.scenario import Scenario, preset, read_scenario
from carebus_generator.domain.surroundings import surroundings_of

CATALOGUE_HASH = sha256(data_text("codes.csv").encode()).hexdigest()
OTHER_VERSION = (
    "generators of different versions run, and their patients would not be the same: "
    "give all of them one version, and submit the job again"
)


@dataclass(frozen=True)
class DataSet:
    """A scenario made ready, and what all its records have in common. Not for two threads at a time."""

    made_from: MadeFrom
    model: Model
    surroundings: Surroundings
    writer: BundleWriter

    @property
    def patients(self) -> int:
        """How many there are."""
        return self.made_from.patients

    def chunk(self, first: int, count: int) -> OmopChunk:
        """Make some patients, from the index ``first`` on."""
        return omop_tables(self.surroundings, make_cohort(self.model, first, count))


class DataSets:
    """Data sets by what they are made of; each is compiled once, however many slices of it are made."""

    def __init__(self, size: int) -> None:
        self.cache = SingleFlightCache[str, DataSet](size)

    def of(self, job: GenerateJob) -> DataSet:
        """Return the data set that a job asks for.

        Raises:
            InvalidScenario: With a sentence for each fault.
        """
        scenario = scenario_of(job)
        made_from = _made_from(scenario, job)
        return self.cache.get_or_compute(made_from.fingerprint, lambda: _compiled(scenario, made_from))

    def planned(self, fingerprint: str, job: GenerateJob) -> DataSet:
        """Return the data set that a job was planned for; without a look at the scenario when it is kept.

        Raises:
            JobError: Here it would be another one.
        """
        return self.cache.get_or_compute(fingerprint, lambda: _same(fingerprint, job))

    def warm(self, jobs: Iterable[GenerateJob]) -> None:
        """Compile what will be asked for, and count no look-ups."""
        for job in jobs:
            scenario = scenario_of(job)
            made_from = _made_from(scenario, job)
            self.cache.put(made_from.fingerprint, _compiled(scenario, made_from))


def scenario_of(job: GenerateJob) -> Scenario:
    """Return the scenario of a job: a preset, or the one that it brings, with the job's total.

    Raises:
        InvalidScenario: There is no such preset, or a rule is broken.
    """
    if isinstance(job.scenario, str):
        known = preset(job.scenario)
        if job.total is None:
            return known
        content, name = known.model_dump(mode="json"), job.scenario
    else:
        content, name = dict(job.scenario), str(job.scenario.get("name", "of the job"))
    if job.total is not None:
        content["total"] = job.total
    try:
        text = orjson.dumps(content)
    except TypeError as error:
        raise InvalidScenario(name, (f"cannot be written as JSON: {error}",)) from error
    return read_scenario(text, name)


def _made_from(scenario: Scenario, job: GenerateJob) -> MadeFrom:
    return MadeFrom(
        source=job.source,
        scenario=scenario.name,
        scenario_hash=scenario.digest(),
        seed=job.seed,
        model_version=MODEL_VERSION,
        catalogue_hash=CATALOGUE_HASH,
        mode=scenario.mode,
        patients=scenario.total,
        first_person_id=job.first_person_id,
    )


def _compiled(scenario: Scenario, made_from: MadeFrom) -> DataSet:
    model = compile_model(scenario, made_from.seed)
    surroundings = surroundings_of(model, made_from.source, made_from.first_person_id)
    return DataSet(made_from, model, surroundings, BundleWriter(References.of(surroundings)))


def _same(fingerprint: str, job: GenerateJob) -> DataSet:
    scenario = scenario_of(job)
    made_from = _made_from(scenario, job)
    if made_from.fingerprint != fingerprint:
        raise JobError(OTHER_VERSION)
    return _compiled(scenario, made_from)
