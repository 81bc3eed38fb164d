"""The command line against a console that answers by hand: words, tables, exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner, Result

import carebus_cli.main
import carebus_cli.options
from carebus_cli.console_client import ConsoleClient
from carebus_cli.job_file import JOB_FILES
from carebus_contracts.jobs import (
    DataFiles,
    ExtractJob,
    GenerateJob,
    JobState,
    JobStatus,
    Persons,
    TargetProgress,
    parse_request,
)

Answer = Callable[[httpx.Request], httpx.Response]


def a_state(status: JobStatus = JobStatus.COMPLETED, **more: Any) -> dict[str, Any]:
    told = {
        "kind": "extract",
        "source": "lab",
        "persons": 10,
        "slices": 1,
        "slices_extracted": 1,
        "extracted": 10,
    }
    progress = {"postgres": TargetProgress(outcomes={"applied": 9, "dead_lettered": 1})}
    state = JobState.model_validate({"job_id": "job-1", "status": status, "targets": progress} | told | more)
    return state.model_dump(mode="json")


REPORT = {
    "job_id": "job-1",
    "status": "completed",
    "kind": "extract",
    "source": "lab",
    "dry_run": False,
    "requester": "data office",
    "claimed": True,
    "created_ms": 1,
    "finished_ms": 2,
    "persons": 10,
    "extracted": 10,
    "reasons": [],
    "notes": ["times are read as UTC"],
    "closes": True,
    "rows": [
        {
            "table": "measurement",
            "read": 44_053,
            "emitted": 44_050,
            "left_behind": {"orphan": 3},
            "noted": {},
            "closes": True,
        }
    ],
    "targets": [
        {
            "target": "postgres",
            "extracted": 10,
            "outcomes": {"applied": 9, "dead_lettered": 1},
            "identity": "10 = 9 applied + 1 dead-lettered",
            "closes": True,
            "accounts": [
                {
                    "table": "measurement",
                    "emitted": 44_050,
                    "written": 31_000,
                    "unchanged": 12_000,
                    "stale": 0,
                    "conflict": 7,
                    "not_mapped": {"no_value": 1_003},
                    "given_up": 40,
                    "closes": True,
                }
            ],
            "lacking": [{"table": "measurement", "concept_id": "3004249", "rows": 41}],
            "rows_inserted": 77,
            "rows_updated": 1,
            "rows_deleted": 0,
            "tables": {"person": 9},
            "not_mapped": {"measurement": {"no_value": 1_003}},
            "reasons": {"constraint": 1},
        }
    ],
}


class FakeConsole:
    """Answers by path, and remembers what it was told."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = request.content
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        self.tokens.append(request.headers.get("authorization", ""))
        answer = self.answers.get(f"{request.method} {request.url.path}")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, httpx.Response | Exception):
            if isinstance(answer, Exception):
                raise answer
            return answer
        return (
            httpx.Response(404, json={"reasons": ["not there"]})
            if answer is None
            else httpx.Response(200, json=answer)
        )


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    fake = FakeConsole()

    def client(url: str, token: str = "") -> ConsoleClient:
        return ConsoleClient(url, token, transport=httpx.MockTransport(fake))

    monkeypatch.setattr(carebus_cli.options, "ConsoleClient", client)
    monkeypatch.setattr("carebus_cli.watching.LOOK_EVERY_S", 0.0)
    monkeypatch.delenv("CAREBUS_CONSOLE_TOKEN", raising=False)
    return fake


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(carebus_cli.main.commands, words, **more)


@pytest.mark.parametrize(("words", "kind"), [((), ExtractJob), (("--kind", "generate"), GenerateJob)])
def test_the_job_file_that_init_prints_is_a_job(
    words: tuple[str, ...], kind: type[ExtractJob | GenerateJob]
) -> None:
    """It is admitted as it is, and names every field that there is."""
    printed = run("jobs", "init", *words).output

    assert isinstance(parse_request(json.dumps(yaml.safe_load(printed)).encode()), kind)
    fields = [*kind.model_fields, *(Persons.model_fields if kind is ExtractJob else DataFiles.model_fields)]
    for field in fields:
        assert f"{field}:" in printed, field


