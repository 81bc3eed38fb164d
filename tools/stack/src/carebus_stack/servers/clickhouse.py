"""The ClickHouse engine (chdb-core) behind our own HTTP front, in a process of its own."""

import http.client
import sys
from importlib.metadata import version
from typing import ClassVar

from carebus_stack.ports import LOOPBACK
from carebus_stack.processes import base_environment

from .base import Launch, Server


class ClickHouse(Server):
    """ClickHouse over HTTP, one database, no users."""

    name: ClassVar[str] = "clickhouse"

    def version(self) -> str:
        """Return the version of the engine's package."""
        return version("chdb-core")

    def prepare(self) -> None:
        """Make the folder; the engine fills it."""
        self.initialise(lambda _: None)

    def launch(self) -> Launch:
        """Start the front by its module name."""
        database = self.around.endpoints.clickhouse.database
        command = [sys.executable, "-m", "carebus_stack.clickhouse_http"]
        command += ["--port", str(self.ports[0]), "--path", str(self.data), "--database", database]
        return Launch(command, base_environment(), self.around.folder.root)

    def answers(self) -> bool:
        """Return whether a query comes back."""
        # Not urllib, which would ask a proxy named in the environment for loopback.
        connection = http.client.HTTPConnection(LOOPBACK, self.ports[0], timeout=5)
        try:
            connection.request("POST", "/", body=b"SELECT 1")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
