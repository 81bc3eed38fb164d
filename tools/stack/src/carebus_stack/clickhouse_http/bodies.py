"""Request bodies: read as they arrive, decompressed as they arrive."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedIOBase

import lz4.frame
import zstandard

CHUNK_BYTES = 1 << 20
# `INSERT INTO t (a, b) FORMAT Native\n<bytes>`: statement and data in one body. An INSERT ... SELECT
# and an INSERT ... VALUES are not such, hence neither word before the format.
INSERT_WITH_DATA = re.compile(
    rb"(\s*INSERT\s+INTO\b(?:(?!\b(?:SELECT|VALUES)\b).)*?\bFORMAT\s+\w+)[ \t]*(?:\r?\n|;[ \t]*(?:\r?\n)?)",
    re.IGNORECASE | re.DOTALL,
)
# A statement in front of its data is far shorter than this.
HEAD_BYTES = 1 << 18


class BadBody(ValueError):
    """The body is not what its headers say."""


class Body(Iterator[bytes]):
    """The body as it comes from the socket, without HTTP's chunk marks.

    Not a plain generator: `yield from` closes one when its own reader gives up, and the rest of
    the body could no longer be read away.
    """

    def __init__(self, stream: BufferedIOBase, *, length: int, chunked: bool) -> None:
        self._chunks = _raw_chunks(stream, length=length, chunked=chunked)

    def __next__(self) -> bytes:
        """Return the next bytes."""
        return next(self._chunks)

    def drain(self) -> None:
        """Read what is left and forget it: the next request of the connection follows it."""
        for _ in self._chunks:
            pass


def _raw_chunks(stream: BufferedIOBase, *, length: int, chunked: bool) -> Iterator[bytes]:
    if not chunked:
        yield from _exactly(stream, length)
        return
    while size := _chunk_size(stream):
        yield from _exactly(stream, size)
        stream.readline()
    while stream.readline().strip():  # trailers
        pass


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the body without its Content-Encoding.

    clickhouse-connect writes one lz4 frame (or zstd frame) for each block: decoding must go on
    after the end of a frame, or rows are lost in silence.
    """
    if encoding in ("", "identity"):
        return iter(chunks)
    if encoding == "gzip":
        return _frames(chunks, lambda: _zlib_frame(16 + zlib.MAX_WBITS))
    if encoding == "deflate":
        return _frames(chunks, lambda: _zlib_frame(zlib.MAX_WBITS))
    if encoding == "lz4":
        return _frames(chunks, _lz4_frame)
    if encoding == "zstd":
        return _frames(chunks, _zstd_frame)
    raise BadBody(f"Content-Encoding {encoding} is not supported; use gzip, lz4 or zstd")


def split_insert(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes] | None]:
    """Part a body into its statement and, for an INSERT with data, the data as it arrives.

    Returns:
        The statement and the data; the data is None when the body is a statement alone.
    """
    head, match = b"", None
    for chunk in chunks:
        head += chunk
        match = INSERT_WITH_DATA.match(head)
        # At the very end of what came so far, a line break after the semicolon may follow.
        if (match and match.end() < len(head)) or len(head) > HEAD_BYTES:
            break
    if match:
        return match.group(1), _chain(head[match.end() :], chunks)
    return head + b"".join(chunks), None


class _Frame:
    """One compressed frame: bytes in, bytes out, and what follows its end."""

    def __init__(
        self,
        decompress: Callable[[bytes], bytes],
        ended: Callable[[], bool],
        rest: Callable[[], bytes],
    ) -> None:
        self.decompress, self.ended, self.rest = decompress, ended, rest


def _zlib_frame(window: int) -> _Frame:
    inner = zlib.decompressobj(window)
    return _Frame(inner.decompress, lambda: inner.eof, lambda: inner.unused_data)


def _lz4_frame() -> _Frame:
    inner = lz4.frame.LZ4FrameDecompressor()
    return _Frame(inner.decompress, lambda: inner.eof, lambda: inner.unused_data or b"")


def _zstd_frame() -> _Frame:
    inner = zstandard.ZstdDecompressor().decompressobj()
    return _Frame(inner.decompress, lambda: inner.eof, lambda: inner.unused_data)


def _frames(chunks: Iterable[bytes], new: Callable[[], _Frame]) -> Iterator[bytes]:
    frame: _Frame | None = None
    for chunk in chunks:
        data = chunk
        while data:
            frame = frame or new()
            try:
                out = frame.decompress(data)
            except (zlib.error, RuntimeError, zstandard.ZstdError) as error:
                raise BadBody(f"the compressed body is broken: {error}") from error
            if out:
                yield out
            if not frame.ended():
                break
            data, frame = frame.rest(), None
    if frame is not None:
        raise BadBody("the compressed body ends in the middle of a frame")


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _exactly(stream: BufferedIOBase, size: int) -> Iterator[bytes]:
    while size:
        chunk = stream.read(min(size, CHUNK_BYTES))
        if not chunk:
            raise BadBody("the connection ended in the middle of the body")
        size -= len(chunk)
        yield chunk


def _chunk_size(stream: BufferedIOBase) -> int:
    line = stream.readline()
    try:
        return int(line.split(b";")[0], 16)
    except ValueError:
        raise BadBody("the chunked body is broken") from None
