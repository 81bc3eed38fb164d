"""A source that changed a little costs OpenEMR's server little: rows and processor time against the first load's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import OpenEmrTarget
from carebus_stack import LocalStack

from .conftest import Server
from .test_openemr_data_sets import fingerprint, load, plans_of

IN_TWENTY = 7
"""Which person of each twenty changes."""
CHART = "SELECT pid FROM patient_data WHERE pubpid = %s"


def _changed(one: ReadPlan) -> ReadPlan:
    """The plan with another hour in its drugs, without every third problem, and with new problems."""
    writes = []
    for w in one.writes:
        lines = w.lines()
        if w.table == "prescriptions":
            lines = [text.replace(b' 00:00:00"', b' 01:00:00"') for text in lines]
        elif w.table == "lists.condition_occurrence":
            new = [text[:2] + b"ffffffffffff" + text[14:] for text in lines[:2]]
            lines = sorted([text for at, text in enumerate(lines) if at % 3] + new)
        writes.append(encode_write(w.table, w.columns, lines))
    return read_plan(encode_plan(target="openemr", source=one.source, subject=one.subject, writes=writes))


def _busy_s(pid: int) -> float:
    """Processor seconds of a process so far, once it has come to rest (it tidies up after a load)."""
    deadline, before = time.monotonic() + 60, -1.0
    while time.monotonic() < deadline:
        cells = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        now = (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")
        if now - before < 0.03:
            return now
        before = now
        time.sleep(1)
    pytest.fail("MariaDB did not come to rest within 60 s")


async def test_one_person_in_twenty_costs_a_tenth(
    stack: LocalStack, server: Server, new_schema: Callable[[], str], shared: Path
) -> None:
    """Only the changed charts are written, an edit by staff stays, older bundles change nothing."""
    mariadb = stack.status()["mariadb"]["pid"]
    if mariadb is None:
        pytest.skip("needs MariaDB as a process of this machine, to read its processor time")
    settings = server.settings(new_schema())
    target = OpenEmrTarget(settings)
    await target.prepare()
    await target.start()
    plans = plans_of(shared / "omop/gibleed_5.3/parquet", "gibleed")
    after = [_changed(one) if at % 20 == IN_TWENTY else one for at, one in enumerate(plans)]
    edited = plans[IN_TWENTY]
    spent = [_busy_s(mariadb)]
    first = await load(target, plans, 1)
    spent.append(_busy_s(mariadb))
    server.query(f"USE {settings.database}")
    label = f"gibleed:{edited.subject.partition('/')[2]}"
    server.query(
        f"UPDATE prescriptions SET note = 'by hand', drug = 'by hand' WHERE patient_id = ({CHART})", label
    )

    spent.append(_busy_s(mariadb))
    second = await load(target, after, 3)
    spent.append(_busy_s(mariadb))
    between = fingerprint(server, settings.database)
    older = await load(target, plans, 2)
    await target.stop()

    rows = [sum(w.inserted + w.updated + w.deleted for w in written) for written in (first, second)]
    cpu = [spent[1] - spent[0], spent[3] - spent[2]]
    print(f"rows {rows}, processor seconds of MariaDB {cpu}")
    assert [w.result for w in second] == [
        Result.APPLIED if at % 20 == IN_TWENTY else Result.UNCHANGED for at in range(len(plans))
    ]
    assert 0 < rows[1] <= 0.1 * rows[0]
    assert second[IN_TWENTY].conflicts
    assert [c for at, w in enumerate(second) if at != IN_TWENTY for c in w.conflicts] == []
    assert server.query(f"SELECT DISTINCT drug FROM prescriptions WHERE patient_id = ({CHART})", label) == [
        ("by hand",)
    ]
    assert {w.result for w in older} == {Result.STALE}
    assert fingerprint(server, settings.database) == between
    assert cpu[1] <= 0.1 * cpu[0], cpu
