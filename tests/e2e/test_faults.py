"""Workers die and Kafka restarts in the middle of a job; the targets end as if nothing had happened."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from carebus_demo.command import job_file
from carebus_stack import LocalStack
from support.fingerprints import everything
from support.suites import accounts_close, running_suite

PERSONS = 900
SEED = 20_261_121
REPLICAS = {
    "extractor": 2,
    "converter": 2,
    "loader-openemr": 2,
    "loader-postgres": 2,
    "loader-clickhouse": 2,
    "loader-documents": 2,
}
OWN_SCHEMA = {"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"}


@pytest.fixture(scope="module")
async def without_faults(
    stack: LocalStack, gibleed: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """The targets after a run of single workers that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    with running_suite(
        stack, folder, name="calm", roots=[gibleed.parent], port_offset=400, more=OWN_SCHEMA
    ) as calm:
        state = calm.run(job_file(gibleed, PERSONS))
        assert state["status"] == "completed"
        assert accounts_close(state)
        return await everything(calm.settings, calm.folder)


async def test_two_replicas_of_each_stage_share_the_work_and_agree(
    stack: LocalStack, gibleed: Path, tmp_path: Path, without_faults: dict[str, object]
) -> None:
    """Two extractors, converters and loaders a target give the same targets, and both of each worked."""
    with running_suite(
        stack, tmp_path, name="pairs", roots=[gibleed.parent], replicas=REPLICAS, port_offset=450,
        more=OWN_SCHEMA,
    ) as pairs:  # fmt: skip
        state = pairs.run(job_file(gibleed, PERSONS) | {"slice_persons": 50})
        found = await everything(pairs.settings, pairs.folder)
        logs = {name: pairs.workers.log(name).read_text() for name in pairs.workers.specs}

    assert state["status"] == "completed"
    assert accounts_close(state)
    assert found == without_faults
    assert all("slice_extracted" in logs[name] for name in ("extractor-1", "extractor-2"))


async def test_kills_and_a_restart_of_kafka_leave_the_same_targets(
    stack: LocalStack, gibleed: Path, tmp_path: Path, without_faults: dict[str, object]
) -> None:
    """SIGKILL of random workers and a Kafka restart: nothing lost, nothing doubled, the account closes."""
    chance = random.Random(SEED)
    with running_suite(
        stack, tmp_path, name="storm", roots=[gibleed.parent], replicas=REPLICAS, port_offset=500,
        more=OWN_SCHEMA,
    ) as storm:  # fmt: skip
        job = storm.submit(job_file(gibleed, PERSONS) | {"slice_persons": 50})
        names = sorted(storm.workers.specs)
        for blow in range(8):
            time.sleep(chance.uniform(0.5, 2.0))
            if blow == 4:
                stack.restart("kafka")
            victim = chance.choice(names)
            storm.workers.kill(victim)
            storm.workers.restart(victim)
        storm.workers.wait_ready(120)
        state = storm.wait(job, 420)
        found = await everything(storm.settings, storm.folder)

    assert state["status"] == "completed"
    assert accounts_close(state)
    assert found == without_faults


async def test_workers_drain_on_sigterm(stack: LocalStack, gibleed: Path, tmp_path: Path) -> None:
    """Told to stop in the middle of a job, every worker leaves with status 0, and the next ones finish it."""
    with running_suite(
        stack, tmp_path, name="drain", roots=[gibleed.parent], port_offset=550, more=OWN_SCHEMA
    ) as drained:
        job = drained.submit(job_file(gibleed, 300) | {"slice_persons": 50})
        drained.wait_for(job, lambda s: s.get("extracted", 0) > 0)
        statuses = drained.workers.stop()
        drained.workers.start()
        drained.workers.wait_ready(120)
        state = drained.wait(job)

    assert set(statuses.values()) == {0}
    assert state["status"] == "completed"
    assert accounts_close(state)
