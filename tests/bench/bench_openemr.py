"""The OpenEMR loader against LOAD DATA of the same rows into empty tables, in turn, on one server."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from bench.measuring import median
from carebus_contracts.errors import CareBusError
from carebus_contracts.omop.bundle import PersonRecords, decode_person
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.versions import Version
from carebus_converter.domain.openemr import OpenEmrSettings as MappingSettings
from carebus_converter.domain.openemr import plan
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.adapters.openemr.connection import Session
from carebus_loader.adapters.openemr.ledger import LEDGER
from carebus_loader.adapters.openemr.row_sql import line
from carebus_loader.adapters.openemr.schema import WRITTEN
from carebus_loader.ports import Delivery
from carebus_stack import LocalStack
from support.bundles import gibleed_messages

BATCH = 200
COMPARED = tuple(
    t
    for t in WRITTEN
    if t not in {"users", "facility", "sequences", "codes", "procedure_providers", "procedure_type"}
)
"""Tables whose rows are counted and loaded again raw; the ledger beside them."""
ORAL_TEMPERATURE = 3006322


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Load all of GiBleed into one empty schema, and the same rows by LOAD DATA alone into another.

    The two take turns batch by batch, so that both see the same load of the machine. GiBleed's measurements
    carry no values: they get some, so that vitals and results are there too. Then the loader gets the same
    content again, under a newer version, and after that every row with another time.

    Returns:
        Rows and persons a second, and the loader's share of raw LOAD DATA.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundles = [_with_values(decode_person(value)) for _, value in gibleed_messages(Path(folder))]
    began = time.process_time()
    texts = [_plan(bundle) for bundle in bundles]
    plan_ms = 1000 * (time.process_time() - began) / len(bundles)
    plans = [read_plan(text) for text in texts]
    dumped = asyncio.run(_dump(stack, plans))
    rows = sum(len(dump.lines) for dump in dumped)
    gc.freeze()  # a worker does not hold the plans of thousands, which the collector would walk again and again
    try:
        measured = [asyncio.run(_round(stack, plans, dumped)) for _ in range(rounds)]
    finally:
        gc.unfreeze()
    return {
        "persons": len(plans),
        "rows": rows,
        "plan_ms_a_person": plan_ms,
        "plan_bytes_a_person": sum(map(len, texts)) / len(texts),
        "share_of_raw": median(m.raw_s / m.load_s for m in measured),
        "shares": [m.raw_s / m.load_s for m in measured],
        "rows_s": median(rows / m.load_s for m in measured),
        "raw_rows_s": median(rows / m.raw_s for m in measured),
        "persons_s": median(len(plans) / m.load_s for m in measured),
        "client_cpu_ms_a_person": median(1000 * m.load_cpu_s / len(plans) for m in measured),
        "again_persons_s": median(len(plans) / m.again_s for m in measured),
        "changed_rows": measured[0].changed_rows,
        "changed_rows_s": median(m.changed_rows / m.change_s for m in measured),
        "tables_changed_again": max(m.changed_again for m in measured),
    }


class Dump(NamedTuple):
    """Rows of one table as LOAD DATA reads them."""

    sql: str
    lines: list[str]


@dataclass(slots=True)
class Measured:
    """Seconds of one round."""

    load_s: float = 0
    load_cpu_s: float = 0
    raw_s: float = 0
    again_s: float = 0
    changed_again: int = 0
    change_s: float = 0
    changed_rows: int = 0


def _with_values(bundle: PersonRecords) -> PersonRecords:
    """Give each measurement a number and a unit."""
    table = bundle.tables.measurement
    if table is None:
        return bundle
    rows = [
        row._replace(value_as_number=36 + row.measurement_id % 40 / 10, unit_source_value="Cel")
        if row.measurement_concept_id == ORAL_TEMPERATURE
        else row._replace(value_as_number=row.measurement_id % 200 / 2, unit_source_value="mg/dL")
        for row in table.rows
    ]
    tables = bundle.tables.model_copy(update={"measurement": table.model_copy(update={"rows": rows})})
    return bundle.model_copy(update={"tables": tables})


def _another_hour(one: ReadPlan) -> ReadPlan:
    writes = [
        encode_write(
            w.table, w.columns, [text.replace(b' 00:00:00"', b' 01:00:00"') for text in w.lines()], of=w.of
        )
        for w in one.writes
    ]
    return read_plan(encode_plan(target="openemr", source=one.source, subject=one.subject, writes=writes))


def _plan(bundle: Any) -> bytes:
    parts = plan(bundle, settings=MappingSettings())
    return encode_plan(
        target="openemr",
        source=bundle.source,
        subject=f"person/{bundle.person_id}",
        writes=parts.writes,
        not_mapped=parts.not_mapped,
        refers=parts.refers,
    )


async def _round(stack: LocalStack, plans: Sequence[ReadPlan], dumped: Sequence[Dump]) -> Measured:
    measured = Measured()
    batches = [plans[start : start + BATCH] for start in range(0, len(plans), BATCH)]
    async with _schema(stack) as settings, _schema(stack) as other:
        target = OpenEmrTarget(settings)
        await target.start()
        raw = await Session.open(other)
        for table in (*COMPARED, LEDGER):
            await raw.execute(f"DELETE FROM `{table}`")
        for number, batch in enumerate(batches):
            began, cpu = time.perf_counter(), time.process_time()
            await _write(target, batch, 1)
            measured.load_s += time.perf_counter() - began
            measured.load_cpu_s += time.process_time() - cpu
            measured.raw_s += await _load_raw(raw, dumped, number, len(batches))
        session = await Session.open(settings)
        before = await _checksums(session)
        began = time.perf_counter()
        for batch in batches:
            await _write(target, batch, 2)
        measured.again_s = time.perf_counter() - began
        after = await _checksums(session)
        measured.changed_again = sum(a != b for a, b in zip(before, after, strict=True))
        changed = [[_another_hour(one) for one in batch] for batch in batches]
        began = time.perf_counter()
        for batch in changed:
            measured.changed_rows += await _write(target, batch, 3)
        measured.change_s = time.perf_counter() - began
        await target.stop()
        session.close()
        raw.close()
    return measured


async def _write(target: OpenEmrTarget, batch: Sequence[ReadPlan], v: int) -> int:
    """Write a batch, and return how many rows changed in place."""
    written = await target.write([Delivery(one, Version(v, 1), f"bench-{v}") for one in batch])
    return sum(w.updated for w in written)


async def _load_raw(raw: Session, dumped: Sequence[Dump], number: int, parts: int) -> float:
    """Load one part of each table, and return the seconds."""
    shares = [
        (dump.sql, dump.lines[len(dump.lines) * number // parts : len(dump.lines) * (number + 1) // parts])
        for dump in dumped
    ]
    began = time.perf_counter()
    await raw.begin()
    for sql, lines in shares:
        assert await raw.load(sql, lines), sql
    await raw.commit()
    return time.perf_counter() - began


async def _dump(stack: LocalStack, plans: Sequence[ReadPlan]) -> list[Dump]:
    """Load once, and return all that stands then."""
    async with _schema(stack) as settings:
        target = OpenEmrTarget(settings)
        await target.start()
        for start in range(0, len(plans), BATCH):
            await _write(target, plans[start : start + BATCH], 1)
        await target.stop()
        session = await Session.open(settings)
        dumped = [await _dump_table(session, table) for table in (*COMPARED, LEDGER)]
        session.close()
        return dumped


async def _dump_table(session: Session, table: str) -> Dump:
    columns = [
        str(name)
        for (name,) in await session.select(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
    ]
    binary = [c for c in columns if c in {"uuid", "target_uuid", "chart", "row_index"}]
    wanted = ", ".join(f"HEX(`{c}`)" if c in binary else f"CAST(`{c}` AS CHAR)" for c in columns)
    read = ", ".join(f"@{c}" if c in binary else f"`{c}`" for c in columns)
    sets = ", ".join(f"`{c}` = UNHEX(@{c})" for c in binary)
    # Numbers go up with the order of loading; what has none is in the order of its key, the best there is.
    order = "id" if "id" in columns else "1, 2"
    rows = await session.select(f"SELECT {wanted} FROM `{table}` ORDER BY {order}")
    return Dump(
        f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE `{table}` CHARACTER SET utf8mb4 "
        rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' ({read}){' SET ' + sets if sets else ''}",
        [line(row) for row in rows],
    )


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
