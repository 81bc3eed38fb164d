"""The OpenEMR loader against LOAD DATA of the same rows into empty tables, in turn, on one server."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.measuring import median
from carebus_contracts.errors import CareBusError
from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.plans import ReadPlan, encode_plan, read_plan
from carebus_contracts.versions import Version
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_converter.domain.openemr import plan
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.ledger import LEDGER
from carebus_loader.adapters.openemr.row_sql import line
from carebus_loader.adapters.openemr.schema import TABLES, WRITTEN
from carebus_loader.ports import Delivery
from carebus_stack import LocalStack
from support.bundles import gibleed_messages

BATCH = 200
COMPARED = tuple(t for t in WRITTEN if t not in {"facility", "sequences", "codes"})
"""Tables whose rows are counted and loaded again raw; the ledger beside them."""


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Load all of GiBleed into an empty schema, then the same rows by LOAD DATA alone; and load it again.

    Returns:
        Rows and persons a second, and the loader's share of raw LOAD DATA.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundles = [decode_person(value) for _, value in gibleed_messages(Path(folder))]
    began = time.process_time()
    texts = [_plan(bundle) for bundle in bundles]
    plan_ms = 1000 * (time.process_time() - began) / len(bundles)
    plans = [read_plan(text) for text in texts]
    measured = [asyncio.run(_round(stack, plans)) for _ in range(rounds)]
    return {
        "persons": len(plans),
        "rows": measured[0]["rows"],
        "plan_ms_a_person": plan_ms,
        "plan_bytes_a_person": sum(map(len, texts)) / len(texts),
        "share_of_raw": median(m["raw_s"] / m["load_s"] for m in measured),
        "shares": [m["raw_s"] / m["load_s"] for m in measured],
        "rows_s": median(m["rows"] / m["load_s"] for m in measured),
        "raw_rows_s": median(m["rows"] / m["raw_s"] for m in measured),
        "persons_s": median(len(plans) / m["load_s"] for m in measured),
        "client_cpu_ms_a_person": median(1000 * m["load_cpu_s"] / len(plans) for m in measured),
        "again_persons_s": median(len(plans) / m["again_s"] for m in measured),
        "rows_changed_again": max(m["changed_again"] for m in measured),
    }


def _plan(bundle: Any) -> bytes:
    parts = plan(bundle, settings=MappingSettings())
    return encode_plan(
        target="openemr",
        source=bundle.source,
        subject=f"person/{bundle.person_id}",
        writes=parts.writes,
        not_mapped=parts.not_mapped,
    )


async def _round(stack: LocalStack, plans: Sequence[ReadPlan]) -> dict[str, float]:
    async with _schema(stack) as settings, _schema(stack) as empty:
        target = OpenEmrTarget(settings)
        await target.start()
        began, cpu = time.perf_counter(), time.process_time()
        await _load(target, plans, 1)
        load_s, load_cpu_s = time.perf_counter() - began, time.process_time() - cpu
        session = await Session.open(settings)
        before = await _checksums(session)
        began = time.perf_counter()
        await _load(target, plans, 2)
        again_s = time.perf_counter() - began
        changed = sum(a != b for a, b in zip(before, await _checksums(session), strict=True))
        await target.stop()
        raw_s, rows = await _raw(session, await Session.open(empty))
        session.close()
    return {
        "rows": rows,
        "load_s": load_s,
        "load_cpu_s": load_cpu_s,
        "raw_s": raw_s,
        "again_s": again_s,
        "changed_again": changed,
    }


async def _load(target: OpenEmrTarget, plans: Sequence[ReadPlan], v: int) -> None:
    for start in range(0, len(plans), BATCH):
        await target.write(
            [Delivery(one, Version(v, 1), f"bench-{v}") for one in plans[start : start + BATCH]]
        )


async def _raw(loaded: Session, empty: Session) -> tuple[float, int]:
    """Load what stands in one schema into another: seconds in LOAD DATA alone, and rows."""
    spent, count = 0.0, 0
    for table in (*COMPARED, LEDGER):
        await empty.execute(f"DELETE FROM `{table}`")
        columns = [
            str(name)
            for (name,) in await loaded.select(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() "
                "AND table_name = %s ORDER BY ordinal_position",
                (table,),
            )
        ]
        binary = {c for c in columns if c in {"uuid", "target_uuid", "chart", "row_index"}}
        wanted = ", ".join(f"HEX(`{c}`)" if c in binary else f"CAST(`{c}` AS CHAR)" for c in columns)
        order = ", ".join(TABLES[table].primary) if table in TABLES and TABLES[table].primary else "1"
        lines = [line(row) for row in await loaded.select(f"SELECT {wanted} FROM `{table}` ORDER BY {order}")]
        read = ", ".join(f"@{c}" if c in binary else f"`{c}`" for c in columns)
        sets = ", ".join(f"`{c}` = UNHEX(@{c})" for c in binary)
        for some in _some(lines, 50_000):
            began = time.perf_counter()
            went_in = await empty.load(
                f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE `{table}` CHARACTER SET utf8mb4 "
                rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' ({read}){' SET ' + sets if sets else ''}",
                some,
            )
            spent += time.perf_counter() - began
            assert went_in, table
        count += len(lines)
    empty.close()
    return spent, count


def _some(lines: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


async def _checksums(session: Session) -> list[Any]:
    return [(await session.select(f"CHECKSUM TABLE `{table}` EXTENDED"))[0][1] for table in COMPARED]


@asynccontextmanager
async def _schema(stack: LocalStack) -> AsyncIterator[OpenEmrSettings]:
    """A schema of the tables that we know, dropped afterwards."""
    there = stack.endpoints.mariadb
    settings = OpenEmrSettings(
        host=there.host,
        port=there.port,
        user=there.user,
        password=there.password,
        owner_user=there.owner_user,
        owner_password=there.owner_password,
        database=f"openemr_bench_{uuid4().hex[:8]}",
        create_schema=True,
    )
    await OpenEmrTarget(settings).prepare()
    try:
        yield settings
    finally:
        owner = await Session.open(settings, owner=True)
        with suppress(CareBusError):
            await owner.execute(f"DROP DATABASE {settings.database}")
        owner.close()
