"""Two whole data sets: the same bytes in any input order, and an account that adds up to the source's rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast

import duckdb
import orjson
import pytest

from carebus_contracts.omop.bundle import PersonRecords, decode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings
from integration.ccda.reader import facts
from support.omop_bundles import bundles

SECTIONS_OF = {
    "person": {"person"},
    "visit_occurrence": {"encounter"},
    "drug_exposure": {"medication", "immunization"},
    "procedure_occurrence": {"procedure"},
    "device_exposure": {"device"},
}
"""Tables that share their sections with no other. No condition of the two sets is an allergy."""


class Whole(NamedTuple):
    """One data set, converted."""

    folder: Path
    hashes: dict[int, str]
    mapped: Counter[str]
    not_mapped: Counter[tuple[str, str]]
    sections: Counter[str]


def converted(records: PersonRecords, conversion: Conversion) -> bytes:
    """Return the message of a person's document."""
    message = conversion(records, "documents")
    assert message is not None
    return message


def a_conversion() -> Conversion:
    """Return a converter with the defaults of a site."""
    return Conversion(documents=DocumentSettings(), openemr=OpenEmrSettings())


def mixed(folder: Path) -> Iterator[PersonRecords]:
    """Yield the persons last first, each with the rows of each table and the concepts in another order."""
    shuffle = random.Random(11)
    for encoded in reversed(list(bundles(folder))):
        records = decode_person(encoded)
        for name in PERSON_TABLES:
            table: Any = getattr(records.tables, name)
            if table is not None:
                shuffle.shuffle(table.rows)
        shuffle.shuffle(cast(Any, records.concepts).rows)
        yield records


@pytest.fixture(scope="module", params=["gibleed_5.3", "synthea27nj_5.4"])
def whole(shared: Path, request: pytest.FixtureRequest) -> Whole:
    """Every person of a data set, in the source's order."""
    folder = shared / "omop" / request.param / "parquet"
    made = Whole(folder, {}, Counter(), Counter(), Counter())
    conversion = a_conversion()
    for encoded in bundles(folder):
        records = decode_person(encoded)
        value = converted(records, conversion)
        made.hashes[records.person_id] = sha256(value).hexdigest()
        message = orjson.loads(value)
        counted = Counter(message.get("mapped", {}))
        made.mapped.update(counted)
        for table, reasons in message.get("not_mapped", {}).items():
            made.not_mapped.update({(table, reason): count for reason, count in reasons.items()})
            counted[table] += sum(reasons.values())
        assert counted == Counter(
            {name: len(table.rows) for name, table in records.tables if table is not None and table.rows}
        )
        assert "lacking" not in message
        made.sections.update(fact.section for fact in facts(message["xml"].encode("ascii")))
    return made


def test_other_input_order_gives_the_same_bytes(whole: Whole) -> None:
    """Message and document, person by person."""
    conversion = a_conversion()
    again = {
        records.person_id: sha256(converted(records, conversion)).hexdigest()
        for records in mixed(whole.folder)
    }

    assert again == whole.hashes


def test_account_adds_up_to_every_row_of_the_source(whole: Whole) -> None:
    """Counted by SQL in the files; rows of persons whom PERSON does not know are in no bundle."""
    connection = duckdb.connect()
    rows = {}
    for path in whole.folder.glob("*.parquet"):
        columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
        if path.stem in PERSON_TABLES and "person_id" in columns:
            of_persons = f"'{path}' SEMI JOIN '{whole.folder / 'person.parquet'}' USING (person_id)"
            (rows[path.stem],) = connection.execute(f"SELECT count(*) FROM {of_persons}").fetchone() or (0,)

    account = whole.mapped.copy()
    for (table, _), count in whole.not_mapped.items():
        account[table] += count

    assert {table: count for table, count in account.items() if count} == {t: n for t, n in rows.items() if n}


def test_what_is_mapped_has_an_entry(whole: Whole) -> None:
    """Counted by the independent reader in the documents."""
    sections, mapped = whole.sections, whole.mapped
    histories = sections["problem"] - mapped["condition_occurrence"]

    assert {t: sum(sections[name] for name in own) for t, own in SECTIONS_OF.items()} == {
        table: mapped[table] for table in SECTIONS_OF
    }
    assert (
        histories + sections["allergy"] + sections["social"] + sections["vital"] + sections["result"]
        == mapped["observation"] + mapped["measurement"]
    )


def test_only_tables_without_a_section_are_not_mapped(whole: Whole) -> None:
    """Nothing of these sets is lost for any other reason."""
    assert {reason for _, reason in whole.not_mapped} <= {
        "derived_table",
        "header_only",
        "part_of_visit",
        "no_section",
    }
