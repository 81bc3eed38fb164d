"""Real bundles for benches and tests: GiBleed as our own extractor reads it."""

from __future__ import annotations

from pathlib import Path

from carebus_contracts.jobs import ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_demo.command import eunomia, job_file
from carebus_extractor.adapters import open_source
from carebus_extractor.settings import ExtractorSettings


def gibleed_messages(folder: Path, *, persons: int | None = None) -> list[tuple[bytes, bytes]]:
    """Return key and value of each person's bundle; sources are staged under the folder."""
    data = eunomia()
    settings = ExtractorSettings(allowed_roots=(str(data.parent),), stage_dir=folder / "stage")
    job = ExtractJob.model_validate(job_file(data, persons))
    source = open_source(job.omop, settings)
    plan = source.plan(job)
    return [
        (message.key, message.value)
        for number, part in enumerate(plan.ranges, 1)
        for message in source.read_slice(
            WorkSlice(
                job_id="bench",
                slice=number,
                kind="persons",
                after=part.after,
                up_to=part.up_to,
                ids=part.ids,
                fingerprint=plan.fingerprint,
                accepted_ms=1,
                job=job,
            )
        )
    ]
