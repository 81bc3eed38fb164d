"""``python -m carebus_loader``: run the loader of the target in CAREBUS_LOADER_TARGET."""

from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings
from carebus_loader.adapters.documents.settings import DocumentsSettings
from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.app import build
from carebus_loader.settings import LoaderSettings
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.worker import run_worker

SETTINGS = (
    LoaderSettings,
    KafkaSettings,
    ClickHouseSettings,
    DocumentsSettings,
    OpenEmrSettings,
    PostgresSettings,
)


def main() -> None:
    """Run until told to stop."""
    run_worker("loader", build, SETTINGS)


if __name__ == "__main__":
    main()
