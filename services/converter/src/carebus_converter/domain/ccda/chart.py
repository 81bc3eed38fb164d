"""What the sections share while one person's document is built."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from carebus_converter.domain.ccda.codes import Concepts
from carebus_converter.domain.ccda.directory import Directory
from carebus_converter.domain.ccda.not_mapped import NotMapped

_ARCS = {
    "person": 1,
    "visit_occurrence": 2,
    "condition_occurrence": 3,
    "drug_exposure": 4,
    "procedure_occurrence": 5,
    "device_exposure": 6,
    "measurement": 7,
    "observation": 8,
}
"""Arc of each table below the site's OID. Part of every id: never change one."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Concepts, ids, zone, providers and sites of one person, and the tally of what found no place."""

    concepts: Concepts
    root: str
    offset: str
    directory: Directory = field(default_factory=Directory)
    unmapped: Counter[tuple[str, NotMapped]] = field(default_factory=Counter)

    def id_start(self, table: str) -> str:
        """Return an id element of a table, up to the extension's value: finish it with ``"/>``."""
        return f'<id root="{self.root}.{_ARCS[table]}" extension="'

    def skip(self, table: str, reason: NotMapped) -> None:
        """Count one row that gets no entry."""
        self.unmapped[table, reason] += 1
