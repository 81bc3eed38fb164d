"""A worker notices when something that runs beside its handlers fails."""

from __future__ import annotations

import asyncio
import json
import logging
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
