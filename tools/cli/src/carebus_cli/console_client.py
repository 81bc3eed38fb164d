"""The console's HTTP API, from the command line."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import click
import httpx

TIMEOUT_S = 30.0


class Problem(click.ClickException):
    """One sentence on standard error; exit status 2, as for wrong usage."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence."""
        click.echo(self.format_message(), err=True, file=file)


class Refusal(Problem):
    """The console understood and said no; exit status 1."""

    exit_code = 1


class ConsoleClient:
    """Asks the console; an answer is JSON, everything else a ``Problem`` that says what to do."""

    def __init__(self, url: str, token: str = "", transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=TIMEOUT_S,
                transport=transport,
                # A proxy that the environment names would be asked for its own loopback, and get the token.
                trust_env=not _on_this_machine(httpx.URL(self.url).host),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise Problem(f"{url!r} is no address of a console: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, *path: str | int, **params: Any) -> Any:
        """Return what the console shows.

        Raises:
            Problem: It does not answer, or does not know it.
        """
        return self._ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, *path: str | int, json: Any = None, content: bytes | None = None) -> Any:
        """Tell the console something and return its answer.

        Raises:
            Refusal: It says no.
            Problem: It does not answer.
        """
        return self._ask("POST", path, json=json, content=content)

    def _ask(self, method: str, path: tuple[str | int, ...], **more: Any) -> Any:
        place = "/" + "/".join(quote(str(part), safe="") for part in path)
        try:
            answer = self._http.request(method, place, **more)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Problem(
                f"no console answers at {self.url} ({type(error).__name__}): start carebus-console, or say "
                "where it is with --console or CAREBUS_CONSOLE_URL"
            ) from None
        if answer.is_success:
            return _json(answer, self.url)
        if answer.status_code in (401, 403):
            raise Problem(
                f"the console at {self.url} asks for its token: set CAREBUS_CONSOLE_TOKEN or "
                "CAREBUS_CONSOLE_TOKEN_FILE, or name a file with --token-file"
            )
        sentences = "\n".join(_json(answer, self.url).get("reasons", ())) or f"HTTP {answer.status_code}"
        raise (Refusal if answer.status_code in (400, 409) else Problem)(sentences)


def read_token(file: Path | None, token: str) -> str:
    """Return the token that was given, by file first.

    Raises:
        Problem: The file cannot be read.
    """
    if file is None:
        return token
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"the token file {file} cannot be read: {type(error).__name__}") from None


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(answer: httpx.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise Problem(f"what answers at {url} is no carebus console (HTTP {answer.status_code})") from None
