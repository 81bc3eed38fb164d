"""Generated CSV and Parquet folders, read by the suite's own extractor."""

from __future__ import annotations

from pathlib import Path

import pytest

from carebus_contracts.jobs import ExtractJob
from carebus_extractor.settings import ExtractorSettings
from carebus_generator.adapters.manifests import Format
from carebus_generator.adapters.packing import Compression, Packing
from unit.extractor.extracting import extract
from unit.generator.test_sinks import bundles, write


@pytest.mark.parametrize(
    ("form", "compression"),
    [("csv", "none"), ("csv", "gzip"), ("parquet", "none")],
    ids=["csv", "csv.gz", "parquet"],
)
def test_extracted_bundles_are_the_generated_ones(
    tmp_path: Path, form: Format, compression: Compression
) -> None:
    """Byte for byte, and no row is odd or left behind; the detour by files loses nothing."""
    folder = tmp_path / "data"
    manifest = write(folder, form, Packing(compression))
    job = ExtractJob.model_validate(
        {
            "kind": "extract",
            "source": "exercise",
            "omop": {"format": form, "path": str(folder)},
            "targets": ["postgres"],
        }
    )

    found = extract(job, ExtractorSettings(allowed_roots=(str(tmp_path),), stage_dir=tmp_path / "stage"))

    assert found.values == bundles()
    assert {t: c.emitted for t, c in found.tables.items() if t in manifest.counts} == manifest.counts
    assert not any(c.left_behind for c in found.tables.values())
