"""All records of one person: the message of ``carebus.omop.records.v1``, and the rows of no person.

On the wire a table is ``{"columns": [...], "rows": [[...], ...]}``, in the shape of CDM 5.4 whatever
version the source has. ``covers`` names the tables for which the bundle is complete: one that is not
named is left alone downstream, one that is named without rows is emptied.

What the rows refer to and converters need travels along, resolved at the source: concepts, and the
rows of LOCATION, CARE_SITE and PROVIDER (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, TypeVar, cast

import orjson
from pydantic import Field, TypeAdapter, ValidationError, create_model

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.model import WireModel, places_of
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec
from carebus_contracts.omop.location import Location
from carebus_contracts.omop.provider import Provider
from carebus_contracts.omop.rows import RowsOf

RowT = TypeVar("RowT", bound=NamedTuple)

SOURCE_SLUG = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
"""A source's stable name: it enters every deterministic id, so it must never hold a path or a host."""


class ConceptInUse(NamedTuple):
    """What converters must know of a concept; resolved at the source, so that they keep no state."""

    concept_id: int
    concept_code: str | None
    vocabulary_id: str | None
    concept_name: str | None
    domain_id: str | None
    standard_concept: str | None


REFERRED_TABLES: Mapping[str, TableSpec] = {
    name: REFERENCE_TABLES[name] for name in ("location", "care_site", "provider")
}
"""Tables of which a bundle carries the rows that its person's rows refer to; each refers to those before."""


class GivenName(WireModel):
    """What the job's ``names`` say about who the person is; nothing of it is in OMOP.

    Without a given or a family name the person keeps the pseudonym.
    """

    synthetic: bool = Field(default=False, description="The converter is to make up a plausible name.")
    given: str | None = None
    middle: str | None = None
    family: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    phone: str | None = None
    email: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None


def _table_model(name: str, row: type[NamedTuple]) -> type[WireModel]:
    return create_model(
        f"{row.__name__}Table",
        __base__=WireModel,
        __doc__=f"Rows of {name.upper()}, columns once.",
        columns=(tuple[str, ...], ...),
        rows=(cast(Any, Annotated[list[row], RowsOf(row)]), ...),  # type: ignore[valid-type]
    )


def _tables_model(name: str, specs: Mapping[str, TableSpec]) -> type[WireModel]:
    fields: dict[str, Any] = {
        spec.name: (_table_model(spec.name, spec.row) | None, None) for spec in specs.values()
    }
    return create_model(name, __base__=WireModel, **fields)


PersonTables: Any = _tables_model("PersonTables", PERSON_TABLES)
ReferenceTables: Any = _tables_model("ReferenceTables", REFERENCE_TABLES)
ReferredTables: Any = _tables_model("ReferredTables", REFERRED_TABLES)
ConceptTable: Any = _table_model("concept", ConceptInUse)
_NAME_OF: Mapping[type, str] = {
    spec.row: spec.name for spec in (*PERSON_TABLES.values(), *REFERENCE_TABLES.values())
}


class PersonRecords(WireModel):
    """Everything that one source says about one person."""

    source: str = Field(pattern=SOURCE_SLUG)
    person_id: int
    cdm_version: str = Field(description="CDM version of the source; the rows are in the shape of 5.4.")
    covers: tuple[str, ...] = Field(description="Tables for which this bundle is complete.")
    tables: PersonTables
    concepts: ConceptTable
    refers: ReferredTables | None = Field(
        default=None, description="Rows of LOCATION, CARE_SITE and PROVIDER that the person's rows refer to."
    )
    name: GivenName | None = Field(
        default=None, description="Who the person is, by the job's names; a pseudonym when left out."
    )
    retired: bool = Field(default=False, description="The person is to vanish from every target.")

    def rows(self, row: type[RowT]) -> list[RowT]:
        """Return the rows of one table (``bundle.rows(ConditionOccurrence)``); empty when there are none."""
        table = getattr(self.tables, _NAME_OF[row])
        return cast("list[RowT]", table.rows) if table is not None else []

    @cached_property
    def concept(self) -> Mapping[int, ConceptInUse]:
        """The concepts in use by id. Ids without a row are concepts that the source does not know."""
        return {concept[0]: concept for concept in cast(Any, self.concepts).rows}

    @cached_property
    def location(self) -> Mapping[int, Location]:
        """The places that rows refer to, by id."""
        return self._referred("location")

    @cached_property
    def care_site(self) -> Mapping[int, CareSite]:
        """The sites that rows refer to, by id."""
        return self._referred("care_site")

    @cached_property
    def provider(self) -> Mapping[int, Provider]:
        """The providers that rows refer to, by id."""
        return self._referred("provider")

    def _referred(self, table: str) -> Mapping[int, Any]:
        found = getattr(self.refers, table, None)
        return {row[0]: row for row in found.rows} if found is not None else {}


