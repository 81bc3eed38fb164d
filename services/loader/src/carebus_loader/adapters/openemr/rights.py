"""The rights that a loader needs on OpenEMR's tables, and no others."""

from __future__ import annotations

from collections.abc import Iterable

from carebus_loader.adapters.openemr.conflicts import CONFLICTS
from carebus_loader.adapters.openemr.ledger import LEDGER, RAISED
from carebus_loader.adapters.openemr.matching import MATCHES
from carebus_loader.adapters.openemr.places import KEPT_COLUMNS, NEW_COLUMNS, USERS
from carebus_loader.adapters.openemr.schema import READ_FOR_DOCUMENTS, WRITTEN, WRITTEN_FOR_DOCUMENTS


def grants(database: str, user: str, *, documents: bool = False) -> list[str]:
    """Return the statements that an administrator runs.

    Args:
        database: OpenEMR's schema.
        user: ``name@host``; without a host from everywhere.
        documents: Whether documents are filed.
    """
    name, _, host = user.rpartition("@") if "@" in user else (user, "", "%")
    account = f"{_literal(name)}@{_literal(host)}"
    place = _quoted(database)
    read = READ_FOR_DOCUMENTS if documents else ()
    written = (*WRITTEN, *(WRITTEN_FOR_DOCUMENTS if documents else ()))
    kept = (*KEPT_COLUMNS[USERS.table], *USERS.always)
    made = (*NEW_COLUMNS[USERS.table], *USERS.once, *kept)
    return [
        # staged rows are temporary tables; the right holds for a whole schema only
        f"GRANT CREATE TEMPORARY TABLES ON {place}.* TO {account}",
        *(f"GRANT SELECT ON {place}.{_quoted(table)} TO {account}" for table in read),
        # Providers are among OpenEMR's users: nothing by which one could log in is in reach.
        f"GRANT SELECT, INSERT ({_columns(made)}), UPDATE ({_columns(kept)}) ON {place}.{_quoted(USERS.table)} "
        f"TO {account}",
        *(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {place}.{_quoted(table)} TO {account}"
            for table in (*written, LEDGER, RAISED, CONFLICTS, MATCHES)
            if table != USERS.table
        ),
    ]


def _columns(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
