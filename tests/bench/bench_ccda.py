"""C-CDA in the pure function: documents a CPU second, over all of GiBleed."""

from __future__ import annotations

import gc
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.measuring import cpu_of, median
from carebus_contracts.omop.bundle import PersonRecords, decode_person
from carebus_converter.domain.ccda import DocumentSettings, document
from support.bundles import gibleed_messages

module = import_module("carebus_converter.domain.ccda.document")
"""By name, because the package's ``document`` is the function."""


def run(*, rounds: int = 3) -> dict[str, Any]:
    """Convert every person of GiBleed; decoding is outside of the measurement."""
    with tempfile.TemporaryDirectory() as folder:
        persons = [decode_person(value) for _, value in gibleed_messages(Path(folder))]
    settings = DocumentSettings()
    size = sum(len(document(person, settings=settings).xml) for person in persons)
    gc.freeze()
    rates = [
        len(persons) / cpu_of(lambda: [len(document(p, settings=settings).xml) for p in persons])
        for _ in range(rounds)
    ]
    return {
        "documents_per_cpu_s": median(rates),
        "runs": rates,
        "bytes_a_document": size / len(persons),
        "sections": _by_section(persons, settings),
    }


_SECTIONS = (
    "allergies",
    "medications",
    "problems",
    "procedures",
    "results",
    "social_history",
    "vital_signs",
    "encounters",
    "immunizations",
    "medical_equipment",
)


def _by_section(persons: Sequence[PersonRecords], settings: DocumentSettings) -> dict[str, dict[str, float]]:
    """Return microseconds and bytes a document of each section, and of everything else.

    Sorting and parting the rows is in the rest: sections get theirs in order.
    """
    spent: Counter[str] = Counter()
    written: Counter[str] = Counter()

    def timed(name: str, build: Callable[..., str]) -> Callable[..., str]:
        def run_section(*rows: object) -> str:
            began = time.perf_counter_ns()
            xml = build(*rows)
            spent[name] += time.perf_counter_ns() - began
            written[name] += len(xml)
            return xml

        return run_section

    with ExitStack() as patches:
        for name in _SECTIONS:
            patches.enter_context(patch.object(module, name, timed(name, getattr(module, name))))
        began = time.perf_counter_ns()
        whole = sum(len(document(person, settings=settings).xml) for person in persons)
        rest = time.perf_counter_ns() - began - spent.total()
    spent["header and sorting"], written["header and sorting"] = rest, whole - written.total()
    return {
        name: {"us": spent[name] / len(persons) / 1000, "bytes": written[name] / len(persons)}
        for name in spent
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return a line a section: what it costs and what it weighs."""
    return [
        f"       {name:46} {cost['us']:10,.1f} us a document, {cost['bytes']:9,.0f} bytes"
        for name, cost in found["sections"].items()
    ]
