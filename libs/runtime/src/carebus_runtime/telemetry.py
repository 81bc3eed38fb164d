"""Traces across topics: W3C ``traceparent`` in headers, a span a batch, linked to its messages' traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TraceFlags

MAX_LINKS = 100
"""The SDK keeps 128; distinct parents in a batch are few, as a batch upstream shares one."""

_TRACER = trace.get_tracer("carebus")


def configure_traces(service: str, endpoint: str) -> None:
    """Make spans; send them to an OTLP/HTTP endpoint where one is set."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"carebus-{service}"}))
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)


@contextmanager
def batch_span(topic: str, group: str, messages: int, parents: Iterable[str]) -> Iterator[Span]:
    """Open the span ``"<topic> process"`` of one batch; of an exception it keeps the type."""
    links = [Link(context) for parent in _distinct(parents) if (context := read_traceparent(parent))]
    with _TRACER.start_as_current_span(
        f"{topic} process",
        kind=SpanKind.CONSUMER,
        links=links,
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.consumer.group.name": group,
            "messaging.batch.message_count": messages,
        },
        # The SDK would keep the exception's text, which may hold values of a record.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def current_traceparent() -> str:
    """The running span as a ``traceparent`` header; empty outside of one."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def read_traceparent(header: str) -> SpanContext | None:
    """Read a ``traceparent``; None when it is none."""
    parts = header.split("-")
    try:
        if len(parts) != 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
            return None
        context = SpanContext(
            int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=TraceFlags(int(parts[3], 16))
        )
    except ValueError:
        return None
    return context if context.is_valid else None


def _distinct(parents: Iterable[str]) -> list[str]:
    return [parent for parent in dict.fromkeys(parents) if parent][:MAX_LINKS]
