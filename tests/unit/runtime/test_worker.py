"""A worker notices when something that runs beside its handlers fails."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from io import StringIO

import pytest

from carebus_contracts.errors import FatalError, UnsupportedContract
from carebus_runtime.logs import JsonLines
from carebus_runtime.settings import KafkaSettings, WorkerSettings
from carebus_runtime.worker import Worker, _log_unseen


async def failing(error: Exception) -> None:
    """Fail as a task of a group does."""

    async def fail() -> None:
        raise error

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail())
        await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        pytest.param(UnsupportedContract("upgrade it"), "upgrade it", id="a fatal error is kept"),
        pytest.param(KeyError("1970-01-01"), "a background task failed: KeyError", id="others by type"),
    ],
)
async def test_a_failed_task_of_a_group_halts_the_worker(error: Exception, fault: str) -> None:
    """The group's own name would say nothing."""
    worker = Worker("test", WorkerSettings(), KafkaSettings())

    await worker._watched(lambda: failing(error))

    assert isinstance(worker._fault, FatalError)
    assert str(worker._fault) == fault


async def test_an_exception_that_nobody_awaits_is_logged_without_its_text() -> None:
    """asyncio itself would print the exception with its values."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("test"))
    logger = logging.getLogger("carebus_runtime.worker")
    logger.addHandler(handler)
    try:
        _log_unseen(
            asyncio.get_running_loop(),
            {"message": "Task exception was never retrieved", "exception": ValueError("1970-01-01")},
        )
    finally:
        logger.removeHandler(handler)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["exception"]) == ("task_failed_unseen", ["ValueError"])


async def test_messages_are_taken_once_controls_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else messages of a job that was discarded would slip through when a worker starts."""
    worker, known = Worker("test", WorkerSettings(), KafkaSettings()), asyncio.Event()
    monkeypatch.setattr(worker.producer, "start", nothing)
    worker.background(nothing, first=known)

    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(worker._start(stack))
        await asyncio.sleep(0.05)
        before = starting.done(), await worker._ready()
        known.set()
        started = await starting

    assert before == (False, "reading what jobs were told")
    assert (started, await worker._ready()) == (True, "")


async def test_a_worker_that_waits_for_controls_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM does not wait for Kafka."""
    worker = Worker("test", WorkerSettings(), KafkaSettings())
    monkeypatch.setattr(worker.producer, "start", nothing)
    worker.background(nothing, first=asyncio.Event())

    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(worker._start(stack))
        await asyncio.sleep(0.05)
        worker._stop.set()

        assert await asyncio.wait_for(starting, 5) is False


async def nothing() -> None:
    """Do nothing."""
