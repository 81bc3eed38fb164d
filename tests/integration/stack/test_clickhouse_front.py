"""The ClickHouse front behaves as a server towards clients."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import clickhouse_connect
import lz4.frame
import pytest

from carebus_stack import LocalStack
from integration.stack.clients import answer, ask


@pytest.fixture
def table(up: LocalStack) -> Iterator[str]:
    """An empty table (a UInt64, b String)."""
    ask(up.endpoints, "CREATE OR REPLACE TABLE front (a UInt64, b String) ENGINE MergeTree ORDER BY a")
    yield "front"
    ask(up.endpoints, "DROP TABLE front")


def test_statement_and_data_in_one_body(up: LocalStack, table: str) -> None:
    """An INSERT may lead the body that holds its rows."""
    ask(up.endpoints, b'INSERT INTO front FORMAT JSONCompactEachRow\n[1,"x"]\n[2,"y"]\n')

    assert ask(up.endpoints, "SELECT a, b FROM front ORDER BY a") == "1\tx\n2\ty\n"


def test_data_in_chunks_is_streamed(up: LocalStack, table: str) -> None:
    """A chunked body of rows goes in whole, with the statement in the URL."""
    rows = (f'[{n},"{"x" * 500}"]\n'.encode() for n in range(5_000))

    status, _, headers = answer(up.endpoints, rows, query="INSERT INTO front FORMAT JSONCompactEachRow")

    assert status == 200
    assert '"written_rows": "5000"' in headers["X-ClickHouse-Summary"]
    assert ask(up.endpoints, "SELECT count() FROM front") == "5000\n"


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_clickhouse_connect_inserts_every_row(up: LocalStack, table: str, compression: str | bool) -> None:
    """Compressed blocks of clickhouse-connect arrive whole: a frame for each block."""
    endpoint = up.endpoints.clickhouse
    client = clickhouse_connect.get_client(
        host=endpoint.host, port=endpoint.port, database=endpoint.database, compress=compression
    )

    client.insert(table, [(n, str(n)) for n in range(100_000)], column_names=["a", "b"])

    assert client.query(f"SELECT count(), sum(a) FROM {table}").result_rows == [(100_000, 4_999_950_000)]


def test_several_frames_in_one_body(up: LocalStack, table: str) -> None:
    """Decoding goes on after the end of a frame."""
    body = lz4.frame.compress(b'[1,"x"]\n') + lz4.frame.compress(b'[2,"y"]\n')
    endpoint = up.endpoints.clickhouse
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    url = "/?database=carebus&query=INSERT+INTO+front+FORMAT+JSONCompactEachRow"

    connection.request("POST", url, body=body, headers={"Content-Encoding": "lz4"})
    status = connection.getresponse().status

    assert status == 200
    assert ask(up.endpoints, "SELECT sum(a) FROM front") == "3\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT * FROM nowhere", 404, "60"),
        ("SELEC 1", 400, "62"),
        ("SELECT nothing", 404, "47"),
        ("SELECT throwIf(1)", 500, "395"),
    ],
    ids=["unknown table", "syntax", "unknown column", "at run time"],
)
def test_errors_are_those_of_a_server(up: LocalStack, sql: str, status: int, code: str) -> None:
    """An error has its HTTP status, its code in a header, and `Code: N` at the start of its text."""
    found, text, headers = answer(up.endpoints, sql)

    assert (found, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert text.startswith(f"Code: {code}. DB::Exception:")


def test_a_broken_row_refuses_the_insert(up: LocalStack, table: str) -> None:
    """Data that do not parse are an error, and nothing of the block is kept."""
    status, text, _ = answer(
        up.endpoints, b'[1,"x"]\nbroken\n', query="INSERT INTO front FORMAT JSONCompactEachRow"
    )

    assert status == 400
    assert "Code: 27" in text
    assert ask(up.endpoints, "SELECT count() FROM front") == "0\n"


def test_a_connection_serves_on_after_an_error(up: LocalStack, table: str) -> None:
    """What a failed insert left of its body is not read as the next request."""
    endpoint = up.endpoints.clickhouse
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    body = b"broken\n" + b'[1,"x"]\n' * 400_000
    connection.request("POST", "/?query=INSERT+INTO+carebus.front+FORMAT+JSONCompactEachRow", body=body)
    refused = connection.getresponse()
    refused.read()

    connection.request("POST", "/", body=b"SELECT 7")
    served = connection.getresponse()

    assert (refused.status, served.status, served.read()) == (400, 200, b"7\n")


def test_a_broken_compressed_body_inserts_nothing(up: LocalStack, table: str) -> None:
    """A body cut off in a frame is refused and its insert cancelled."""
    whole = gzip.compress(b"".join(b'[%d,"x"]\n' % n for n in range(1000)))
    endpoint = up.endpoints.clickhouse
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    url = "/?database=carebus&query=INSERT+INTO+front+FORMAT+JSONCompactEachRow"

    connection.request("POST", url, body=whole[:-40], headers={"Content-Encoding": "gzip"})
    status = connection.getresponse().status

    assert status == 400
    assert ask(up.endpoints, "SELECT count() FROM front") == "0\n"


def test_settings_and_database_do_not_leak(up: LocalStack) -> None:
    """A query's settings and database are gone with it, whichever connection the next one gets."""
    ask(up.endpoints, "SELECT 1", max_threads="1", database="system")

    found = {
        ask(up.endpoints, "SELECT getSetting('max_threads') = 1, currentDatabase()", database="default")
        for _ in range(20)
    }

    assert found == {"0\tdefault\n"}


def test_an_unknown_setting_is_refused_and_harms_nobody(up: LocalStack) -> None:
    """A wrong setting is that query's error; the next query is served."""
    status, text, _ = answer(up.endpoints, "SELECT 1", not_a_setting="1")

    assert (status, "Code: 115" in text) == (404, True)
    assert ask(up.endpoints, "SELECT 1") == "1\n"


def test_parameters_are_bound_by_the_server(up: LocalStack) -> None:
    """`{name:Type}` takes its value from the request."""
    assert ask(up.endpoints, "SELECT {n:UInt8} + 1", param_n="41") == "42\n"


def test_a_session_keeps_its_temporary_table(up: LocalStack) -> None:
    """Queries of one session share a connection; other queries do not see its table."""
    ask(up.endpoints, "CREATE TEMPORARY TABLE scratch (a UInt8)", session_id="s1")

    assert ask(up.endpoints, "SELECT count() FROM scratch", session_id="s1") == "0\n"
    assert answer(up.endpoints, "SELECT count() FROM scratch")[0] == 404


def test_many_clients_at_once(up: LocalStack, table: str) -> None:
    """Parallel inserts and reads all come through."""

    def one(number: int) -> str:
        ask(up.endpoints, f'INSERT INTO front FORMAT JSONCompactEachRow\n[{number},"x"]')
        return ask(up.endpoints, f"SELECT a FROM front WHERE a = {number}")

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one, range(60)))

    assert found == [f"{number}\n" for number in range(60)]


def test_a_failed_connection_of_clickhouse_connect_says_the_code(up: LocalStack) -> None:
    """clickhouse-connect finds the error where it looks for it."""
    endpoint = up.endpoints.clickhouse
    client = clickhouse_connect.get_client(host=endpoint.host, port=endpoint.port)

    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="code: 60"):
        client.query("SELECT * FROM nowhere")
