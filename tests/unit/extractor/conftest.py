"""A folder of hand-written files, and what comes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import ExtractJob
from carebus_extractor.settings import ExtractorSettings

from .extracting import ACCEPTED_MS, Extracted, extract


class Folder:
    """A folder with files of a source."""

    def __init__(self, path: Path) -> None:
        self.path = path / "source"
        self.path.mkdir()
        self.settings = ExtractorSettings(allowed_roots=(str(path),), stage_dir=path / "stage")

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file; the margin of a text is taken off."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = "\n".join(line.strip(" ") for line in content.strip("\n ").split("\n")).encode() + b"\n"
        target.write_bytes(content)

    def persons(self, *ids: int) -> None:
        """Write a PERSON of people without particulars."""
        self.write("person.csv", "person_id,year_of_birth\n" + "\n".join(f"{i},1950" for i in ids))

    def job(self, **options: Any) -> ExtractJob:
        """A job that reads this folder."""
        place = {"format": "csv", "path": str(self.path)} | options.pop("omop", {})
        return ExtractJob.model_validate(
            {"kind": "extract", "source": "ward", "omop": place, "targets": ["postgres"]} | options
        )

    def extract(self, **options: Any) -> Extracted:
        """Plan a job and read all of its slices."""
        out = extract(self.job(**options), self.settings)
        assert out.versions <= {ACCEPTED_MS}
        return out

    def refused(self, **options: Any) -> str:
        """The sentence with which a job fails."""
        with pytest.raises(JobError) as caught:
            self.extract(**options)
        return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder under an allowed root."""
    return Folder(tmp_path)
