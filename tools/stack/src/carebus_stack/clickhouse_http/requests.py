"""What an HTTP request asks of the engine."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from urllib.parse import parse_qsl

from .bodies import split_insert

# Parameters of the interface itself; all others are settings of the query.
INTERFACE = frozenset(
    {
        "query", "database", "default_format", "session_id", "session_timeout", "session_check",
        "query_id", "compress", "decompress", "buffer_size", "wait_end_of_query", "quota_key",
        "client_protocol_version", "role", "user", "password", "enable_http_compression",
        "http_zlib_compression_level", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
    }
)  # fmt: skip
FORMAT_AT_END = re.compile(r"\bFORMAT\s+(\w+)\s*(?:;\s*)?\Z", re.IGNORECASE)
INSERT = re.compile(r"\A\s*INSERT\s+INTO\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement, and for an insert its data."""

    sql: str
    data: Iterator[bytes] | None
    query_id: str
    format: str
    database: str | None
    session: str | None
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    compress: bool
    """Whether the client wants a compressed answer."""


def parse_query(url_query: str, content_type: str, body: Iterator[bytes]) -> Query:
    """Return the query of a request.

    The statement may stand in the URL with data as the body, or lead the body; with a
    multipart body its parts are parameters.
    """
    given = dict(parse_qsl(url_query, keep_blank_values=True))
    if content_type.startswith("multipart/form-data"):
        given |= _form(content_type, b"".join(body))
        body = iter(())
    sql, data = _statement(given.get("query", ""), body)
    found = FORMAT_AT_END.search(sql)
    if data is not None:
        # `Values` is what an INSERT without FORMAT means.
        form = found.group(1) if found else "Values"
        sql = FORMAT_AT_END.sub("", sql).strip()
    else:
        form = found.group(1) if found else given.get("default_format") or "TabSeparated"
        sql = sql.strip().removesuffix(";")
    return Query(
        sql=sql,
        data=data,
        query_id=given.get("query_id") or str(uuid.uuid4()),
        format=form,
        database=given.get("database") or None,
        session=given.get("session_id") or None,
        settings={
            name: value
            for name, value in given.items()
            if name not in INTERFACE and not name.startswith("param_")
        },
        parameters={n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")},
        compress=given.get("enable_http_compression") == "1",
    )


def _statement(in_url: str, body: Iterator[bytes]) -> tuple[str, Iterator[bytes] | None]:
    if not in_url:
        statement, data = split_insert(body)
        return statement.decode(), data
    first = next(body, b"")
    if INSERT.match(in_url):
        return in_url, _prepend(first, body) if first else None
    # Any other statement simply goes on in the body.
    rest = first + b"".join(body)
    return (f"{in_url}\n{rest.decode()}" if rest else in_url), None


def _prepend(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _form(content_type: str, body: bytes) -> dict[str, str]:
    head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    message = BytesParser().parsebytes(head + body)
    fields = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode()
    return fields
