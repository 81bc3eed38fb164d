"""The HTTP API: jobs, dead letters and subjects. Health endpoints are the runtime's."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from carebus_console.access import Access
from carebus_console.bodies import as_json, read_body
from carebus_console.domain.admission import Admitted
from carebus_console.domain.report import report_of
from carebus_console.domain.vanishing import survey_id
from carebus_console.ports import DeadLetterStore, Jobs, StoredLetter
from carebus_contracts.errors import InvalidMessage, TransientError
from carebus_contracts.jobs import ControlAction, JobControl, JobState
from carebus_contracts.topics import TARGETS, dead_letter_topics

EVENTS_EVERY_S = 0.25
KEEP_ALIVE_S = 15.0
"""Proxies cut connections that say nothing for a minute or so."""
LONGEST_PAGE = 1_000
DEAD_LETTER_TOPICS = frozenset(topic.name for topic in dead_letter_topics())


class _Refused(Exception):
    """An answer other than the one that was hoped for."""

    def __init__(self, status: int, *reasons: str) -> None:
        super().__init__(*reasons)
        self.status = status
        self.reasons = reasons


class Api:
    """The endpoints over their ports."""

    def __init__(
        self, jobs: Jobs, letters: DeadLetterStore, access: Access, *, closing: Callable[[], bool]
    ) -> None:
        self._jobs = jobs
        self._letters = letters
        self._access = access
        self._closing = closing

    def routes(self) -> list[Route]:
        """Return the routes, guarded."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("POST", "/jobs", self.submit),
            ("GET", "/jobs", self.list_jobs),
            ("GET", "/jobs/{job_id}", self.show_job),
            ("GET", "/jobs/{job_id}/events", self.follow_job),
            ("GET", "/jobs/{job_id}/report", self.report),
            ("POST", "/jobs/{job_id}/{action:str}", self.control),
            ("GET", "/deadletters", self.count_letters),
            ("POST", "/deadletters/redrive", self.redrive),
            ("GET", "/deadletters/{topic}", self.list_letters),
            ("GET", "/deadletters/{topic}/{offset:int}", self.show_letter),
            ("POST", "/subjects/retire", self.retire),
        ]
        return [Route(path, self._endpoint(serve), methods=[method]) for method, path, serve in table]

    async def submit(self, request: Request) -> Response:
        """Take a job in: 202 with its id, or 400 with a sentence for each fault."""
        return await self._submit(request, as_json(await read_body(request)))

    async def redrive(self, request: Request) -> Response:
        """Send dead letters back: a job of kind redrive."""
        return await self._submit(request, _with(await read_body(request), kind="redrive"))

    async def retire(self, request: Request) -> Response:
        """Remove persons, a job's persons or a source, by default from all targets: a job of kind retire."""
        body = _with(await read_body(request), kind="retire")
        asked = orjson.loads(body)
        if "targets" not in asked:
            # Whom a job did not mention is known where it went, and nowhere else.
            told = self._jobs.state(str(asked.get("not_in_job")))
            wanted = getattr(told.request, "targets", None) if told else None
            body = _with(body, targets=wanted or TARGETS)
        return await self._submit(request, body)

    async def list_jobs(self, request: Request) -> Response:
        """Return the newest jobs, without what was asked for in each."""
        limit = _number(request, "limit", 100)
        status = request.query_params.get("status")
        states = self._jobs.states(limit=LONGEST_PAGE if status else limit)
        chosen = [state for state in states if status in (None, state.status.value)][:limit]
        return JSONResponse({"jobs": [s.model_dump(mode="json", exclude={"request"}) for s in chosen]})

    async def show_job(self, request: Request) -> Response:
        """Return the state of a job."""
        return Response(self._state(request).model_dump_json(), media_type="application/json")

    async def report(self, request: Request) -> Response:
        """Return where every row and message of a job went."""
        state = self._state(request)
        return JSONResponse(report_of(state, survey=self._jobs.state(survey_id(state.job_id))))

    async def follow_job(self, request: Request) -> Response:
        """Stream a job's states as server-sent events until it ended."""
        return StreamingResponse(
            self._states_of(self._state(request).job_id),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def control(self, request: Request) -> Response:
        """Cancel, pause or resume a job."""
        try:
            action = ControlAction(request.path_params["action"])
        except ValueError:
            raise _Refused(404, "a job can be told to cancel, pause or resume") from None
        state = self._state(request)
        if state.status.final:
            raise _Refused(
                409, f"job {state.job_id} is {state.status.value}: there is nothing to {action.value}"
            )
        body = orjson.loads(await read_body(request) or b"{}")
        discard = isinstance(body, dict) and body.get("discard") is True
        await self._jobs.control(JobControl(job_id=state.job_id, action=action, discard=discard))
        return JSONResponse({"job_id": state.job_id, "action": action.value}, status_code=202)

    async def count_letters(self, request: Request) -> Response:
        """Return how many dead letters each topic holds."""
        counts = await self._letters.counts()
        return JSONResponse(
            {"topics": [{"topic": c.topic, "messages": c.messages, "redriven": c.redriven} for c in counts]}
        )

    async def list_letters(self, request: Request) -> Response:
        """Return the newest letters of a topic, without their content."""
        topic = _topic(request)
        before = _number(request, "before", 0) or None
        found = await self._letters.newest(topic, limit=_number(request, "limit", 50), before=before)
        return JSONResponse({"topic": topic, "letters": [_letter(stored) for stored in found]})

    async def show_letter(self, request: Request) -> Response:
        """Return one letter with its content, base64. That is patient data."""
        topic, offset = _topic(request), request.path_params["offset"]
        stored = await self._letters.letter(topic, offset)
        if stored is None:
            raise _Refused(404, f"{topic} holds nothing at offset {offset}")
        content = {"value": b64encode(stored.value).decode(), "headers": [name for name, _ in stored.headers]}
        return JSONResponse(_letter(stored) | content, headers={"Cache-Control": "no-store"})

    def _endpoint(self, serve: Callable[[Request], Awaitable[Response]]) -> Any:
        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            response = await within(request)
            # W3C Server Timing: what of a caller's wait was ours.
            response.headers["Server-Timing"] = f"app;dur={(time.perf_counter() - began) * 1000:.2f}"
            return response

        async def within(request: Request) -> Response:
            try:
                if not self._jobs.ready():
                    raise _Refused(503, "the console is starting: job states are still being read")
                return await serve(request)
            except _Refused as refused:
                return JSONResponse({"reasons": refused.reasons}, status_code=refused.status)
            except InvalidMessage as error:
                return JSONResponse({"reasons": str(error).split("\n")}, status_code=400)
            except orjson.JSONDecodeError:
                return JSONResponse({"reasons": ["the body: is not valid JSON"]}, status_code=400)
            except TransientError as error:
                return JSONResponse({"reasons": [f"{error}; try again"]}, status_code=503)

        return self._access.guarded(answer)

    async def _submit(self, request: Request, body: bytes) -> Response:
        admission = await self._jobs.submit(body, proved=self._access.proved(request))
        match admission:
            case Admitted(job=job, notes=notes):
                return JSONResponse({"job_id": job.job_id, "notes": notes}, status_code=202)
            case _ if reasons := getattr(admission, "reasons", ()):
                raise _Refused(400, *reasons)
            case _:
                notes = ("this very job was submitted before",)
                return JSONResponse({"job_id": admission.job_id, "notes": notes}, status_code=202)

    def _state(self, request: Request) -> JobState:
        job_id = request.path_params["job_id"]
        if (state := self._jobs.state(job_id)) is None:
            raise _Refused(404, f"there is no job {job_id!r}; GET /jobs lists them")
        return state

    async def _states_of(self, job_id: str) -> AsyncIterator[bytes]:
        said: JobState | None = None
        said_at = time.monotonic()
        while (state := self._jobs.state(job_id)) is not None and not self._closing():
            if state is not said:
                said, said_at = state, time.monotonic()
                yield b"event: state\ndata: %b\n\n" % state.model_dump_json().encode()
                if state.status.final:
                    return
            elif time.monotonic() - said_at > KEEP_ALIVE_S:
                said_at = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(EVENTS_EVERY_S)


def _with(body: bytes, **fields: Any) -> bytes:
    raw = orjson.loads(as_json(body) if body.strip() else b"{}")
    if not isinstance(raw, dict):
        raise InvalidMessage("the body: must be a mapping of fields")
    return orjson.dumps(raw | fields)


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise _Refused(400, f"{name}: must be a whole number")
    number = int(given)
    return min(number, LONGEST_PAGE) if name == "limit" else number


def _topic(request: Request) -> str:
    topic: str = request.path_params["topic"]
    if topic not in DEAD_LETTER_TOPICS:
        raise _Refused(404, f"{topic!r} is no dead-letter topic; GET /deadletters lists them")
    return topic


def _letter(stored: StoredLetter) -> dict[str, Any]:
    letter = stored.letter
    return {
        "offset": stored.offset,
        "at_ms": stored.at_ms,
        "job_id": stored.job_id,
        "reason": letter.reason.value if letter else "",
        "detail": letter.detail if letter else "headers that are not ours",
        "origin": f"{letter.topic}/{letter.partition}/{letter.offset}" if letter else "",
        "attempts": letter.attempts if letter else 0,
        "software": letter.software if letter else "",
        "size": stored.size,
        "redriven": stored.redriven,
    }
