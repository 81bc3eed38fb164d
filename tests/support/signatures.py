"""What a way of fighting leaves in a data set: the numbers by which its type is known, and what each must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from carebus_generator.domain.cohort import Cohort, Kind, Mechanism, Triage
from carebus_generator.domain.reference import WARFARE, names

FIVE = ("artillery", "drone", "guerrilla", "cbrn", "peacekeeping")
"""Types whose signatures differ most."""

_WRITTEN = """
WITH said AS (
  SELECT person_id, observation_source_value AS code, value_as_string AS value, observation_datetime AS at,
         visit_detail_id AS stay
  FROM read_parquet('{folder}/observation/*.parquet')
),
kinds AS (
  SELECT person_id, visit_source_value AS kind FROM read_parquet('{folder}/visit_occurrence/*.parquet')
  UNION ALL SELECT person_id, 'MIL:' || value FROM said WHERE starts_with(code, 'MIL:KIND')
),
events AS (
  SELECT person_id, said.at AS at, count(*) OVER (PARTITION BY value) AS size
  FROM said WHERE starts_with(code, 'MIL:EVENT')
)
SELECT hour(events.at) AS hour, triage.value AS triage, mechanism.value AS mechanism, events.size AS size
FROM kinds
JOIN said triage
  ON triage.person_id = kinds.person_id AND starts_with(triage.code, 'MIL:TRIAGE') AND triage.stay IS NULL
JOIN said mechanism ON mechanism.person_id = kinds.person_id AND starts_with(mechanism.code, 'MIL:MECHANISM')
JOIN events ON events.person_id = kinds.person_id
WHERE kinds.kind = 'MIL:BATTLE'
"""


def signature_of(cohort: Cohort) -> dict[str, float]:
    """Return the signature of a whole data set as the model made it."""
    p, hurt = cohort.patients, cohort.injuries
    battle = p.kind == Kind.BATTLE
    return _signature(
        hour=p.injured_s[battle] // 3600 % 24,
        triage=np.array([t.name for t in Triage])[hurt.triage[battle] - 1],
        mechanism=np.array([m.name for m in Mechanism])[hurt.mechanism[battle]],
        size=p.event_size[battle],
    )


def signature_in(folder: Path) -> dict[str, float]:
    """Return the signature of a data set in Parquet files, read by an engine of its own."""
    with duckdb.connect() as connection:
        return _signature(**connection.execute(_WRITTEN.format(folder=folder)).fetchnumpy())


def _signature(*, hour: Any, triage: Any, mechanism: Any, size: Any) -> dict[str, float]:
    """Return shares of the battle casualties; ``together`` is the mean size of the event they came from."""
    return {
        "urgent": float(np.isin(triage.astype(str), ("T1", "T4")).mean()),
        "blast": float((mechanism == "BLAST").mean()),
        "toxic": float((mechanism == "TOXIC").mean()),
        "by day": float(((hour >= 6) & (hour < 18)).mean()),
        "together": float(size.mean()),
    }


def assert_their_own(shown: Mapping[str, Mapping[str, float]]) -> None:
    """Fail unless triage, mechanism, hours and size of events are those of each type."""
    for name in FIVE:
        declared = WARFARE[names(WARFARE).index(name)].triage[Kind.BATTLE][0]
        assert shown[name]["urgent"] == pytest.approx(declared, abs=0.03), name
    assert shown["artillery"]["blast"] > 0.9
    assert shown["drone"]["blast"] > 0.9
    assert 0.7 < shown["guerrilla"]["blast"] < 0.8
    assert shown["peacekeeping"]["blast"] < 0.6
    assert shown["cbrn"]["toxic"] == pytest.approx(0.5, abs=0.05)
    assert all(shown[name]["toxic"] == 0 for name in FIVE if name != "cbrn")
    assert shown["drone"]["by day"] == 1.0
    assert shown["peacekeeping"]["by day"] == 1.0
    assert 0.3 < shown["guerrilla"]["by day"] < 0.8
    sizes = [shown[name]["together"] for name in ("peacekeeping", "drone", "guerrilla", "artillery", "cbrn")]
    assert sizes[1] < 4
    assert sizes[1] < sizes[2] < sizes[3] < sizes[4]
    assert sizes[4] > 80


def hashes_of_data() -> list[str]:
    """Return the hashes of the presets and tables that the generator brings."""
    return [*_hashes_of_data()]


def _hashes_of_data() -> Iterator[str]:
    data = files("carebus_generator") / "data"
    for path in (*(data / "presets").iterdir(), *(path for path in data.iterdir() if path.is_file())):
        yield sha256(path.read_bytes()).hexdigest()
