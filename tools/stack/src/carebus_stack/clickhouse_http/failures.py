"""The engine's errors as the server would answer them."""

import re
from http import HTTPStatus

# As in ClickHouse's HTTPHandler: by the error's code; everything else is 500.
_BAD_REQUEST = {6, 25, 26, 27, 36, 38, 41, 53, 62, 72, 117, 167, 168, 321, 427, 441, 676, 677}
_NOT_FOUND = {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336}
STATUS_OF_CODE = {
    **dict.fromkeys(_BAD_REQUEST, HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(_NOT_FOUND, HTTPStatus.NOT_FOUND),
    48: HTTPStatus.NOT_IMPLEMENTED,
    159: HTTPStatus.REQUEST_TIMEOUT,
    209: HTTPStatus.SERVICE_UNAVAILABLE,
}
# STD_EXCEPTION: what a server says for an error that has no code of its own.
NO_CODE = 1002


def code_of(text: str) -> int:
    """Return the number after `Code:` in an engine's message."""
    match = re.search(r"Code:\s*(\d+)", text)
    return int(match.group(1)) if match else NO_CODE


def status_of(code: int) -> HTTPStatus:
    """Return the HTTP status of an error code."""
    return STATUS_OF_CODE.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


def message_of(text: str, *, version: str) -> str:
    """Return the body of an error answer: `Code: 60. DB::Exception: ... (version ...)`."""
    found = text.find("Code:")
    body = text[found:] if found >= 0 else f"Code: {NO_CODE}. DB::Exception: {text}"
    return f"{body.strip()} (version {version} (chdb))\n"
