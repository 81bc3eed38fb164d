"""The native stack: starts, is found again, survives kills, leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psutil
import pymysql
import pytest

from carebus_stack import SERVERS, LocalStack, StackError, free_offset
from carebus_stack.processes import start_token
from integration.stack.clients import KEEP, log_in_to_mariadb


@pytest.mark.parametrize("server", SERVERS)
async def test_a_client_reads_back_what_it_wrote(up: LocalStack, server: str) -> None:
    """Every server serves its real client with the credentials of the endpoints."""
    keep, kept = KEEP[server]

    await keep(up.endpoints, f"written to {server}")

    assert f"written to {server}" in await kept(up.endpoints)


def test_second_up_finds_what_runs(up: LocalStack) -> None:
    """`up` from another object, as from another process, starts nothing and changes no process."""
    before = {name: status["pid"] for name, status in up.status().items()}

    started = LocalStack(up.directory).up()

    assert started == []
    assert {name: status["pid"] for name, status in up.status().items()} == before


@pytest.mark.parametrize("server", SERVERS)
async def test_a_killed_server_comes_back_with_its_data(up: LocalStack, server: str) -> None:
    """After kill -9 from outside, `up` starts that server alone, on what it had acknowledged."""
    keep, kept = KEEP[server]
    await keep(up.endpoints, "before the kill")
    before = up.status()
    pid = before[server]["pid"]
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    started = up.up()

    assert started == [server]
    assert "before the kill" in await kept(up.endpoints)
    others = [name for name in SERVERS if name != server]
    assert [up.status()[name]["pid"] for name in others] == [before[name]["pid"] for name in others]


@pytest.mark.parametrize("server", SERVERS)
async def test_a_server_stopped_in_order_starts_again(up: LocalStack, server: str) -> None:
    """`stop` and `start` of one server keep its data and its address."""
    keep, kept = KEEP[server]
    await keep(up.endpoints, "before the stop")

    up.stop(server)
    stopped = up.status()[server]["running"]
    up.start(server)

    assert stopped is False
    assert "before the stop" in await kept(up.endpoints)


def test_kill_ends_a_server_at_once(up: LocalStack) -> None:
    """`kill` of the API leaves no process of that server, helpers included."""
    pid = up.status()["postgres"]["pid"]
    assert pid is not None
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]

    up.kill("postgres")

    assert not any(start_token(member) for member in family)


def test_a_stranger_with_the_noted_id_is_not_taken_for_the_server(up: LocalStack) -> None:
    """A pid file that names a process which started at another time counts as no server."""
    up.stop("clickhouse")
    pid_file = up.directory / "run" / "clickhouse.pid"
    pid_file.write_text(f'{{"pid": {os.getpid()}, "started": "another:1"}}')

    LocalStack(up.directory, servers=["clickhouse"]).down()

    assert not up.status()["clickhouse"]["running"]


def test_the_user_of_rows_cannot_make_tables(up: LocalStack) -> None:
    """The loaders' user of MariaDB has rights on rows only."""
    refused = pytest.raises(pymysql.err.OperationalError, match="CREATE command denied")

    with log_in_to_mariadb(up.endpoints) as connection, connection.cursor() as cursor, refused:
        cursor.execute("CREATE TABLE not_allowed (a INT)")


def test_openemr_schema_and_binlog_are_as_promised(up: LocalStack) -> None:
    """The OpenEMR schema is utf8mb4; rows are logged for change capture; local files may be loaded."""
    wanted = {
        "character_set_database": "utf8mb4",
        "collation_database": "utf8mb4_general_ci",
        "binlog_format": "ROW",
        "local_infile": "ON",
        "innodb_flush_log_at_trx_commit": "2",
    }

    with log_in_to_mariadb(up.endpoints) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW VARIABLES")
        found = dict(cursor.fetchall())

    assert {name: found[name] for name in wanted} == wanted


def test_passwords_are_private_and_on_no_command_line(up: LocalStack) -> None:
    """Passwords lie in files of mode 0600, and no process shows one in its arguments."""
    files = [*(up.directory / "secrets").iterdir(), up.settings_file]
    passwords = [file.read_text().strip() for file in (up.directory / "secrets").iterdir()]
    pids = [status["pid"] for status in up.status().values()]

    arguments = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in pids if pid)

    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert not any(password in arguments for password in passwords)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """When a port is taken the sentence names port, server, holder and the way out."""
    offset = free_offset()
    port = LocalStack(tmp_path / "stack", offset).endpoints.postgres.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        stack = LocalStack(tmp_path / "stack", offset, ["postgres"])

        with pytest.raises(StackError) as refusal:
            stack.up()

    assert f"Port {port}, which postgres needs, is in use by process {os.getpid()}" in str(refusal.value)
    assert "--port-offset" in str(refusal.value)


def test_two_stacks_run_side_by_side_and_leave_nothing(up: LocalStack, tmp_path: Path) -> None:
    """A second folder with other ports is a stack of its own; `down` with wipe leaves no trace of it."""
    stack = LocalStack(tmp_path / "other", free_offset(), ["postgres", "clickhouse"])
    stack.up()
    status = stack.status()
    pids = [server["pid"] for server in status.values()]
    family = [c.pid for pid in pids if pid for c in psutil.Process(pid).children(recursive=True)]

    stack.down(wipe=True)

    assert all(server["running"] for server in status.values())
    assert not any(start_token(pid) for pid in [*pids, *family] if pid)
    assert not (tmp_path / "other").exists()
    assert not any(Path(server["data"]).exists() for server in status.values())
    assert all(server["running"] for server in up.status().values())


def test_another_offset_is_refused_while_servers_run(up: LocalStack) -> None:
    """A folder whose servers run keeps its ports; the sentence says how to change them."""
    other = LocalStack(up.directory, up.port_offset + 1)

    with pytest.raises(StackError, match="another port offset"):
        other.up()


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """A start that fails gives the log's path and last lines, and leaves no process."""
    stack = LocalStack(tmp_path / "stack", free_offset(), ["postgres"])
    stack.up()
    stack.down()
    data = Path(stack.status()["postgres"]["data"])
    (data / "PG_VERSION").write_text("9.4\n")

    with pytest.raises(StackError) as refusal:
        stack.up()

    stack.down(wipe=True)
    assert "postgres ended while it was starting" in str(refusal.value)
    assert "incompatible with server" in str(refusal.value)
    assert str(tmp_path / "stack" / "logs" / "postgres.log") in str(refusal.value)
