"""The folder where OpenEMR keeps documents: a folder a patient, and in it files that are named by uuids.

OpenEMR finds a file by the last parts of its row's ``url``, whatever stands before them, so the two may
see the folder under different paths.

Source:
    OpenEMR 8.2.0-dev, ``Document`` (createDocument, get_filesystem_filepath).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from carebus_contracts.errors import TargetUnavailable

_OF_DOCUMENT = 8
"""First bytes that a file's uuid shares with its document's: so what is left of a document is known again."""
_START = 2 * _OF_DOCUMENT + 3
"""Characters that they are in a name, hyphens included."""
T = TypeVar("T")
_URL_LENGTH = 255
_LONGEST_PID = 19


def drive_uuid(document: bytes, content_hash: str) -> bytes:
    """Return the uuid that names the file of a document with this content, a UUIDv8.

    Another content gets another name: a file that a row tells of is never written again.
    """
    rest = bytearray(blake2b(content_hash.encode(), digest_size=16 - _OF_DOCUMENT).digest())
    rest[0] = 0x80 | rest[0] & 0x3F
    return document[:_OF_DOCUMENT] + bytes(rest)


class SitesFolder:
    """The documents of one site, by patient's number. Blocking: call it off the event loop."""

    def __init__(self, sites: Path, site: str) -> None:
        self.path = Path(os.path.abspath(sites)) / site / "documents"
        self._system = f"OpenEMR's folder {self.path}"

    def fault(self) -> str:
        """Return what keeps us from writing here, in a clause; nothing when nothing does."""
        if len(self.url(10**_LONGEST_PID - 1, bytes(16))) > _URL_LENGTH:
            return "its path is too long for OpenEMR's table documents"
        if not self.path.is_dir():
            return "it is not there, or is no folder"
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            return "this user may not write in it"
        return ""

    def check(self) -> None:
        """Look whether documents could be written.

        Raises:
            TargetUnavailable: They could not.
        """
        if fault := self.fault():
            raise self._away(fault)

    def url(self, pid: int, drive: bytes) -> str:
        """Return the ``url`` of a file's row."""
        return f"file://{self.path}/{pid}/{UUID(bytes=drive)}"

    def has(self, pid: int, drive: bytes) -> bool:
        """Whether a file is there.

        Raises:
            TargetUnavailable: The folder is not.
        """
        self.check()
        return (self.path / str(pid) / str(UUID(bytes=drive))).is_file()

    def write(self, pid: int, drive: bytes, content: bytes) -> bool:
        """Write a file so that it is there whole, and for good, or not at all.

        Returns:
            Whether more than this file is there of the document.

        Raises:
            TargetUnavailable: The folder does not take it.
        """
        return self._asked(lambda: self._write(pid, str(UUID(bytes=drive)), content))

    def remove(self, pid: int, document: bytes, *, but: str = "") -> None:
        """Remove the files of a document, and what is left of interrupted tries.

        Args:
            pid: Of the patient.
            document: The document's uuid.
            but: Name of the one file that stays.

        Raises:
            TargetUnavailable: The folder does not let us.
        """
        self._asked(lambda: self._remove(pid, str(UUID(bytes=document))[:_START], but))

    def _write(self, pid: int, name: str, content: bytes) -> bool:
        like = self.path.stat()
        # Who may read and write is what OpenEMR's administrator said of the folder above; others never.
        mode = stat.S_IMODE(like.st_mode) & 0o2770
        (self.path / str(pid)).mkdir(0o700, exist_ok=True)
        with _opened(self.path / str(pid)) as folder:
            if not (there := os.listdir(folder)):
                _give(folder, like, mode)
                with _opened(self.path.resolve()) as above:
                    os.fsync(above)
            # Who was given up may still be writing: two tries share no part.
            part = f"{name}.{uuid4().hex[:8]}.part"
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
            with open(descriptor, "wb") as file:
                file.write(content)
                _give(descriptor, like, mode & 0o660)
                file.flush()
                os.fsync(descriptor)
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        return any(n != name for n in there if n.startswith(name[:_START]))

    def _remove(self, pid: int, start: str, kept: str) -> None:
        try:
            with _opened(self.path / str(pid)) as folder:
                for name in os.listdir(folder):
                    if name.startswith(start) and name != kept:
                        os.unlink(name, dir_fd=folder)
                os.fsync(folder)
        except FileNotFoundError:  # the folder, or somebody removes the same
            return

    def _asked(self, what: Callable[[], T]) -> T:
        try:
            return what()
        except OSError as error:
            raise self._away(f"{type(error).__name__}, {os.strerror(error.errno or 0)}") from None

    def _away(self, why: str) -> TargetUnavailable:
        return TargetUnavailable(
            f"{self._system} takes no documents: {why}; see CAREBUS_OPENEMR_SITES_FOLDER",
            system=self._system,
        )


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Hold a folder open, and no other that a link would lead to: others may write beside us."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _give(descriptor: int, like: os.stat_result, mode: int) -> None:
    """Give a file or folder to those whose the folder above is, as far as we may."""
    if os.geteuid() == 0:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    if os.geteuid() in (0, os.fstat(descriptor).st_uid):
        os.fchmod(descriptor, mode)
