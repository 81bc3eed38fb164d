"""OpenEMR's database as a target of plans."""

from carebus_loader.adapters.openemr.settings import OpenEmrSettings
from carebus_loader.adapters.openemr.target import OpenEmrTarget

__all__ = ["OpenEmrSettings", "OpenEmrTarget", "open_openemr"]


def open_openemr() -> OpenEmrTarget:
    """Make the target that the environment describes."""
    return OpenEmrTarget(OpenEmrSettings.load())
