"""Which files make which table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from carebus_contracts.errors import JobError
from carebus_extractor.adapters.files import SourceFile
from carebus_extractor.domain.names_sql import is_named, no_such_table
from carebus_extractor.domain.table_names import NOT_CARRIED, NamedTable, stem_of, table_named


@dataclass(slots=True)
class Gathered:
    """Files by table."""

    tables: dict[str, list[SourceFile]] = field(default_factory=dict)
    not_carried: dict[str, list[SourceFile]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    """Files whose names say no table."""


def gather(files: Sequence[SourceFile], suffixes: tuple[str, ...]) -> Gathered:
    """Sort files by the table that their name, or their folder's name, says.

    Raises:
        JobError: Two files claim to be the same whole table.
    """
    gathered = Gathered()
    whole: dict[str, str] = {}
    for file in files:
        named = _named(file, suffixes)
        if named is None:
            gathered.strange.append(file.name)
            continue
        group = gathered.not_carried if named.table in NOT_CARRIED else gathered.tables
        parts = group.setdefault(named.table, [])
        if parts and (not named.part or named.table in whole):
            raise JobError(
                f"both {whole.get(named.table, parts[0].name)} and {file.name} are {named.table}; leave one"
            )
        if not named.part:
            whole[named.table] = file.name
        parts.append(file)
    return gathered


def files_named(files: Sequence[SourceFile], wanted: str, suffixes: tuple[str, ...]) -> list[SourceFile]:
    """Return the files of the table that a job calls ``wanted``, by their names or their folders' names.

    Raises:
        JobError: There is none.
    """
    found: list[SourceFile] = []
    others: set[str] = set()
    for file in files:
        path = PurePosixPath(file.name)
        stems = [stem_of(part, suffixes) or part for part in path.parts]
        if any(is_named(stem, wanted) for stem in stems):
            found.append(file)
        else:
            others.add(stems[-1])
    if not found:
        raise no_such_table(wanted, sorted(others))
    return found


def _named(file: SourceFile, suffixes: tuple[str, ...]) -> NamedTable | None:
    path = PurePosixPath(file.name)
    stem = stem_of(path.name, suffixes)
    if stem and (named := table_named(stem)):
        return named
    # person.parquet/part-0.parquet, person/0001.csv, measurement/year=2019/x.parquet
    for folder in reversed(path.parts[:-1]):
        name = stem_of(folder, suffixes) or folder
        if named := table_named(name):
            return NamedTable(named.table, part=True)
    return None