@pytest.mark.parametrize("kind", ["extract", "generate"])
def test_what_is_commented_out_is_right_as_well(kind: str) -> None:
    """Each optional field's example is understood."""
    given = yaml.safe_load(JOB_FILES[kind])
    for line in JOB_FILES[kind].split("# --- all of the following")[1].splitlines()[1:]:
        name, _, rest = line.removeprefix("# ").partition(":")
        if line.startswith("# ") and not line.startswith("#  ") and name != "persons":
            given |= yaml.safe_load(f"{name}:{rest}")
    if kind == "extract":
        given["persons"] = {"limit": 100, "start_after": 4711, "ids": [1, 2, 3], "sample": 0.01}

    assert parse_request(json.dumps(given).encode()).kind == kind


def test_a_job_is_submitted_from_standard_input(console: FakeConsole) -> None:
    """The id alone on standard output, for scripts; notes beside it."""
    console.answers["POST /jobs"] = httpx.Response(202, json={"job_id": "job-1", "notes": ["a note"]})

    result = run("jobs", "submit", "-", input="kind: extract\n")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "job-1\n", "a note\n")
    assert console.asked == [("POST", "/jobs", b"kind: extract\n")]


def test_a_refused_job_exits_1_with_its_reasons(console: FakeConsole) -> None:
    """A line for each."""
    reasons = ["source: is required", "sorce: no such field"]
    console.answers["POST /jobs"] = httpx.Response(400, json={"reasons": reasons})

    result = run("jobs", "submit", "-", input="{}")

    assert (result.exit_code, result.stderr) == (1, "source: is required\nsorce: no such field\n")


@pytest.mark.parametrize(
    ("status", "code"),
    [(JobStatus.COMPLETED, 0), (JobStatus.FAILED, 1), (JobStatus.CANCELLED, 1), (JobStatus.REJECTED, 1)],
)
def test_watch_tells_how_it_ended(console: FakeConsole, status: JobStatus, code: int) -> None:
    """Plain lines where there is no terminal; the exit status is for scripts."""
    running = a_state(
        JobStatus.RUNNING, waiting={"carebus-loader-postgres": "postgres at db"}, slices_extracted=0
    )
    console.answers["GET /jobs/job-1"] = [running, a_state(status, reasons=("why",))]

    result = run("jobs", "watch", "job-1")

    lines = result.stdout.splitlines()
    assert result.exit_code == code
    assert lines[0].endswith("carebus-loader-postgres waits for postgres at db")
    assert f"{status.value:9} extract 10/10, postgres 10/10" in lines[-1]
    assert result.stderr == "why\n"


