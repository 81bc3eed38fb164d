"""Start and stop one server of a stack."""

import threading
import time

from . import processes
from .errors import StackError
from .ports import require_free
from .processes import ServerProcess
from .servers import Server
from .shared_libraries import advice, missing_libraries

POLL_S = 0.1
# A killed server's helpers may hold its port for some moments longer.
ENDING_S = 3


def find(server: Server) -> ServerProcess | None:
    """Return the server's process when it runs."""
    return processes.find(server.around.folder.pid_file(server.name))


def start(server: Server, *, cancelled: threading.Event) -> bool:
    """Bring a server up and wait until it answers.

    Returns:
        Whether it was started; False when it ran already.
    """
    running = find(server)
    if running is not None and _answers_before_it_ends(server, running, cancelled):
        server.started()  # again, for a start that was interrupted before it
        return False
    crashed = server.around.folder.pid_file(server.name).exists()
    require_free(server.name, server.ports, patience_s=ENDING_S if crashed else 0)
    server.prepare()
    launch = server.launch()
    try:
        process = processes.spawn(
            launch.command,
            log=server.around.folder.log(server.name),
            pid_file=server.around.folder.pid_file(server.name),
            cwd=launch.cwd,
            environment=launch.environment,
            account=launch.account,
        )
    except OSError as error:
        raise StackError(
            f"{server.name} could not be started: {error.strerror} ({error.filename}); its program "
            f"is {launch.command[0]}."
        ) from error
    if not _answers_before_it_ends(server, process, cancelled):
        raise StackError(_why_it_ended(server))
    server.started()
    return True


def stop(server: Server) -> None:
    """Let a server end in order; does nothing when it does not run."""
    process = find(server)
    if process is not None:
        processes.stop(process, with_signal=server.stop_signal, timeout_s=server.stop_timeout_s)
    server.around.folder.pid_file(server.name).unlink(missing_ok=True)


def kill(server: Server) -> None:
    """End a server as a crash would; its pid file stays, as it would then."""
    process = find(server)
    if process is not None:
        processes.kill(process)


def _answers_before_it_ends(server: Server, process: ServerProcess, cancelled: threading.Event) -> bool:
    """Wait for the first answer; False when the process ends instead.

    A process found running may be one that was just killed and is not gone yet.
    """
    deadline = time.monotonic() + server.start_timeout_s
    while not server.answers():
        if not process.is_alive():
            return False
        if cancelled.is_set():
            raise StackError(f"The start of {server.name} was interrupted.")
        if time.monotonic() > deadline:
            log = server.around.folder.log(server.name)
            raise StackError(
                f"{server.name} (process {process.pid}) gave no answer on {server.address} within "
                f"{server.start_timeout_s:.0f} s; see {log}, and stop it with `carebus stack down` "
                f"before another try:\n{processes.last_lines(log)}"
            )
        time.sleep(POLL_S)
    return True


def _why_it_ended(server: Server) -> str:
    environment = dict(server.launch().environment)
    for program in server.programs():
        if missing := missing_libraries(program, environment=environment):
            return f"{server.name} cannot run: {advice(missing)}."
    require_free(server.name, server.ports)
    log = server.around.folder.log(server.name)
    return f"{server.name} ended while it was starting; its log {log} says why:\n{processes.last_lines(log)}"
