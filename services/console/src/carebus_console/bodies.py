"""Bodies of requests: JSON or YAML, bounded, and no YAML that grows when it is read."""

from __future__ import annotations

from typing import Any

import orjson
import yaml
from starlette.requests import Request

from carebus_console.domain.admission import MAX_REQUEST_BYTES
from carebus_contracts.errors import InvalidMessage


class _PlainLoader(yaml.SafeLoader):
    """Scalars, lists and mappings; no aliases, which can make a line of text into gigabytes.

    A field that stands twice is refused: which of the two was meant nobody can tell.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise InvalidMessage("the job: YAML aliases (*name) are not understood here; write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                where = f"at line {key.start_mark.line + 1}"
                raise InvalidMessage(
                    f"the job: {key.value[:60]!r} stands a second time {where}; leave one out"
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


async def read_body(request: Request) -> bytes:
    """Return the body of a request as it came.

    Raises:
        InvalidMessage: It is too large.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise InvalidMessage(f"the job: is larger than {MAX_REQUEST_BYTES} bytes")
    return body


def as_json(body: bytes) -> bytes:
    """Return JSON text for a body of JSON or YAML.

    Raises:
        InvalidMessage: It is neither, or no mapping; the text says where.
    """
    if body.lstrip()[:1] in (b"{", b"["):
        return body
    try:
        raw = yaml.load(body, Loader=_PlainLoader)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidMessage(f"the job: is not valid YAML{where} ({error.problem})") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InvalidMessage("the job: is not valid YAML") from None
    if not isinstance(raw, dict):
        raise InvalidMessage("the job: must be a mapping of fields, such as `kind: extract`")
    try:
        return orjson.dumps(raw)
    except (orjson.JSONEncodeError, RecursionError):
        raise InvalidMessage(
            "the job: has a value that JSON does not know, or a number over 64 bits"
        ) from None
