"""Texts about plans that cannot be read name the place and no value."""

from __future__ import annotations

import orjson
import pytest

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.plans import read_plan

PLAN = {"target": "postgres", "source": "lab", "subject": "person/1"}


def test_a_value_that_is_none_of_an_enumeration_is_not_repeated() -> None:
    """Dead-letter headers and logs hold this text."""
    write = {"kind": "born\n1970's 'spring'", "table": "person", "hash": "", "count": 0}

    with pytest.raises(InvalidMessage) as caught:
        read_plan(orjson.dumps(PLAN | {"writes": [write]}))

    assert str(caught.value) == "Invalid enum value - at `$.writes[0].kind`"
