"""Ports of stacks."""

from __future__ import annotations

import pytest

from carebus_stack import SERVERS, StackError
from carebus_stack.ports import MAX_OFFSET, OFFSET_STEP, Ports


def every_port(offset: int) -> list[int]:
    """All ports of a stack."""
    ports = Ports.at(offset)
    return [port for server in SERVERS for port in ports.of(server)]


def test_offset_zero_gives_the_documented_ports() -> None:
    """The defaults of the services' settings and the compose file are these."""
    assert Ports.at(0) == Ports(
        kafka=29092, kafka_controller=29093, mariadb=23306, postgres=25432, clickhouse=28123
    )


def test_every_port_stays_below_the_range_of_clients() -> None:
    """From 32768 on a client may hold the port already."""
    assert max(every_port(MAX_OFFSET)) < 32768


@pytest.mark.parametrize("offset", [MAX_OFFSET + 1, 100_000, -23_000])
def test_an_offset_out_of_range_is_refused(offset: int) -> None:
    """The sentence names the range."""
    with pytest.raises(StackError, match="use one between"):
        Ports.at(offset)


def test_stacks_on_chosen_offsets_never_share_a_port() -> None:
    """Offsets a step apart, however many, have no port in common."""
    ports = [port for offset in range(1001, MAX_OFFSET, OFFSET_STEP) for port in every_port(offset)]

    assert len(set(ports)) == len(ports)
