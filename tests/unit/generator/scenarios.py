"""Scenarios for tests: small, and only about what a test names."""

from __future__ import annotations

import json

from carebus_generator.domain.scenario import Scenario, read_scenario


def a_scenario(**changed: object) -> Scenario:
    """Return a valid scenario: one front, four days, conventional combat, 1,000 patients."""
    content = {
        "total": 1000,
        "days": 4,
        "base_date": "2025-06-01",
        "mix": {"battle": 0.5, "non_battle": 0.3, "disease": 0.2},
        "warfare": ["conventional"],
        **changed,
    }
    return read_scenario(json.dumps(content), "of a test")
