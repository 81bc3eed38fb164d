"""Where the files of a job go: sinks under the folders that this worker may write to."""

from __future__ import annotations

from pathlib import Path

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import DataFiles, GenerateJob
from carebus_generator.adapters.encryption import Key
from carebus_generator.adapters.packing import Packing
from carebus_generator.adapters.sinks import Sink, open_sink
from carebus_generator.data_set import DataSet
from carebus_generator.settings import GeneratorSettings


class Outputs:
    """Opens the sinks of jobs."""

    def __init__(self, settings: GeneratorSettings) -> None:
        self._settings = settings

    def sinks(self, job: GenerateJob, data_set: DataSet) -> list[Sink]:
        """Return a sink for each of the job's files.

        Raises:
            JobError: One lies outside the allowed roots, twice in one place, or needs a key that is not there.
        """
        places = [self.place(files, number) for number, files in enumerate(job.files)]
        for number, place in enumerate(places):
            if place in places[:number]:
                raise JobError(f"files.{number}.url: each needs a folder of its own")
        return [
            open_sink(
                place,
                data_set.made_from,
                data_set.surroundings,
                form=files.format,
                packing=self._packing(files, number),
            )
            for number, (files, place) in enumerate(zip(job.files, places, strict=True))
        ]

    def place(self, files: DataFiles, number: int) -> str:
        """Return the folder of one of a job's files.

        Raises:
            JobError: It lies outside the allowed roots.
        """
        protocol, separator, rest = files.url.partition("://")
        roots = self._settings.allowed_roots
        if separator and protocol not in {"file", "local"}:
            url = files.url.rstrip("/")
            remote = [root.rstrip("/") for root in roots if "://" in root]
            if ".." not in url.split("/") and any(url == r or url.startswith(r + "/") for r in remote):
                return url
        else:
            try:
                local = Path(rest if separator else files.url).expanduser().resolve()
            except (OSError, RuntimeError, ValueError):  # a loop of links, nobody's home, a null byte
                raise JobError(f"files.{number}.url: is no path of a folder on this machine") from None
            own = [_local(root) for root in roots if "://" not in root or root.startswith("file://")]
            if any(local.is_relative_to(root) for root in own):
                return str(local)
        raise JobError(
            f"files.{number}.url: lies outside the places that this worker may write to; "
            "CAREBUS_GENERATOR_ALLOWED_ROOTS names them"
        )

    def _packing(self, files: DataFiles, number: int) -> Packing:
        if not files.encrypted:
            return Packing(files.compression)
        if self._settings.key_file is None:
            raise JobError(
                f"files.{number}.encrypted: this worker has no key; CAREBUS_GENERATOR_KEY_FILE names its file"
            )
        return Packing(files.compression, Key.read(self._settings.key_file))


def _local(root: str) -> Path:
    return Path(root.removeprefix("file://")).expanduser().resolve()
