"""The compose file and the native stack are one thing to a service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from carebus_loader.adapters.openemr import OpenEmrSettings
from carebus_stack import SERVERS
from carebus_stack.endpoints import local_endpoints
from carebus_stack.ports import Ports
from carebus_stack.servers.mariadb import OPTIONS
from carebus_stack.servers.postgres import MAJOR

FILE = Path(__file__).resolve().parents[3] / "docker-compose.yml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of docker-compose.yml."""
    return dict(yaml.safe_load(FILE.read_text())["services"])


def test_ports_are_bound_to_loopback_only(services: dict[str, Any]) -> None:
    """Nothing is open to the network."""
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize(
    ("server", "variable"),
    [("kafka", "KAFKA"), ("mariadb", "OPENEMR"), ("postgres", "POSTGRES"), ("clickhouse", "CLICKHOUSE")],
)
def test_default_ports_are_those_of_the_native_stack(
    services: dict[str, Any], server: str, variable: str
) -> None:
    """Services on the host need the same settings with either."""
    (published,) = services[server]["ports"]

    assert f"${{CAREBUS_{variable}_PORT:-{getattr(Ports.at(0), server)}}}" in published


def test_servers_have_health_checks_and_volumes(services: dict[str, Any]) -> None:
    """`up --wait` needs the first, a restart the second."""
    assert all(services[server]["healthcheck"]["test"] for server in SERVERS)
    assert all(services[server]["volumes"] for server in SERVERS)


def test_postgres_has_the_same_major_version(services: dict[str, Any]) -> None:
    """SQL that passes natively passes in containers."""
    assert f"postgres:{MAJOR}" in services["postgres"]["image"]


def test_mariadb_is_told_the_same(services: dict[str, Any]) -> None:
    """What changes behaviour is in both."""
    shared = [
        o for o in services["mariadb"]["command"] if o.split("=")[0] in {n.split("=")[0] for n in OPTIONS}
    ]

    assert set(shared) <= set(OPTIONS)
    assert {"--binlog-format=ROW", "--local-infile=1", "--skip-ssl"} <= set(shared)


def test_names_and_databases_are_the_same(services: dict[str, Any], tmp_path: Path) -> None:
    """Users, databases and topics are found under the same names."""
    endpoints = local_endpoints(Ports.at(0), tmp_path)

    assert services["mariadb"]["environment"]["MARIADB_DATABASE"] == endpoints.mariadb.database
    assert services["postgres"]["environment"]["POSTGRES_USER"] == endpoints.postgres.user
    assert services["postgres"]["environment"]["POSTGRES_DB"] == endpoints.postgres.database
    assert services["clickhouse"]["environment"]["CLICKHOUSE_DB"] == endpoints.clickhouse.database


def test_no_password_stands_in_the_file() -> None:
    """Secrets come from the environment of docker compose."""
    secrets = yaml.safe_load(FILE.read_text())["secrets"]

    assert all(set(secret) == {"environment"} for secret in secrets.values())


def test_documents_are_filed_only_where_a_folder_is_named(services: dict[str, Any]) -> None:
    """The loader of OpenEMR has the folder where its setting says, and the setting only with the folder."""
    loader = services["loader-openemr"]
    folder = "/var/lib/openemr/sites"

    assert (
        loader["environment"]["CAREBUS_OPENEMR_SITES_FOLDER"] == f"${{CAREBUS_OPENEMR_SITES_DIR:+{folder}}}"
    )
    assert f"${{CAREBUS_OPENEMR_SITES_DIR:-no_sites}}:{folder}" in loader["volumes"]
    assert OpenEmrSettings(sites_folder="").sites_folder is None  # type: ignore[arg-type]
