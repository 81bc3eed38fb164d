"""C-CDA in the pure function: documents a CPU second, over all of GiBleed."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Any

from bench.measuring import cpu_of, median
from carebus_contracts.omop.bundle import decode_person
from carebus_converter.domain.ccda import DocumentSettings, document
from support.bundles import gibleed_messages


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
    return {"documents_per_cpu_s": median(rates), "runs": rates, "bytes_a_document": size / len(persons)}
