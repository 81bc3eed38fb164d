"""Data sets made here by one or two processes, killed and gone on with, in any chunks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from carebus_contracts.errors import JobError
from carebus_generator.adapters.local_run import Maker, Order, Progress, run
from carebus_generator.adapters.manifests import Format
from carebus_generator.adapters.sampling import spread
from carebus_generator.adapters.verifying import verify
from carebus_generator.domain.scenario import preset

SCENARIO = preset("training").model_copy(update={"total": 1_000})


def order(folder: Path, chunk: int = 300, form: Format = "ndjson") -> Order:
    """Return an order for 1,000 patients."""
    return Order(SCENARIO, 4, "training", str(folder), form, "zstd", chunk_patients=chunk)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(order(tmp_path_factory.mktemp("whole"), chunk=1_000)).data_set_hash


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "parquet"])
@pytest.mark.parametrize("chunk", [100, 333, 2_000])
def test_chunks_and_format_change_no_patient(tmp_path: Path, expected: str, chunk: int, form: Format) -> None:
    """One hash, and files that are what the manifest says."""
    manifest = run(order(tmp_path, chunk, form))

    assert manifest.data_set_hash == expected
    assert len(manifest.chunks) == -(-1_000 // chunk)
    assert verify(str(tmp_path)).faults == ()


def test_the_realism_report_stands_beside_the_data_set(tmp_path: Path) -> None:
    """As a page and as JSON, of the same patients, with all rules held."""
    manifest = run(order(tmp_path))

    report = orjson.loads((tmp_path / "realism.json").read_bytes())
    assert report["scenario_hash"] == manifest.made_from.scenario_hash
    assert (report["seed"], report["patients"], report["rules_hold"]) == (4, 1_000, True)
    assert (tmp_path / "realism.html").read_text().startswith("<!doctype html>")


def test_two_processes_make_the_same(tmp_path: Path, expected: str) -> None:
    """Whoever makes which chunk."""
    assert run(order(tmp_path), processes=2).data_set_hash == expected


def test_another_seed_makes_others(tmp_path: Path, expected: str) -> None:
    """The hash is that of the patients."""
    assert run(replace(order(tmp_path), seed=5)).data_set_hash != expected


def test_after_a_kill_the_data_set_is_gone_on_with(tmp_path: Path, expected: str) -> None:
    """kill -9 after the first finished chunk; what was finished is kept."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, 'tests')\n"
        "from unit.generator.test_local_run import order\n"
        "from carebus_generator.adapters.local_run import run\n"
        "run(order(Path(sys.argv[1]), chunk=20))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[3])
    records = tmp_path / ".chunks"
    deadline = time.monotonic() + 60
    while not records.is_dir() or len([*records.glob("0*.json")]) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "manifest.json").exists()
    told: list[Progress] = []

    manifest = run(order(tmp_path, chunk=20), on_progress=told.append)

    assert manifest.data_set_hash == expected
    assert verify(str(tmp_path)).faults == ()
    assert (told[-1].done, told[-1].total) == (1_000, 1_000)
    assert told[-1].resumed >= 60
    beside = {"manifest.json", "realism.html", "realism.json"}
    assert {p.name for p in tmp_path.iterdir()} == {p.path for p in manifest.files} | beside


def test_a_full_disk_ends_all_processes_and_leaves_no_half_files(tmp_path: Path) -> None:
    """One sentence from whoever fails first; here files may have 100 kB at most."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, 'tests')\n"
        "from dataclasses import replace\n"
        "from unit.generator.test_local_run import order\n"
        "from carebus_generator.adapters.local_run import run\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "    run(replace(order(Path(sys.argv[1])), compression='none'), processes=2)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)

    found = subprocess.run(
        [sys.executable, script, tmp_path / "out"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert "JobError: cannot write patients-00000" in found.stderr.splitlines()[-1], found.stderr
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_a_complete_data_set_is_not_made_again(tmp_path: Path) -> None:
    """The manifest is returned, and no file is touched."""
    first = run(order(tmp_path))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    assert run(order(tmp_path)) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_chunks_of_another_size_are_not_mixed(tmp_path: Path) -> None:
    """It says which folder, and what to do."""
    Maker(order(tmp_path, chunk=100))(3)

    with pytest.raises(JobError, match="holds chunks of another size than 300 patients"):
        run(order(tmp_path))


def test_the_ndjson_path_needs_no_heavy_package(tmp_path: Path) -> None:
    """pyarrow alone takes 60 MB; 10,000 patients stay below 100 MB in all."""
    code = (
        "import re, sys\n"
        "from carebus_generator.adapters.local_run import Order, run\n"
        "from carebus_generator.domain.scenario import preset\n"
        "scenario = preset('baltic_defence').model_copy(update={'total': 10_000})\n"
        "run(Order(scenario, 1, 'baltic', sys.argv[1], 'ndjson', 'zstd'))\n"
        "heavy = {'pyarrow', 'pandas', 'scipy', 'polars', 'duckdb'} & sys.modules.keys()\n"
        # getrusage would tell the peak of the process that this one was forked from
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())\n"
        "print(sorted(heavy), int(peak[1]) // 1024)\n"
    )

    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.split()

    assert found[0] == "[]"
    assert int(found[1]) <= 100


@pytest.mark.parametrize(("total", "count"), [(1, 5), (10, 3), (1_000_000, 20), (7, 7)])
def test_samples_are_spread_evenly(total: int, count: int) -> None:
    """Each from a part of its own."""
    found = spread(total, count)

    assert len(found) == min(total, count)
    assert [index * len(found) // total for index in found] == list(range(len(found)))
