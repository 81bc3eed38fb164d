"""Text into the bytes of a file and back: compressed, then encrypted, and hashed on the way.

Packed pieces may be put behind each other without unpacking: gzip has members, zstd has frames, and
encrypted files have members.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

import zstandard

from carebus_contracts.errors import JobError

if TYPE_CHECKING:
    from carebus_generator.adapters.encryption import Key

Compression = Literal["none", "gzip", "zstd"]

GZIP_LEVEL = 1
"""Measured on bundles: level 6 takes three times as long for a tenth less."""
ZSTD_LEVEL = 1
"""Measured on bundles: level 3 takes half as long again for a tenth less."""
WRITE_BYTES = 256 * 1024
_SUFFIXES: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True)
class Packing:
    """How the files of a data set are packed."""

    compression: Compression = "none"
    key: Key | None = None

    @property
    def suffix(self) -> str:
        """What names of files end in."""
        return _SUFFIXES[self.compression] + (".enc" if self.key else "")


class Hashed:
    """A file below that counts and hashes what is written to it."""

    def __init__(self, below: BinaryIO) -> None:
        self._below = below
        self._hash = sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Write, count and hash."""
        self._hash.update(data)
        self.bytes += len(data)
        self._below.write(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of all bytes so far, as hex digits."""
        return self._hash.hexdigest()


@contextmanager
def packed(below: Hashed, packing: Packing) -> Iterator[Callable[[bytes], object]]:
    """Give a function that takes text and writes it packed; the end of the block ends the piece."""
    encrypting = packing.key.writer(cast(BinaryIO, below)) if packing.key else None
    write: Callable[[bytes], object] = encrypting.write if encrypting else below.write
    match packing.compression:
        case "none":
            yield write
        case "gzip":
            # no name and no time inside: the same text gives the same bytes
            gzipped = zlib.compressobj(GZIP_LEVEL, wbits=31)
            yield lambda text: write(gzipped.compress(text))
            write(gzipped.flush())
        case "zstd":
            zipped = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()
            yield lambda text: write(zipped.compress(text))
            write(zipped.flush())
    if encrypting:
        encrypting.finish()


@contextmanager
def unpacked(below: BinaryIO, packing: Packing, name: str) -> Iterator[BinaryIO]:
    """Give a stream of the text of a packed file.

    Raises:
        JobError: On reading: it was changed or cut, or the key does not fit.
    """
    if packing.key:
        below = cast(BinaryIO, io.BufferedReader(packing.key.reader(below, name), WRITE_BYTES))
    try:
        match packing.compression:
            case "none":
                yield below
            case "gzip":
                with gzip.open(below, "rb") as text:
                    yield cast(BinaryIO, text)
            case "zstd":
                reader = zstandard.ZstdDecompressor().stream_reader(below, read_across_frames=True)
                yield cast(BinaryIO, io.BufferedReader(reader, WRITE_BYTES))
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise JobError(f"{name} cannot be unpacked: it was changed or cut") from error
