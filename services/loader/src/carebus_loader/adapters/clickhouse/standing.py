"""What the scope table holds of the subjects of a batch, read in one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from carebus_contracts.plans import PlannedTable
from carebus_contracts.versions import Version
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.row_versions import first_above, row_version
from carebus_loader.domain.guard import Held
from carebus_loader.domain.warehouse.judging import PERSONS, WHOLE_SOURCE, Standing
from carebus_loader.domain.warehouse.scopes import Scope
from carebus_loader.domain.warehouse.tables import TABLES

_ONE = 1 << 32
_LEAVES_ITS_OWN = (WHOLE_SOURCE, PERSONS)


class Known(NamedTuple):
    """A row of the scope table."""

    standing: Standing
    rows: int
    data_version: int
    """Version of the rows that count; older than that of the scope when only the version was raised."""


Scopes = Mapping[tuple[str, int, str], Known]
"""By source, scope key and table."""


async def read_scopes(
    connection: Connection, plans: Iterable[tuple[Scope, Iterable[PlannedTable]]]
) -> dict[tuple[str, int, str], Known]:
    """Read what is held of each scope in the tables that its plan writes."""
    tables: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    keys: defaultdict[tuple[str, str], dict[int, None]] = defaultdict(dict)
    for scope, writes in plans:
        for write in writes:
            kind = scope.source, TABLES[write.table].scope
            tables[kind][write.table] = None
            keys[kind][scope.key] = None
    if not tables:
        return {}
    query = " UNION ALL ".join(
        sql.read_scopes(connection.database, source, tables[source, kind], keys[source, kind])
        for source, kind in tables
    )
    return {
        (source, key, table): Known(Standing(Held(Version(v, order), content), job), rows, int(data_version))
        for source, table, key, v, order, content, rows, data_version, job in await connection.rows(
            query, "scopes"
        )
    }


async def read_floors(connection: Connection, sources: Iterable[str]) -> dict[tuple[str, str], Version]:
    """Read the floors of these sources."""
    floors: dict[tuple[str, str], Version] = {}
    for source, what, text in await connection.rows(sql.read_floors(connection.database, sources), "floors"):
        number = int(text) - (0 if what in _LEAVES_ITS_OWN else _ONE)
        floors[source, what] = Version(number >> 64, number >> 32 & (_ONE - 1))
    return floors


def hides_below(what: str, version: Version) -> int:
    """Return the bound of a floor: a job's takes plans of its own version too, others leave them."""
    return row_version(version) if what in _LEAVES_ITS_OWN else first_above(version)
