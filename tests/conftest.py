"""What all tests share: the servers, started once a session, and where shared material lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from carebus_runtime.settings import KafkaSettings
from carebus_stack import LocalStack
from support.stack import running_stack

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """Real servers on loopback: Kafka, MariaDB, Postgres, ClickHouse."""
    with running_stack() as running:
        yield running


@pytest.fixture(scope="session")
def kafka(stack: LocalStack) -> KafkaSettings:
    """Settings of the running Kafka."""
    return KafkaSettings(bootstrap=stack.endpoints.kafka.bootstrap)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference material beside the checkout: real schemas, data sets and the C-CDA validator."""
    if not SHARED.is_dir():
        if os.environ.get("CAREBUS_TEST_REQUIRE_SHARED"):
            pytest.fail(f"{SHARED} is not there, and this run requires it")
        pytest.skip(f"needs the reference material in {SHARED}")
    return SHARED
