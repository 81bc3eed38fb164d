"""Structured logs: one JSON object a line, an event in the past tense and fields. Never a patient's data."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry import trace


class Log:
    """``log.info("batch_loaded", job_id=..., rows=...)``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: Any) -> None:
        """For those who look into one worker."""
        self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Something went as planned."""
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Somebody may want to act."""
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, /, *, exc_info: bool = False, **fields: Any) -> None:
        """Somebody must act. With ``exc_info`` the places of the trace, never its texts."""
        self._emit(logging.ERROR, event, fields, exc_info=exc_info)

    def _emit(self, level: int, event: str, fields: dict[str, Any], *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"carebus": fields}, exc_info=exc_info)


class JsonLines(logging.Formatter):
    """Formats records as JSON; of an exception it keeps type and places, as its text may hold values."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": record.getMessage(),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
        line |= getattr(record, "carebus", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = places_of_exception(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def places_of_exception(error: BaseException) -> list[str]:
    """Type and code places of an exception, innermost last, and of those that it groups; not its text."""
    places = [type(error).__name__]
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    if isinstance(error, BaseExceptionGroup):
        places += (place for inner in error.exceptions for place in places_of_exception(inner))
    return places


def configure_logs(service: str, level: str) -> None:
    """Send everything to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # aiokafka says at WARNING what we say better, and repeats it every 100 ms while a broker is away.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    # FastStream warns at every start that it makes no topics, which is what it was told.
    logging.getLogger("faststream").setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
