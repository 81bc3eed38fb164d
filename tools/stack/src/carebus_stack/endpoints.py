"""Where the servers of a stack answer, and with which credentials."""

from dataclasses import dataclass
from pathlib import Path

from .ports import LOOPBACK, Ports


@dataclass(frozen=True, slots=True)
class KafkaEndpoint:
    """One broker, plaintext."""

    bootstrap: str


@dataclass(frozen=True, slots=True)
class MariaDbEndpoint:
    """MariaDB with a schema for OpenEMR; the owner may create schemas, the user writes rows."""

    host: str
    port: int
    user: str
    password_file: Path
    database: str
    owner_user: str
    owner_password_file: Path

    @property
    def password(self) -> str:
        """The user's password."""
        return self.password_file.read_text().strip()

    @property
    def owner_password(self) -> str:
        """The owner's password."""
        return self.owner_password_file.read_text().strip()


@dataclass(frozen=True, slots=True)
class PostgresEndpoint:
    """Postgres; its one user is a superuser."""

    host: str
    port: int
    user: str
    password_file: Path
    database: str

    @property
    def password(self) -> str:
        """The user's password."""
        return self.password_file.read_text().strip()


@dataclass(frozen=True, slots=True)
class ClickHouseEndpoint:
    """ClickHouse over HTTP; natively it asks for no credentials."""

    host: str
    port: int
    database: str

    @property
    def url(self) -> str:
        """The base address of the HTTP interface."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All servers of a stack, also those that were left out of `up`."""

    kafka: KafkaEndpoint
    mariadb: MariaDbEndpoint
    postgres: PostgresEndpoint
    clickhouse: ClickHouseEndpoint

    def settings(self) -> dict[str, str]:
        """Return the environment variables by which the services find these servers."""
        return {
            "CAREBUS_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "CAREBUS_OPENEMR_HOST": self.mariadb.host,
            "CAREBUS_OPENEMR_PORT": str(self.mariadb.port),
            "CAREBUS_OPENEMR_USER": self.mariadb.user,
            "CAREBUS_OPENEMR_PASSWORD_FILE": str(self.mariadb.password_file),
            "CAREBUS_OPENEMR_DATABASE": self.mariadb.database,
            "CAREBUS_OPENEMR_OWNER_USER": self.mariadb.owner_user,
            "CAREBUS_OPENEMR_OWNER_PASSWORD_FILE": str(self.mariadb.owner_password_file),
            "CAREBUS_POSTGRES_HOST": self.postgres.host,
            "CAREBUS_POSTGRES_PORT": str(self.postgres.port),
            "CAREBUS_POSTGRES_USER": self.postgres.user,
            "CAREBUS_POSTGRES_PASSWORD_FILE": str(self.postgres.password_file),
            "CAREBUS_POSTGRES_DATABASE": self.postgres.database,
            "CAREBUS_POSTGRES_OWNER_USER": self.postgres.user,
            "CAREBUS_POSTGRES_OWNER_PASSWORD_FILE": str(self.postgres.password_file),
            "CAREBUS_CLICKHOUSE_HOST": self.clickhouse.host,
            "CAREBUS_CLICKHOUSE_PORT": str(self.clickhouse.port),
            "CAREBUS_CLICKHOUSE_DATABASE": self.clickhouse.database,
        }


def local_endpoints(ports: Ports, secrets: Path) -> Endpoints:
    """Return the endpoints of a stack on loopback whose password files lie in `secrets`."""
    return Endpoints(
        kafka=KafkaEndpoint(f"{LOOPBACK}:{ports.kafka}"),
        mariadb=MariaDbEndpoint(
            host=LOOPBACK,
            port=ports.mariadb,
            user="carebus",
            password_file=secrets / "mariadb-carebus",
            database="openemr",
            owner_user="carebus_owner",
            owner_password_file=secrets / "mariadb-carebus_owner",
        ),
        postgres=PostgresEndpoint(
            host=LOOPBACK,
            port=ports.postgres,
            user="carebus",
            password_file=secrets / "postgres-carebus",
            database="carebus",
        ),
        clickhouse=ClickHouseEndpoint(host=LOOPBACK, port=ports.clickhouse, database="carebus"),
    )


def settings_text(settings: dict[str, str]) -> str:
    """Return a settings file: `KEY=VALUE` a line, as env files of shells and compose want it."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