def test_watch_outlives_a_restart_of_the_console(
    console: FakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that is away for a moment is waited for."""
    monkeypatch.setattr("carebus_cli.watching.time.sleep", lambda _: None)
    gone = httpx.ConnectError("refused")
    starting = httpx.Response(503, json={"reasons": ["the console is starting"]})
    console.answers["GET /jobs/job-1"] = [a_state(JobStatus.RUNNING), gone, starting, a_state()]

    assert run("jobs", "watch", "job-1").exit_code == 0


def test_the_report_shows_that_the_account_closes(console: FakeConsole) -> None:
    """Rows, outcomes, what was not mapped, reasons, and the identity a target."""
    console.answers["GET /jobs/job-1/report"] = REPORT

    told = {"survey": "job-1.vanished", "status": "completed", "persons": {"postgres": 3}}
    console.answers["GET /jobs/job-2/report"] = REPORT | {"vanished": told}

    text = run("jobs", "report", "job-1").output
    with_vanished = " ".join(run("jobs", "report", "job-2").output.split())

    for words in (
        "Requested by data office (claimed)",
        "times are read as UTC",
        "44053",
        "3 orphan",
        "9 applied, 1 dead-lettered",
        "31000",
        "1003 no_value",
        "3004249",
        "constraint",
        "extracted = applied + unchanged + stale + refused + dead-lettered + discarded",
        "10 = 9 applied + 1 dead-lettered   closes",
        "The account closes.",
    ):
        assert words in text
    assert json.loads(run("jobs", "report", "job-1", "--json").output) == REPORT
    assert "did not mention: postgres 3 (job job-1.vanished)" in with_vanished
    assert "`carebus subjects retire --source lab --not-in-job job-1`" in with_vanished
    assert "did not mention" not in text


def test_status_and_list(console: FakeConsole) -> None:
    """For people, and as JSON."""
    console.answers["GET /jobs/job-1"] = a_state()
    console.answers["GET /jobs"] = {"jobs": [a_state()]}

    assert "postgres    10/10" in run("jobs", "status", "job-1").output
    assert json.loads(run("jobs", "status", "job-1", "--json").output)["status"] == "completed"
    assert "job-1" in run("jobs", "list", "--status", "completed").output
    assert console.asked[-1][1] == "/jobs?limit=20&status=completed"


def test_control_words(console: FakeConsole) -> None:
    """Told once; a refusal is a sentence and status 1."""
    console.answers["POST /jobs/job-1/cancel"] = httpx.Response(
        202, json={"job_id": "job-1", "action": "cancel"}
    )
    console.answers["POST /jobs/job-1/pause"] = httpx.Response(
        409, json={"reasons": ["job job-1 is completed"]}
    )

    cancelled, paused = run("jobs", "cancel", "job-1", "--discard"), run("jobs", "pause", "job-1")

    assert (cancelled.exit_code, paused.exit_code) == (0, 1)
    assert json.loads(console.asked[0][2]) == {"discard": True}
    assert paused.stderr == "job job-1 is completed\n"


def test_retiring_asks_first(console: FakeConsole) -> None:
    """Nothing is sent when the answer is no; --yes does not ask."""
    console.answers["POST /subjects/retire"] = httpx.Response(202, json={"job_id": "job-2", "notes": []})
    words = (
        "subjects",
        "retire",
        "--source",
        "lab",
        "--person",
        "7",
        "--person",
        "8",
        "--target",
        "postgres",
    )

    declined = run(*words, input="n\n")
    done = run(*words, "--yes")
    both = run(*words, "--job", "x", "--yes")
    missing = run("subjects", "retire", "--source", "lab", "--not-in-job", "nightly", input="y\n")

    assert (declined.exit_code, done.exit_code, both.exit_code, missing.exit_code) == (1, 0, 2, 0)
    assert "Remove the persons whom job nightly did not mention of source lab" in missing.stderr
    assert "Remove 2 persons of source lab from postgres?" in declined.stderr
    assert [json.loads(body) for _, _, body in console.asked] == [
        {"source": "lab", "persons": [7, 8], "targets": ["postgres"]},
        {"source": "lab", "not_in_job": "nightly"},
    ]


def test_vanished_persons_are_counted(console: FakeConsole) -> None:
    """A survey is submitted and waited for; the counts stand by target."""
    survey = a_state(targets={"postgres": {"persons_retired": 3}, "documents": {}})
    console.answers["POST /subjects/retire"] = httpx.Response(
        202, json={"job_id": "job-1", "notes": ["look"]}
    )
    console.answers["GET /jobs/job-1"] = httpx.Response(200, json=survey)
    console.answers["GET /jobs/nightly"] = httpx.Response(200, json=a_state(version_ms=1234))

    text = run("subjects", "vanished", "--source", "lab", "--job", "nightly")
    counts = run("subjects", "vanished", "--source", "lab", "--job", "nightly", "--json")

    assert text.stdout.splitlines() == ["postgres    3 persons", "documents   0 persons"]
    assert text.stderr.splitlines() == [
        "look",
        "Their ids: carebus targets vanished TARGET --source lab --since-ms 1234",
    ]
    assert json.loads(counts.stdout)["persons"] == {"postgres": 3, "documents": 0}
    assert json.loads(console.asked[0][2]) == {"source": "lab", "not_in_job": "nightly", "dry_run": True}


def test_dead_letters(console: FakeConsole) -> None:
    """Counted, listed, shown without content unless asked, and sent back."""
    letter = {
        "offset": 7,
        "at_ms": 1,
        "job_id": "job-1",
        "reason": "constraint",
        "detail": "too long [x]",
        "origin": "t/1/2",
        "attempts": 1,
        "software": "carebus/1",
        "size": 4,
        "redriven": True,
        "value": "AP8=",
        "headers": ["h"],
    }
    console.answers["GET /deadletters"] = {"topics": [{"topic": "t.dlq", "messages": 3, "redriven": 1}]}
    console.answers["GET /deadletters/t.dlq"] = {"letters": [letter]}
    console.answers["GET /deadletters/t.dlq/7"] = letter
    console.answers["POST /deadletters/redrive"] = httpx.Response(202, json={"job_id": "job-3", "notes": []})

    assert "t.dlq" in run("deadletters", "list").output
    assert "too long [x]" in run("deadletters", "list", "t.dlq").output
    assert "AP8" not in run("deadletters", "show", "t.dlq", "7").output
    assert run("deadletters", "show", "t.dlq", "7", "--content").stdout_bytes == b"\x00\xff"
    assert run("deadletters", "redrive", "t.dlq", "--reason", "constraint").output == "job-3\n"
    assert json.loads(console.asked[-1][2]) == {"topic": "t.dlq", "reason": "constraint"}


def test_no_console_is_one_sentence_and_status_2() -> None:
    """It says where it looked and how to say otherwise."""
    result = run("jobs", "list", "--console", "http://127.0.0.1:1")

    assert result.exit_code == 2
    assert result.stderr == (
        "no console answers at http://127.0.0.1:1 (ConnectError): start carebus-console, or say where it is "
        "with --console or CAREBUS_CONSOLE_URL\n"
    )


def test_the_token_comes_from_the_environment_or_a_file(console: FakeConsole, tmp_path: Any) -> None:
    """Never from the command line; without it the sentence says where to put it."""
    console.answers["GET /jobs"] = {"jobs": []}
    file = tmp_path / "token"
    file.write_text("from-file\n")

    run("jobs", "list", env={"CAREBUS_CONSOLE_TOKEN": "from-env"})
    run("jobs", "list", "--token-file", str(file))
    missing = run("jobs", "list", "--token-file", str(tmp_path / "none"))
    console.answers["GET /jobs"] = httpx.Response(401, json={"reasons": []})
    refused = run("jobs", "list")

    assert console.tokens[:2] == ["Bearer from-env", "Bearer from-file"]
    assert (missing.exit_code, refused.exit_code) == (2, 2)
    assert "CAREBUS_CONSOLE_TOKEN_FILE" in refused.stderr


def test_what_is_no_console_is_said(console: FakeConsole) -> None:
    """A web page on that port is not mistaken for one."""
    console.answers["GET /jobs"] = httpx.Response(200, text="<html>")

    result = run("jobs", "list")

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is no carebus console" in result.stderr


def test_a_broken_plugin_costs_only_its_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has one line in the help, and one sentence when it is used."""
    points = carebus_cli.main._points() | {
        "broken": EntryPoint("broken", "no_such_module:command", carebus_cli.main.GROUP),
        "odd": EntryPoint("odd", "json:dumps", carebus_cli.main.GROUP),
    }
    monkeypatch.setattr(carebus_cli.main, "_points", lambda: points)

    helped, used, other = run("--help"), run("broken", "anything", "--x"), run("jobs", "init")

    assert helped.exit_code == other.exit_code == 0
    assert "cannot be loaded" in helped.output
    assert used.exit_code == 2
    assert used.stderr.startswith("carebus broken cannot be loaded (ModuleNotFoundError: No module named")
    assert run("odd").exit_code == 2
