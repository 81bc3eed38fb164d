"""What records become at each target: the one place where targets meet mappings."""

from __future__ import annotations

from collections.abc import Mapping

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.omop.bundle import PersonRecords, ReferenceRecords
from carebus_contracts.omop.person import Person
from carebus_contracts.plans import TableWrite, encode_plan
from carebus_contracts.versions import content_hash
from carebus_converter.domain.ccda import Document, DocumentSettings, document
from carebus_converter.domain.openemr import OpenEmrSettings, plan
from carebus_converter.domain.openemr.documents import Filing, filing, no_document
from carebus_converter.domain.warehouse import WarehousePlans

ALL_TABLES = "*"


class Conversion:
    """Converts records for one target after the other. Pure, but for remembering the last warehouse rows."""

    def __init__(self, *, documents: DocumentSettings, openemr: OpenEmrSettings) -> None:
        self._documents = documents
        self._openemr = openemr
        self._warehouses = WarehousePlans()
        self._last: tuple[PersonRecords, Document] | None = None

    def __call__(
        self, records: PersonRecords | ReferenceRecords, target: str, *, filed: bool = False
    ) -> bytes | None:
        """Return the message for a target; None when it has no place for such records.

        Args:
            records: What was extracted.
            target: For whom.
            filed: Whether the chart is to hold the person's document as well.

        Raises:
            UnmappableRecord: No rule says what a record becomes.
        """
        match target:
            case "postgres" | "clickhouse":
                return self._warehouses.plan(records, target)
            case "documents" if isinstance(records, PersonRecords):
                return self._document(records)
            case "openemr" if isinstance(records, PersonRecords):
                return self._chart(records, filed=filed)
            case _:
                return None

    def _document(self, person: PersonRecords) -> bytes:
        if person.retired:
            gone = CcdaDocument(
                source=person.source,
                person_id=person.person_id,
                document_id="",
                hash="",
                xml="",
                retired=True,
            )
            return gone.to_json()
        made = self._made(person)
        return CcdaDocument(
            source=person.source,
            person_id=person.person_id,
            document_id=made.document_id,
            hash=content_hash(made.xml.encode("ascii")),
            xml=made.xml,
            not_mapped=made.not_mapped,
            mapped=_mapped(person, made.not_mapped),
        ).to_json()

    def _made(self, person: PersonRecords) -> Document:
        """Return the person's document, which several targets may want one after the other."""
        if self._last is None or self._last[0] is not person:
            self._last = person, document(person, settings=self._documents)
        return self._last[1]

    def _chart(self, person: PersonRecords, *, filed: bool) -> bytes:
        subject = f"person/{person.person_id}"
        if person.retired:
            gone = TableWrite(kind="tombstone", table=ALL_TABLES, hash="", count=0)
            return encode_plan(
                target="openemr", source=person.source, subject=subject, writes=[gone.to_json()]
            )
        parts = plan(person, settings=self._openemr)
        papers = self._filing(person) if filed else Filing()
        return encode_plan(
            target="openemr",
            source=person.source,
            subject=subject,
            writes=(*parts.writes, *papers.writes),
            not_mapped=parts.not_mapped,
            lacking=parts.lacking,
            refers=parts.refers,
            match=min((p.person_source_value or "" for p in person.rows(Person)), default="").strip(),
            files=papers.files,
        )

    def _filing(self, person: PersonRecords) -> Filing:
        if "person" in person.covers and not person.rows(Person):
            return Filing((no_document(),))
        made = self._made(person)
        return filing(person.source, person.person_id, made.xml, made.day)


def _mapped(person: PersonRecords, not_mapped: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Count the rows of each table that found a place."""
    counts = {
        name: len(table.rows) - sum(not_mapped.get(name, {}).values())
        for name, table in person.tables
        if table is not None
    }
    return {name: count for name, count in counts.items() if count}
