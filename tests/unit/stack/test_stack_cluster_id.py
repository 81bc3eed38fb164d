"""The id of a Kafka cluster."""

from __future__ import annotations

from carebus_stack.servers.kafka import cluster_id


def test_no_cluster_id_looks_like_an_option() -> None:
    """Of many ids none begins with a hyphen, and all are 22 characters."""
    made = {cluster_id() for _ in range(5_000)}

    assert len(made) == 5_000
    assert {len(one) for one in made} == {22}
    assert not any(one.startswith("-") for one in made)