class ReferenceRecords(WireModel):
    """One chunk of the rows of one table that belong to no person."""

    source: str = Field(pattern=SOURCE_SLUG)
    table: str
    chunk: int = Field(description="Keys of a chunk share key // REFERENCE_CHUNK_KEYS, or it is 0.")
    cdm_version: str
    tables: ReferenceTables
    complete: bool = Field(
        default=True,
        description="These are all rows of the chunk; else some of them, as of concepts those in use.",
    )

    @property
    def records(self) -> list[NamedTuple]:
        """The rows of ``table``."""
        table = getattr(self.tables, self.table, None)
        return cast("list[NamedTuple]", table.rows) if table is not None else []


REFERENCE_CHUNK_KEYS = 5_000
"""Keys a chunk: bounded in bytes (a concept row is about 120), and stable while a table grows."""

_PERSON: TypeAdapter[PersonRecords] = TypeAdapter(PersonRecords)
_REFERENCE: TypeAdapter[ReferenceRecords] = TypeAdapter(ReferenceRecords)
_PERSON_COLUMNS = {spec.name: spec.columns for spec in PERSON_TABLES.values()}
_REFERENCE_COLUMNS = {spec.name: spec.columns for spec in REFERENCE_TABLES.values()}
_CONCEPT_COLUMNS = ConceptInUse._fields


def decode_person(value: bytes) -> PersonRecords:
    """Read one bundle.

    Columns in another order, unknown ones and missing optional ones are understood (slower), so
    that yesterday's reader reads tomorrow's message of the same major version.

    Raises:
        InvalidMessage: The bytes are no bundle; the text names the place, never a value.
    """
    try:
        bundle = _PERSON.validate_json(value)
        if (
            _fits(bundle.tables, _PERSON_COLUMNS)
            and bundle.concepts.columns == _CONCEPT_COLUMNS
            and (bundle.refers is None or _fits(bundle.refers, _REFERENCE_COLUMNS))
        ):
            return bundle
    except ValidationError:
        pass  # perhaps only the columns differ: the slow way decides
    raw = _load(value)
    _align_all(raw.get("tables"), _PERSON_COLUMNS)
    _align_all(raw.get("refers"), _REFERENCE_COLUMNS)
    _align(raw.get("concepts"), _CONCEPT_COLUMNS)
    return cast(PersonRecords, _validated(_PERSON, raw))


def decode_reference(value: bytes) -> ReferenceRecords:
    """Read one chunk of reference rows.

    Raises:
        InvalidMessage: The bytes are no chunk; the text names the place, never a value.
    """
    try:
        records = _REFERENCE.validate_json(value)
        if _fits(records.tables, _REFERENCE_COLUMNS):
            return records
    except ValidationError:
        pass
    raw = _load(value)
    _align_all(raw.get("tables"), _REFERENCE_COLUMNS)
    return cast(ReferenceRecords, _validated(_REFERENCE, raw))


