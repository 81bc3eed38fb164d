"""Requests to the ClickHouse front are read as a server reads them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from urllib.parse import urlencode

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from carebus_stack.clickhouse_http.bodies import BadBody, Body, decoded, split_insert
from carebus_stack.clickhouse_http.engine import quoted_name, quoted_text
from carebus_stack.clickhouse_http.failures import code_of, message_of, status_of
from carebus_stack.clickhouse_http.requests import parse_query

COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The data as a socket may give it."""
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.mark.parametrize("encoding", COMPRESS)
@given(frames=st.lists(st.binary(max_size=200), min_size=1, max_size=5), size=st.integers(1, 64))
def test_any_number_of_frames_in_any_pieces_decodes_whole(
    encoding: str, frames: list[bytes], size: int
) -> None:
    """Neither the cut of pieces nor the end of a frame loses a byte."""
    body = b"".join(COMPRESS[encoding](frame) for frame in frames)

    assert b"".join(decoded(pieces(body, size), encoding)) == b"".join(frames)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_cut_off_is_refused(encoding: str) -> None:
    """Half a frame is an error, not fewer rows."""
    body = COMPRESS[encoding](b"rows" * 1000)

    with pytest.raises(BadBody):
        list(decoded(pieces(body[:-3], 7), encoding))


def test_an_unknown_encoding_is_refused() -> None:
    """The message names what is supported."""
    with pytest.raises(BadBody, match="br is not supported"):
        decoded([b""], "br")


@pytest.mark.parametrize(
    ("body", "statement", "data"),
    [
        (b"INSERT INTO t FORMAT Native\n\x01\x02", "INSERT INTO t", b"\x01\x02"),
        (b"insert into t (a, b) format JSONCompactEachRow\r\n[1]", "insert into t (a, b)", b"[1]"),
        (b"INSERT INTO t\nFORMAT CSV;\n1,2", "INSERT INTO t", b"1,2"),
    ],
    ids=["binary", "lower case and CRLF", "semicolon"],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_insert_leads_its_data(body: bytes, statement: str, data: bytes, size: int) -> None:
    """However the body is cut, the statement ends at its line."""
    query = parse_query("", "", pieces(body, size))

    assert query.sql == statement
    assert query.data is not None
    assert b"".join(query.data) == data


@pytest.mark.parametrize(
    "body",
    [
        b"INSERT INTO t SELECT 1 FORMAT Native\n",
        b"INSERT INTO t VALUES ('FORMAT x\n')",
        b"SELECT 1",
        b"",
    ],
    ids=["insert select", "values", "select", "nothing"],
)
def test_other_statements_are_taken_whole(body: bytes) -> None:
    """Nothing of them is data."""
    statement, data = split_insert(pieces(body, 4))

    assert (statement, data) == (body, None)


def test_data_come_as_the_body_when_the_statement_is_in_the_url() -> None:
    """The format is taken from the statement's end."""
    url = urlencode({"query": "INSERT INTO t FORMAT JSONEachRow", "insert_deduplication_token": "x"})

    query = parse_query(url, "", pieces(b'{"a":1}', 3))

    assert (query.sql, query.format, dict(query.settings)) == (
        "INSERT INTO t",
        "JSONEachRow",
        {"insert_deduplication_token": "x"},
    )
    assert query.data is not None
    assert b"".join(query.data) == b'{"a":1}'


def test_a_select_goes_on_in_the_body() -> None:
    """Statement in the URL and body are one text."""
    query = parse_query(urlencode({"query": "SELECT *"}), "", iter([b"FROM t"]))

    assert (query.sql, query.data) == ("SELECT *\nFROM t", None)


def test_parameters_settings_and_the_interface_are_told_apart() -> None:
    """Only settings go to SET."""
    url = urlencode(
        {"database": "d", "session_id": "s", "max_threads": "2", "param_x": "1", "query_id": "q", "user": "u"}
    )

    query = parse_query(url, "", iter([b"SELECT {x:UInt8} FORMAT TSV;"]))

    assert (query.database, query.session, query.query_id, query.format) == ("d", "s", "q", "TSV")
    assert (dict(query.settings), dict(query.parameters)) == ({"max_threads": "2"}, {"x": "1"})


def test_a_form_carries_parameters() -> None:
    """Clients send long ones so."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT {x:String}\r\n'
        b'--b\r\nContent-Disposition: form-data; name="param_x"\r\n\r\nlong\r\n--b--\r\n'
    )

    query = parse_query("", "multipart/form-data; boundary=b", pieces(body, 10))

    assert (query.sql, dict(query.parameters)) == ("SELECT {x:String}", {"x": "long"})


def test_chunk_marks_are_no_part_of_the_body() -> None:
    """Chunks, their extensions and trailers."""
    stream = io.BytesIO(b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\nnext")

    body = Body(stream, length=0, chunked=True)

    assert b"".join(body) == b"abcde"
    assert stream.read() == b"next"


def test_a_reader_that_gives_up_leaves_the_rest_to_be_drained() -> None:
    """The next request of the connection starts where this one's body ends."""
    stream = io.BytesIO(b"broken rowsGET / ")
    body = Body(stream, length=11, chunked=False)
    query = parse_query(urlencode({"query": "INSERT INTO t FORMAT CSV"}), "", decoded(body, ""))
    del query

    body.drain()

    assert stream.read() == b"GET / "


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("Code: 60. DB::Exception: no table", 60, 404),
        ("append failed: Code: 27. DB::Exception: bad", 27, 400),
        ("Code: 241. DB::Exception: memory", 241, 500),
        ("no code at all", 1002, 500),
    ],
)
def test_errors_have_code_and_status(text: str, code: int, status: int) -> None:
    """The message starts with the code, whatever stood before it."""
    assert code_of(text) == code
    assert status_of(code_of(text)) == status
    assert message_of(text, version="1").startswith(f"Code: {code}. DB::Exception:")


def test_names_and_texts_are_quoted() -> None:
    """A value of a request cannot leave its quotes."""
    assert quoted_name("a`b\\") == "`a\\`b\\\\`"
    assert quoted_text("it's \\") == "'it\\'s \\\\'"
