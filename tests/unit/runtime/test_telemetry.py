"""Spans hold no text of an exception: it may be a patient's."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from carebus_runtime import telemetry


def test_a_failed_batch_leaves_the_type_of_its_error_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as an event nor in the status."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(telemetry, "_TRACER", provider.get_tracer("test"))

    with pytest.raises(ValueError, match="1970"), telemetry.batch_span("a.topic", "a-group", 1, ()):
        raise ValueError("born 1970-01-01")

    (span,) = spans.get_finished_spans()
    assert "1970" not in span.to_json()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
