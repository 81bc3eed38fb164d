"""The four servers by testcontainers, with the surface of LocalStack that tests use."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from carebus_stack import SERVERS, Endpoints, StackError, free_offset
from carebus_stack.compose_stack import docker_answers
from carebus_stack.endpoints import local_endpoints
from carebus_stack.ports import Ports, accepts

IMAGES = {
    "kafka": "apache/kafka:4.1.1",
    "mariadb": "mariadb:11.4",
    "postgres": "postgres:16",
    "clickhouse": "clickhouse/clickhouse-server:25.8",
}


class ContainerStack:
    """Running containers on fixed ports of loopback, so that a restart keeps the addresses."""

    def __init__(self, folder: Path, offset: int, servers: Sequence[str]) -> None:
        self.ports = Ports.at(offset)
        endpoints = local_endpoints(self.ports, folder)
        # One user with all rights: finer ones are for the native stack and compose to show.
        mariadb = replace(endpoints.mariadb, user="root", owner_user="root")
        self.endpoints: Endpoints = replace(endpoints, mariadb=mariadb)
        self._containers: dict[str, Any] = {name: self._container(name) for name in servers}

    def up(self) -> None:
        """Start all and wait until they answer."""
        for container in self._containers.values():
            container.start()
        for name in self._containers:
            self._wait(name)

    def down(self) -> None:
        """Stop and remove all."""
        for container in self._containers.values():
            container.stop()

    def stop(self, name: str) -> None:
        """Stop one server in order."""
        self._docker(name).stop()

    def kill(self, name: str) -> None:
        """End one server as a crash would."""
        self._docker(name).kill()

    def start(self, name: str) -> None:
        """Start one server on its data."""
        self._docker(name).start()
        self._wait(name)

    def restart(self, name: str) -> None:
        """Stop one server in order and start it again."""
        self.stop(name)
        self.start(name)

    def status(self) -> dict[str, dict[str, object]]:
        """Return name, whether it runs, and where, of each."""
        return {
            name: {"name": name, "running": accepts(self.ports.of(name)[0]), "address": self._address(name)}
            for name in self._containers
        }

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports.of(name)[0]}"

    def _docker(self, name: str) -> Any:
        return self._containers[name].get_wrapped_container()

    def _container(self, name: str) -> Any:
        from testcontainers.core.container import DockerContainer

        port = self.ports.of(name)[0]
        container = DockerContainer(IMAGES[name])
        inside = {"kafka": 29092, "mariadb": 3306, "postgres": 5432, "clickhouse": 8123}[name]
        container.ports = {f"{inside}/tcp": ("127.0.0.1", port)}
        for variable, value in getattr(self, f"_{name}_environment")().items():
            container.with_env(variable, value)
        if name == "mariadb":
            container.with_command(
                "--local-infile=1 --log-bin=binlog --binlog-format=ROW --server-id=1 --skip-ssl "
                "--character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci"
            )
        if name == "postgres":
            container.with_command("-c wal_level=logical -c max_connections=200")
        return container

    def _kafka_environment(self) -> dict[str, str]:
        return {
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_NODE_ID": "1",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_LISTENERS": "HOST://:29092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"HOST://{self.endpoints.kafka.bootstrap}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "HOST",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_MESSAGE_MAX_BYTES": "10485760",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        }

    def _mariadb_environment(self) -> dict[str, str]:
        endpoint = self.endpoints.mariadb
        return {"MARIADB_ROOT_PASSWORD": endpoint.owner_password, "MARIADB_DATABASE": endpoint.database}

    def _postgres_environment(self) -> dict[str, str]:
        endpoint = self.endpoints.postgres
        return {
            "POSTGRES_USER": endpoint.user,
            "POSTGRES_PASSWORD": endpoint.password,
            "POSTGRES_DB": endpoint.database,
        }

    def _clickhouse_environment(self) -> dict[str, str]:
        return {"CLICKHOUSE_DB": self.endpoints.clickhouse.database, "CLICKHOUSE_SKIP_USER_SETUP": "1"}

    def _wait(self, name: str) -> None:
        from carebus_stack.servers.probes import PROBES, wait_for

        if not wait_for(lambda: PROBES[name](self.endpoints), timeout_s=180):
            raise StackError(f"The container of {name} gave no answer on {self._address(name)} in 180 s.")


@contextlib.contextmanager
def running_containers(servers: Sequence[str] = SERVERS) -> Iterator[ContainerStack]:
    """Yield containers that answer, and remove them afterwards."""
    if not docker_answers():
        raise StackError(
            "CAREBUS_TEST_STACK=containers needs a Docker that answers; unset it or start Docker."
        )
    with tempfile.TemporaryDirectory(prefix="carebus-test-containers-") as folder:
        password = secrets.token_urlsafe(24)
        for name in ("mariadb-carebus_owner", "mariadb-carebus", "postgres-carebus"):
            (Path(folder) / name).write_text(password + "\n")
        stack = ContainerStack(Path(folder), free_offset(), servers)
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
