"""The HTTP side: a thread a connection, as clients keep theirs open."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import lz4.frame
import zstandard

from carebus_stack.ports import LOOPBACK

from .bodies import BadBody, Body, decoded
from .engine import Engine
from .failures import code_of, message_of, status_of
from .requests import Query, parse_query

PLAIN = "text/plain; charset=UTF-8"


class Front(ThreadingHTTPServer):
    """Serves one engine on loopback."""

    daemon_threads = True  # an idle client must not keep us from ending
    request_queue_size = 128

    def __init__(self, port: int, engine: Engine) -> None:
        self.engine = engine
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking the resolver for our name, which may take seconds offline."""
        # So that connections of clients to a server before us do not keep us from its port.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    # One packet an answer, sent at once: else each answer waits 40 ms for a delayed ACK.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server_version = "carebus-clickhouse"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log no requests: their statements may hold data."""

    def handle_expect_100(self) -> bool:
        """Tell a client that waits with its body to go on; our answers are buffered, this one not."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def do_GET(self) -> None:
        self._serve(iter(()))

    def do_HEAD(self) -> None:
        self._serve(iter(()))

    def do_POST(self) -> None:
        chunked = (self.headers.get("Transfer-Encoding") or "").lower() == "chunked"
        length = int(self.headers.get("Content-Length") or 0)
        body = Body(self.rfile, length=length, chunked=chunked)
        try:
            encoding = (self.headers.get("Content-Encoding") or "").lower()
            self._serve(decoded(body, encoding))
            body.drain()  # what a failed insert left of it
        except BadBody as error:
            self.close_connection = True
            self._fail(str(error), status=HTTPStatus.BAD_REQUEST)

    def _serve(self, body: Iterator[bytes]) -> None:
        url = urlsplit(self.path)
        if url.path == "/ping" or (self.command != "POST" and not url.query):
            self._answer(HTTPStatus.OK, b"Ok.\n", content_type=PLAIN)
            return
        query = parse_query(url.query, self.headers.get("Content-Type") or "", body)
        begun = time.perf_counter_ns()
        try:
            with self.server.engine.connection(
                session=query.session, database=query.database, settings=query.settings
            ) as connection:
                out, summary = _run(connection, query)
        except BadBody:
            raise
        except Exception as error:
            self._fail(str(error), query_id=query.query_id)
            return
        summary |= {"elapsed_ns": str(time.perf_counter_ns() - begun), "query_id": query.query_id}
        self._answer(
            HTTPStatus.OK,
            out,
            content_type="application/octet-stream",
            compress=query.compress,
            headers={
                **_common(query.query_id),
                "X-ClickHouse-Summary": json.dumps(summary),
                "X-ClickHouse-Format": query.format,
            },
        )

    def _fail(self, text: str, *, query_id: str = "", status: HTTPStatus | None = None) -> None:
        code = code_of(text)
        body = message_of(text, version=self.server.engine.version).encode()
        headers = {**_common(query_id), "X-ClickHouse-Exception-Code": str(code)}
        self._answer(status or status_of(code), body, content_type=PLAIN, headers=headers)

    def _answer(
        self,
        status: HTTPStatus,
        body: bytes,
        *,
        content_type: str,
        headers: dict[str, str] | None = None,
        compress: bool = False,
    ) -> None:
        encoding, data = self._encoded(body) if compress and body else (None, body)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _encoded(self, body: bytes) -> tuple[str | None, bytes]:
        accepted = (self.headers.get("Accept-Encoding") or "").lower()
        names = [item.partition(";")[0].strip() for item in accepted.split(",")]
        if "zstd" in names:
            return "zstd", zstandard.ZstdCompressor(1).compress(body)
        if "lz4" in names:
            return "lz4", lz4.frame.compress(body)
        if "gzip" in names:
            return "gzip", gzip.compress(body, 1)
        return None, body


def _run(connection: Any, query: Query) -> tuple[bytes, dict[str, str]]:
    if query.data is not None:
        return b"", _insert(connection, query)
    given = (query.sql, query.format)
    result = connection.query(*given, query.parameters) if query.parameters else connection.query(*given)
    out = bytes(result.bytes() or b"")
    read = str(result.rows_read())
    return out, _summary(read_rows=read, read_bytes=str(result.bytes_read()), result_rows=read, size=len(out))


def _insert(connection: Any, query: Query) -> dict[str, str]:
    """Feed the data to the engine as it arrives, so that memory does not grow with the body."""
    size = 0
    # Leaving the block without finish() cancels, also when the body turns out to be broken.
    with connection.send_insert(query.sql, query.format) as inserter:
        for chunk in query.data or ():
            size += len(chunk)
            inserter.append(chunk)
        result = inserter.finish()
    rows = str(result.rows_written)
    return _summary(written_rows=rows, written_bytes=str(size), result_rows=rows)


def _summary(*, size: int = 0, **values: str) -> dict[str, str]:
    names = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read")
    return {**dict.fromkeys(names, "0"), "result_rows": "0", "result_bytes": str(size), **values}


def _common(query_id: str) -> dict[str, str]:
    return {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Server-Display-Name": "chdb",
        "X-ClickHouse-Timezone": "UTC",
    }
