"""Others write to OpenEMR at the same time, and processes die at the worst moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql
import pytest

from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.ports import Delivery
from support.target_suite import put, until_done

from .conftest import Server
from .hand_made import a_plan, whole

PERSONS = 300
WRITER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from integration_openemr_hand_made import whole
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr import OpenEmrSettings, OpenEmrTarget
from carebus_loader.ports import Delivery

async def main():
    target = OpenEmrTarget(OpenEmrSettings.load())
    await target.start()
    print("ready", flush=True)
    for start in range(1, 1 + int(sys.argv[3]), 25):
        await target.write([
            Delivery(whole(sys.argv[1], p), Version(1), "job") for p in range(start, start + 25)
        ])
        print(start, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def source() -> str:
    return f"s{uuid4().hex[:12]}"


def _register_without_a_lock(settings: OpenEmrSettings, stop: threading.Event, made: list[str]) -> None:
    """What OpenEMR's own pages do: MAX(pid)+1, no lock, again when the key is taken."""
    connection = pymysql.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        database=settings.database,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        while not stop.is_set():
            name = f"by hand {uuid4().hex}"
            try:
                cursor.execute("SELECT MAX(pid) + 1 FROM patient_data")
                pid = cursor.fetchone()[0] or 1
                time.sleep(random.random() / 200)
                cursor.execute("INSERT INTO patient_data (pid, lname) VALUES (%s, %s)", (pid, name))
            except pymysql.err.IntegrityError:
                continue
            made.append(name)


async def test_lockless_registrations_lose_nothing(
    server: Server, openemr: OpenEmrSettings, target: OpenEmrTarget, read: Callable[..., Any], source: str
) -> None:
    """Beside two lockless registrars and a second loader every patient is there, once, unchanged."""
    other = OpenEmrTarget(openemr)
    await other.start()
    stop, made = threading.Event(), list[str]()
    rivals = [threading.Thread(target=_register_without_a_lock, args=(openemr, stop, made)) for _ in range(2)]
    for rival in rivals:
        rival.start()

    async def load(loader: OpenEmrTarget, seed: int) -> None:
        persons = list(range(PERSONS))
        random.Random(seed).shuffle(persons)
        for start in range(0, PERSONS, 20):
            batch = [
                Delivery(a_plan(source, p, problems={1: "A"}), Version(1), "job")
                for p in persons[start : start + 20]
            ]
            await until_done(loader, batch)

    try:
        await asyncio.gather(load(target, 1), load(other, 2))
    finally:
        stop.set()
        for rival in rivals:
            rival.join()
        await other.stop()

    assert read(
        "SELECT COUNT(*), COUNT(DISTINCT pid) FROM patient_data WHERE pubpid LIKE %s", f"{source}:%"
    ) == [(PERSONS, PERSONS)]
    assert read("SELECT COUNT(*) FROM lists WHERE title = 'A' AND pid IN (SELECT pid FROM patient_data "
                "WHERE pubpid LIKE %s)", f"{source}:%") == [(PERSONS,)]  # fmt: skip
    by_hand = {row[0] for row in read("SELECT lname FROM patient_data WHERE lname LIKE 'by hand%%'")}
    assert by_hand == set(made)
    assert made, "the rivals were there"


def _state(read: Callable[..., Any], source: str) -> list[Any]:
    """All that stands of one source, without what the server numbers."""
    like = f"{source}:%"
    return [
        read("SELECT pubpid, fname FROM patient_data WHERE pubpid LIKE %s ORDER BY 1", like),
        read(
            "SELECT p.pubpid, l.type, l.title, l.activity, COUNT(u.uuid), COUNT(m.id), COUNT(i.id) "
            "FROM lists l JOIN patient_data p ON p.pid = l.pid LEFT JOIN uuid_registry u ON u.uuid = l.uuid "
            "LEFT JOIN lists_medication m ON m.list_id = l.id "
            "LEFT JOIN issue_encounter i ON i.list_id = l.id WHERE p.pubpid LIKE %s "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
            like,
        ),
        read(
            "SELECT p.pubpid, e.reason, COUNT(f.id), COUNT(DISTINCT m.id) FROM form_encounter e "
            "JOIN patient_data p ON p.pid = e.pid LEFT JOIN forms f ON f.form_id = e.id AND f.pid = e.pid "
            "LEFT JOIN uuid_mapping m ON m.target_uuid = p.uuid WHERE p.pubpid LIKE %s "
            "GROUP BY 1, 2 ORDER BY 1",
            like,
        ),
    ]


async def test_kill_and_rerun_equal_a_clean_run(
    openemr: OpenEmrSettings, target: OpenEmrTarget, read: Callable[..., Any], source: str, tmp_path: Path
) -> None:
    """A loader is killed some times in the middle; the next one ends as if nothing had happened."""
    hand_made = (Path(__file__).parent / "hand_made.py").read_text()
    (tmp_path / "integration_openemr_hand_made.py").write_text(hand_made)
    environment = {
        **os.environ,
        **{
            f"CAREBUS_OPENEMR_{name.upper()}": str(getattr(openemr, name))
            for name in ("host", "port", "user", "database")
        },
        "CAREBUS_OPENEMR_PASSWORD": openemr.password.get_secret_value(),
    }
    chance = random.Random(7)
    for after in (0, 1, 3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, source, str(tmp_path), str(PERSONS)],
            env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert writer.stdout is not None
        for _ in range(1 + after):
            writer.stdout.readline()
        await asyncio.sleep(chance.random() / 20)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    clean = f"{source}c"

    for name in (source, clean):
        for start in range(1, 1 + PERSONS, 25):
            await put(
                target,
                *(whole(name, p) for p in range(start, start + 25)),
            )

    def named(rows: list[Any]) -> list[Any]:
        return [(row[0].partition(":")[2], *row[1:]) for row in rows]

    assert [named(r) for r in _state(read, source)] == [named(r) for r in _state(read, clean)]
    assert len(_state(read, source)[0]) == PERSONS
