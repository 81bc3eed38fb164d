"""Topics, schemas and ledgers of the demo: the same commands that an operator gives, in one process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from carebus_contracts.errors import CareBusError
from carebus_demo.suite import common_settings

DEMO_SETTINGS = {"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"}
"""A real OpenEMR has its tables; the demo has none, so ours are made from the facts that we ship."""


def prepare(settings: Mapping[str, str], folder: Path) -> None:
    """Make topics, schemas and ledgers.

    Raises:
        CareBusError: A command failed; the text is its last words.
    """
    # A proxy on the way to the package index is none on the way to servers on this machine.
    without = ",".join(filter(None, (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1")))
    own = {"no_proxy": without, "NO_PROXY": without}
    environment = {**os.environ, **own, **common_settings(settings, folder, []), **DEMO_SETTINGS}
    carebus = Path(sys.executable).with_name("carebus")
    for arguments in (["topics", "ensure"], ["targets", "prepare"]):
        done = subprocess.run(
            [str(carebus), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CareBusError(f"`carebus {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")
