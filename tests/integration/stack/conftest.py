"""A stack of these tests' own: they kill its servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from carebus_stack import LocalStack
from support.stack import own_stack


@pytest.fixture(scope="session")
def fault_stack() -> Iterator[LocalStack]:
    """All four servers on free ports, removed at the end."""
    with own_stack() as stack:
        yield stack


@pytest.fixture
def up(fault_stack: LocalStack) -> LocalStack:
    """The same, all answering again whatever the last test did."""
    fault_stack.up()
    return fault_stack
