"""Logs are JSON lines without a patient's data."""

from __future__ import annotations

import json
import logging
from io import StringIO

from carebus_runtime.logs import JsonLines, Log


def logged(write: object) -> dict[str, object]:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("test"))
    logger = logging.getLogger("test.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        write(Log("test.logs"))  # type: ignore[operator]
    finally:
        logger.removeHandler(handler)
    return dict(json.loads(stream.getvalue()))


def test_an_event_has_its_fields() -> None:
    """One line, one event, typed fields."""
    line = logged(lambda log: log.info("batch_loaded", job_id="j-1", rows=3))

    assert (line["event"], line["job_id"], line["rows"], line["service"]) == (
        "batch_loaded",
        "j-1",
        3,
        "test",
    )


def test_an_exception_leaves_its_places_and_not_its_text() -> None:
    """Texts of foreign exceptions may hold values of a record."""

    def fail(log: Log) -> None:
        try:
            raise ValueError("born 1970-01-01")
        except ValueError:
            log.error("handler_failed", exc_info=True)

    line = logged(fail)

    assert "1970" not in json.dumps(line)
    assert line["exception"][0] == "ValueError"  # type: ignore[index]
    assert "test_logs.py" in line["exception"][1]  # type: ignore[index]
