"""Keys go where Kafka's Java client puts them."""

from __future__ import annotations

import pytest

from carebus_runtime.partitioning import partition_of


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
    ],
)
def test_keys_go_where_the_java_client_puts_them(key: bytes, hashed: int) -> None:
    """The hashes are those of Kafka's own tests (UtilsTest.testMurmur2)."""
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12
