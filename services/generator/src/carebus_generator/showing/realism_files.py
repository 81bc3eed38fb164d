"""The realism report as files beside a data set."""

from __future__ import annotations

from carebus_generator.domain.checks.findings import findings
from carebus_generator.domain.model import Model
from carebus_generator.showing.realism import realism_json
from carebus_generator.showing.realism_page import realism_page


def realism_files(model: Model) -> dict[str, bytes]:
    """Return the report by file name: of 20,000 patients, or all if there are fewer; takes half a second."""
    found = findings(model)
    return {"realism.json": realism_json(found), "realism.html": realism_page(found).encode()}