def encode_person(
    *,
    source: str,
    person_id: int,
    cdm_version: str,
    covers: Sequence[str],
    tables: Mapping[str, bytes],
    concepts: Iterable[bytes],
    refers: Mapping[str, Sequence[bytes]] | None = None,
    name: bytes | None = None,
    retired: bool = False,
) -> bytes:
    """Write one bundle from rows that are JSON text already.

    Args:
        source: Slug of the source.
        person_id: The person.
        cdm_version: CDM version of the source.
        covers: Tables for which the bundle is complete.
        tables: Per table ``[[...],[...]]`` with all columns of CDM 5.4 in order; tables without
            rows may be left out. Emitted in the order of the catalog.
        concepts: One ``[...]`` each, in the order of ``ConceptInUse``.
        refers: Per table of ``REFERRED_TABLES`` one ``[...]`` a row, likewise.
        name: A ``GivenName`` as JSON text.
        retired: Whether the person is to vanish.
    """
    body = b",".join(
        b'"%b":{"columns":%b,"rows":%b}' % (name.encode(), _COLUMNS_JSON[name], tables[name])
        for name in PERSON_TABLES
        if name in tables
    )
    head = orjson.dumps(
        {"source": source, "person_id": person_id, "cdm_version": cdm_version, "covers": covers}
        | ({"retired": True} if retired else {})
    )
    return b'%b%b,"tables":{%b},"concepts":{"columns":%b,"rows":[%b]}%b}' % (
        head[:-1],
        b',"name":%b' % name if name else b"",
        body,
        _CONCEPT_COLUMNS_JSON,
        b",".join(concepts),
        _refers_json(refers) if refers else b"",
    )


def _refers_json(refers: Mapping[str, Sequence[bytes]]) -> bytes:
    return b',"refers":{%b}' % b",".join(
        b'"%b":{"columns":%b,"rows":[%b]}' % (name.encode(), _COLUMNS_JSON[name], b",".join(refers[name]))
        for name in REFERRED_TABLES
        if refers.get(name)
    )


def encode_reference(
    *, source: str, table: str, chunk: int, cdm_version: str, rows: bytes, complete: bool = True
) -> bytes:
    """Write one chunk of reference rows from rows that are JSON text already (``[[...],[...]]``).

    Without ``complete`` it speaks of these rows only, and leaves others of the chunk alone.
    """
    head = orjson.dumps(
        {"source": source, "table": table, "chunk": chunk, "cdm_version": cdm_version}
        | ({} if complete else {"complete": False})
    )
    return b'%b,"tables":{"%b":{"columns":%b,"rows":%b}}}' % (
        head[:-1],
        table.encode(),
        _COLUMNS_JSON[table],
        rows,
    )


_COLUMNS_JSON = {
    name: orjson.dumps(columns) for name, columns in (_PERSON_COLUMNS | _REFERENCE_COLUMNS).items()
}
_CONCEPT_COLUMNS_JSON = orjson.dumps(_CONCEPT_COLUMNS)


def _fits(tables: Any, columns: Mapping[str, tuple[str, ...]]) -> bool:
    return all(table is None or table.columns == columns[name] for name, table in tables)


def _load(value: bytes) -> dict[str, Any]:
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidMessage(f"not JSON: {error.msg} at byte {error.pos}") from None
    if not isinstance(raw, dict):
        raise InvalidMessage("not a JSON object")
    return raw


def _align_all(tables: Any, columns: Mapping[str, tuple[str, ...]]) -> None:
    if isinstance(tables, dict):
        for name, wanted in columns.items():
            _align(tables.get(name), wanted)


def _align(table: Any, wanted: tuple[str, ...]) -> None:
    """Bring the rows of one raw table into our column order, in place; leave nonsense to validation."""
    if not isinstance(table, dict) or not isinstance(given := table.get("columns"), list):
        return
    if tuple(given) == wanted or not isinstance(table.get("rows"), list):
        return
    places = [given.index(column) if column in given else None for column in wanted]
    width = len(given)
    table["rows"] = [
        [None if place is None else row[place] for place in places]
        if isinstance(row, list) and len(row) == width
        else row
        for row in table["rows"]
    ]
    table["columns"] = list(wanted)


def _validated(adapter: TypeAdapter[Any], raw: dict[str, Any]) -> Any:
    try:
        return adapter.validate_json(orjson.dumps(raw))
    except ValidationError as error:
        raise InvalidMessage(places_of(error)) from None
