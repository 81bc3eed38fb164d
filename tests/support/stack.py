"""Servers for tests: found, or started in a folder of their own and removed at the end.

CAREBUS_TEST_STACK_DIR=.carebus/stack   use this running stack, and leave it running
CAREBUS_TEST_STACK=containers           start the servers with testcontainers, where Docker answers
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from carebus_stack import SERVERS, LocalStack, StackError, free_offset
from carebus_stack.downloads import locked

# Reads until its standard input ends, which is when the process of the tests does, however that came.
GUARDIAN = """
import shutil, sys
from carebus_stack import LocalStack
sys.stdin.read()
LocalStack(sys.argv[1]).down(wipe=True)
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


@contextlib.contextmanager
def running_stack(servers: Sequence[str] = SERVERS) -> Iterator[LocalStack]:
    """Yield a stack that answers; one that was started here is stopped and wiped afterwards.

    Args:
        servers: The servers that are needed; the others need not run.
    """
    if folder := os.environ.get("CAREBUS_TEST_STACK_DIR"):
        yield _found(folder, servers)
    elif os.environ.get("CAREBUS_TEST_STACK") == "containers":
        from support.containers import running_containers

        with running_containers(servers) as containers:
            # It has what tests use: endpoints, status, stop, start, kill, restart.
            yield cast("LocalStack", containers)
    else:
        with own_stack(servers) as started:
            yield started


@contextlib.contextmanager
def own_stack(servers: Sequence[str] = SERVERS) -> Iterator[LocalStack]:
    """Yield a new native stack on free ports in a temporary folder, and remove it afterwards.

    Also when these tests are interrupted or killed: a process of its own waits for our end.
    """
    home = Path(tempfile.mkdtemp(prefix="carebus-test-stack-"))
    home.chmod(0o711)  # as root, two servers run as another account, which must get in
    folder = home / "stack"
    guardian = subprocess.Popen(
        [sys.executable, "-c", GUARDIAN, folder, home],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; it then sees our end
        cwd="/",
    )
    try:
        # Two test runs that start at once must not choose the same ports.
        with locked(Path(tempfile.gettempdir()) / f"carebus-test-ports-{os.getuid()}.lock"):
            stack = LocalStack(folder, free_offset(), servers)
            stack.up()
        yield stack
    finally:
        with contextlib.suppress(StackError):
            LocalStack(folder).down(wipe=True)
        if guardian.stdin:
            guardian.stdin.close()
        guardian.wait(timeout=60)
        shutil.rmtree(home, ignore_errors=True)


def _found(folder: str, servers: Sequence[str]) -> LocalStack:
    if not (Path(folder) / "stack.json").is_file():
        raise StackError(
            f"CAREBUS_TEST_STACK_DIR names {folder}, where no stack was started; run "
            f"`carebus stack up --dir {folder}`, or unset it and the tests start one of their own."
        )
    stack = LocalStack(folder, servers=servers)
    stack.up()  # finds what runs; a server that an earlier test killed comes back
    return stack
