"""What a warehouse is to hold about a person, or about a chunk of reference rows."""

from carebus_converter.domain.warehouse.plans import (
    WarehousePlans,
    person_plan,
    person_writes,
    reference_plan,
    reference_writes,
)

__all__ = ["WarehousePlans", "person_plan", "person_writes", "reference_plan", "reference_writes"]
