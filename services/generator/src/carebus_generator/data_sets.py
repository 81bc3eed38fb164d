"""Data sets that jobs ask for; kept by content in a cache."""

from __future__ import annotations

import json
from collections.abc import Iterable

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import GenerateJob
from carebus_generator.adapters.manifests import MadeFrom
from carebus_generator.cache import SingleFlightCache
from carebus_generator.data_set import DataSet, made_from
from carebus_generator.domain.scenario import Scenario, preset, read_scenario

OTHER_VERSION = (
    "generators of different versions run, and their patients would not be the same: "
    "give all of them one version, and submit the job again"
)


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
        origin = _origin(scenario, job)
        return self.cache.get_or_compute(origin.fingerprint, lambda: DataSet.compiled(scenario, origin))

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
            origin = _origin(scenario, job)
            self.cache.put(origin.fingerprint, DataSet.compiled(scenario, origin))


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
    return read_scenario(json.dumps(content), name)


def _origin(scenario: Scenario, job: GenerateJob) -> MadeFrom:
    return made_from(scenario, source=job.source, seed=job.seed, first_person_id=job.first_person_id)


def _same(fingerprint: str, job: GenerateJob) -> DataSet:
    scenario = scenario_of(job)
    origin = _origin(scenario, job)
    if origin.fingerprint != fingerprint:
        raise JobError(OTHER_VERSION)
    return DataSet.compiled(scenario, origin)
