"""The client of the console's API over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from carebus_cli.console_client import ConsoleClient


class _Console(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"jobs": []}')

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def console() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Console)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_not_asked_for_this_machine(
    console: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look at its own loopback, and read the token."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")  # the discard port: nobody answers

    with ConsoleClient(console, "token") as client:
        assert client.get("jobs") == {"jobs": []}
