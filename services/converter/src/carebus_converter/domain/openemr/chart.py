"""What the domains share while one person's plan is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.plans import encode_write
from carebus_converter.domain.openemr.cells import NULL
from carebus_converter.domain.openemr.directory import Directory
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import RowIds


@dataclass(slots=True)
class Chart:
    """Ids and concepts of one person, and the tally of what found no place."""

    ids: RowIds
    concepts: dict[int | None, ConceptInUse]
    """Concepts in use by id; NULL and 0 have none."""
    encounters: dict[int, str] | None = None
    """uuid of the encounter by visit; None while the bundle does not say which visits there are."""
    directory: Directory = field(default_factory=Directory)
    """Providers and sites."""
    unmapped: Counter[tuple[str, NotMapped]] = field(default_factory=Counter)
    lacking: Counter[tuple[str, int]] = field(default_factory=Counter)

    def skip(self, table: str, reason: NotMapped, count: int = 1, *, concept_id: int | None = None) -> None:
        """Count rows that get no place; with the concept for which nobody has written a mapping."""
        self.unmapped[table, reason] += count
        if concept_id is not None:
            self.lacking[table, concept_id] += count

    def encounter(self, visit_occurrence_id: int | None) -> str:
        """Return the cell that refers to the encounter of a visit; NULL when the source has no such visit.

        Where the bundle does not cover visits the reference is made all the same, and the loader finds
        out whether the encounter is there.
        """
        if not visit_occurrence_id:
            return NULL
        if self.encounters is None:
            return f'"{self.ids.uuid("visit_occurrence", visit_occurrence_id)}"'
        uuid = self.encounters.get(visit_occurrence_id)
        return f'"{uuid}"' if uuid else NULL


def write(name: str, columns: Sequence[str], rows: Sequence[str], *, of: str | Mapping[str, int]) -> bytes:
    """Write what one table is to hold; rows in the order of their uuids, whatever order they came in.

    Args:
        name: The write.
        columns: What the cells of a row are.
        rows: JSON text of each row.
        of: The OMOP table of which each row is one; or how many source rows of which tables these are.
            A source row counts in one write: where rows are there because of others, say 0.
    """
    if not rows:
        return _empty(name, tuple(columns))
    counts = ({of: len(rows)} if isinstance(of, str) else of) if rows else {}
    return encode_write(name, columns, [row.encode() for row in sorted(rows)], of=counts)


@lru_cache(maxsize=256)
def _empty(name: str, columns: tuple[str, ...]) -> bytes:
    """Write that there is nothing: so it is with most tables of most persons."""
    return encode_write(name, columns, [], of={})
