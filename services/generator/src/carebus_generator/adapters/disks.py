"""Whether disks have room for the files of a data set, asked before it is made."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from carebus_generator.domain.estimates import Estimate, room_warning

Wanted = tuple[str, str, str]
"""Folder or URL, format, compression."""


def disk_warnings(told: Estimate, files: Iterable[Wanted]) -> tuple[str, ...]:
    """Return a sentence for each local disk that has too little room for all the files that go there.

    What is not local is not asked: object stores have no size.
    """
    needed: dict[int, int] = {}
    places: dict[int, Path] = {}
    for url, form, compression in files:
        if (place := _disk(url)) is not None:
            disk = place.stat().st_dev
            places.setdefault(disk, place)
            needed[disk] = needed.get(disk, 0) + told.room_bytes(form, compression)
    found = (
        room_warning(count, shutil.disk_usage(places[disk]).free, str(places[disk]))
        for disk, count in needed.items()
    )
    return tuple(warning for warning in found if warning)


def _disk(url: str) -> Path | None:
    """Return the nearest folder that is there already, or None where the URL is not local."""
    protocol, separator, rest = url.partition("://")
    if separator and protocol not in {"file", "local"}:
        return None
    path = Path(rest if separator else url).absolute()
    return next((place for place in (path, *path.parents) if place.is_dir()), None)
