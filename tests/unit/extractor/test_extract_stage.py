"""The stage: built once, whole or not at all, shared, and cleaned without hurting readers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carebus_contracts.errors import JobError
from carebus_extractor.adapters import open_source
from carebus_extractor.adapters.engine import drop_kept_engine
from carebus_extractor.adapters.staging import MANIFEST, Manifest, staged
from carebus_extractor.settings import ExtractorSettings

NOTHING = Manifest(cdm_version="5.4", persons=0, tables={})

PLAN = """
import sys
from carebus_contracts.jobs import ExtractJob
from carebus_extractor.adapters import open_source
from carebus_extractor.settings import ExtractorSettings
job = ExtractJob.model_validate_json(sys.argv[1])
print(open_source(job.omop, ExtractorSettings.load()).plan(job).persons)
"""


def stages(settings: ExtractorSettings) -> list[str]:
    """The names of all whole stages."""
    return sorted(p.parent.name for p in settings.stage_dir.glob(f"*/{MANIFEST}"))


def test_source_is_staged_once(folder: Any) -> None:
    """A second plan and all slices find the first one's stage."""
    folder.persons(1, 2)
    folder.extract(slice_persons=1)
    (stage,) = stages(folder.settings)
    before = (folder.settings.stage_dir / stage / "person" / "data_0.parquet").stat().st_ino

    folder.extract(slice_persons=1)

    assert (folder.settings.stage_dir / stage / "person" / "data_0.parquet").stat().st_ino == before


def test_nothing_is_left_over(folder: Any) -> None:
    """Folders of engines and of copies are gone; the stage and its lock remain."""
    folder.persons(1)
    folder.extract()
    drop_kept_engine()

    assert len(stages(folder.settings)) == 1
    assert len(list(folder.settings.stage_dir.iterdir())) == 2


def test_failed_stage_leaves_nothing_behind(folder: Any) -> None:
    """The next try begins anew."""
    folder.write("person.csv", "person_id\n1")
    folder.write("death.csv", "strange,header,person_ids\n1,2,3")
    assert "does not fit death" in folder.refused()
    assert stages(folder.settings) == []

    folder.write("death.csv", "person_id\n1")

    assert folder.extract().tables["death"].emitted == 1


def test_only_the_stages_used_last_are_kept(folder: Any) -> None:
    """Each state of the source has a stage; the setting says how many stay."""
    folder.settings = folder.settings.model_copy(update={"stage_keep": 2})
    for last in (2, 3, 4):
        folder.persons(*range(1, last))
        folder.extract()
        for stage in stages(folder.settings):
            os.utime(folder.settings.stage_dir / stage, (last, last))

    assert len(stages(folder.settings)) == 2


def test_stage_in_use_is_not_cleaned_away(tmp_path: Path) -> None:
    """A reader's lock keeps it, however many newer ones there are."""
    settings = ExtractorSettings(stage_dir=tmp_path, stage_keep=1)
    with staged("old", settings, lambda folder: NOTHING):
        with staged("new", settings, lambda folder: NOTHING):
            pass
        assert stages(settings) == ["new-1", "old-1"]

    with staged("newest", settings, lambda folder: NOTHING):
        assert stages(settings) == ["newest-1"]


def test_stage_that_is_only_half_built_is_not_seen(tmp_path: Path) -> None:
    """It gets its name when it is whole."""
    settings = ExtractorSettings(stage_dir=tmp_path)

    def build(folder: Path) -> Manifest:
        (folder / "person.parquet").touch()
        raise JobError("no")

    with pytest.raises(JobError), staged("one", settings, build):
        pass

    assert [p.name for p in tmp_path.iterdir()] == ["one-1.lock"]


def test_replicas_on_a_machine_stage_once(folder: Any) -> None:
    """Three processes plan at the same moment: one builds, the others wait and find it."""
    folder.persons(*range(1, 500))
    environment = os.environ | {
        "CAREBUS_EXTRACTOR_ALLOWED_ROOTS": f"/nowhere, {folder.path}",
        "CAREBUS_EXTRACTOR_STAGE_DIR": str(folder.settings.stage_dir),
    }
    command = [sys.executable, "-c", PLAN, folder.job().model_dump_json(by_alias=True)]

    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [process.communicate(timeout=120)[0].strip() for process in running]

    assert answers == [b"499"] * 3
    assert len(list(folder.settings.stage_dir.iterdir())) == 2


def test_other_options_make_another_stage(folder: Any) -> None:
    """Fingerprints tell sources with other options apart."""
    folder.persons(1)
    comma = open_source(folder.job().omop, folder.settings).plan(folder.job())
    said = folder.job(omop={"delimiter": ","})

    assert open_source(said.omop, folder.settings).plan(said).fingerprint != comma.fingerprint
