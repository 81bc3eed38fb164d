"""Subjects of plans as the numbers that stand in the rows."""

from __future__ import annotations

from typing import NamedTuple

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.omop.catalog import REFERENCE_TABLES
from carebus_contracts.plans import ReadPlan
from carebus_loader.domain.warehouse.tables import PERSON, TABLES

BIGGEST = 2**63 - 1


class Scope(NamedTuple):
    """The rows that a plan speaks of: those of one person, or of one chunk of a reference table."""

    source: str
    subject: str
    key: int
    """Person id, or number of the chunk."""


def is_person(subject: str) -> bool:
    """Whether a subject is a person, and not a chunk of reference rows."""
    return subject.startswith("person/")


def scope_of(plan: ReadPlan) -> Scope:
    """Read the subject of a plan, and check that it writes to its own tables only.

    Raises:
        ConstraintViolated: The subject is of neither kind, its tables are of the other, or rows are to
            be put among a person's.
    """
    kind, _, key = plan.subject.partition("/")
    if not key.removeprefix("-").isascii() or not key.removeprefix("-").isdigit():
        raise ConstraintViolated("the subject of a plan is neither person/<id> nor <table>/<chunk>")
    if not -BIGGEST - 1 <= int(key) <= BIGGEST:
        raise ConstraintViolated("the id in a plan's subject has more than 64 bits")
    if kind == "person":
        if any(w.kind == "upsert" for w in plan.writes):
            raise ConstraintViolated("a plan puts rows among a person's; only a chunk takes upserts")
        fits = all(w.table not in TABLES or TABLES[w.table].scope == PERSON for w in plan.writes)
    else:
        fits = kind in REFERENCE_TABLES and all(w.table == kind for w in plan.writes)
    if not fits or len({w.table for w in plan.writes}) != len(plan.writes):
        raise ConstraintViolated("a plan writes to a table twice, or to one that its subject has no rows in")
    return Scope(plan.source, plan.subject, int(key))
