"""The ClickHouse engine (chdb-core) behind our own HTTP front, in a process of its own."""

import sys
from importlib.metadata import version
from typing import ClassVar

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
