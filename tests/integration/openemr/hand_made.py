"""Plans written by hand from the wire format: a patient, encounters, problems and prescriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import orjson

from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan

PATIENT = ("uuid", "pubpid", "fname", "lname", "DOB", "sex", "race", "ethnicity")
DEATH = ("uuid", "deceased_date", "deceased_reason")
ENCOUNTER = ("uuid", "date", "date_end", "reason", "class_code", "pc_catid", "pos_code", "external_id")
PROBLEM = (
    "uuid", "type", "title", "diagnosis", "verification", "begdate", "enddate", "outcome", "external_id",
    "encounter",
)  # fmt: skip
PRESCRIPTION = (
    "uuid", "drug", "rxnorm_drugcode", "date_added", "start_date", "end_date", "drug_dosage_instructions",
    "external_id", "encounter",
)  # fmt: skip


def uuid_of(source: str, person_id: int, kind: str, number: object) -> str:
    """Return a uuid as converters make them: of one person alike in front, with 0 at the end."""
    front = blake2b(f"{source}/{person_id}".encode(), digest_size=6).hexdigest()
    back = blake2b(f"{source}/{person_id}/{kind}/{number}".encode(), digest_size=10).hexdigest()
    return f"{front}{back}"[:31] + "0"


def a_plan(
    source: str,
    person_id: int,
    *,
    name: str = "Marta",
    person: bool = True,
    died: str | None = None,
    visits: Mapping[int, str] | None = None,
    problems: Mapping[int, str] | None = None,
    prescriptions: Sequence[str | None] | None = None,
    problem: Mapping[str, object] | None = None,
) -> ReadPlan:
    """Return a plan; tables that are not named are not covered.

    Args:
        source: Slug.
        person_id: The person.
        name: Given name.
        person: Whether PERSON is covered.
        died: Date of death.
        visits: Reasons by id.
        problems: Titles by id; those of an id that is a visit's are diagnoses of that visit.
        prescriptions: Instructions, any text.
        problem: Cells of all problems that are not as usual.
    """

    def uuid(kind: str, number: object) -> str:
        return uuid_of(source, person_id, kind, number)

    writes = []
    if person:
        row = [uuid("person", 0), f"{source}:{person_id}", name, "Q", "1958-04-23", "Female", "white", ""]
        writes.append(_write("patient_data", PATIENT, [row]))
        deaths = [[uuid("person", 0), f"{died} 00:00:00", "a cause"]] if died else []
        writes.append(_write("patient_data.death", DEATH, deaths))
    if visits is not None:
        writes.append(
            _write(
                "form_encounter",
                ENCOUNTER,
                [
                    [uuid("visit", n), "2020-01-02 03:04:05", None, reason, "AMB", 5, 11, str(n)]
                    for n, reason in visits.items()
                ],
            )
        )
    if problems is not None:
        rows = []
        for n, title in problems.items():
            cells = {
                "uuid": uuid("problem", n),
                "type": "medical_problem",
                "title": title,
                "diagnosis": "SNOMED-CT:44054006",
                "verification": "confirmed",
                "begdate": "2011-06-02 00:00:00",
                "outcome": 0,
                "external_id": str(n),
                "encounter": uuid("visit", n) if visits and n in visits else None,
                **(problem or {}),
            }
            rows.append([cells.get(column) for column in PROBLEM])
        writes.append(_write("lists.condition_occurrence", PROBLEM, rows))
    if prescriptions is not None:
        writes.append(
            _write(
                "prescriptions",
                PRESCRIPTION,
                [
                    [
                        uuid("drug", orjson.dumps([text, prescriptions[:at].count(text)]).decode()),
                        "metformin", "861007", "2020-01-02 00:00:00", "2020-01-02", None, text, "1", None,
                    ]
                    for at, text in enumerate(prescriptions)
                ],
            )
        )  # fmt: skip
    return read_plan(
        encode_plan(target="openemr", source=source, subject=f"person/{person_id}", writes=writes)
    )


def whole(source: str, person_id: int) -> ReadPlan:
    """Return a plan with some rows of every table."""
    return a_plan(source, person_id, visits={1: "V"}, problems={1: "A", 2: "B"}, prescriptions=["x", "y"])


def a_retirement(source: str, person_id: int) -> ReadPlan:
    """Return the plan that retires a person, as the converter makes it."""
    gone = b'{"kind":"tombstone","table":"*","hash":"","count":0}'
    return read_plan(
        encode_plan(target="openemr", source=source, subject=f"person/{person_id}", writes=[gone])
    )


def _write(table: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> bytes:
    return encode_write(table, columns, sorted(map(orjson.dumps, rows)))
