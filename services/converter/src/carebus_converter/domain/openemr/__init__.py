"""What one person becomes in OpenEMR: rows per table, and counts of what found no place.

The plan's writes are named by table, and by OMOP table where several feed one (``lists.observation``),
so that a bundle that covers only some tables replaces only what came from those:

    patient_data · patient_data.death · form_encounter · lists.condition_occurrence ·
    lists.observation · history_data · prescriptions · immunizations

Ids that OpenEMR hands out are references by uuid, which the loader resolves: a cell of ``encounter`` or
``encounter_id`` holds the uuid of a form_encounter row. The patient is implied by the plan's subject.
What follows from these rows alone is the loader's to add: registry and mapping rows, ``forms``, the
medication list row of a prescription, ``issue_encounter``, missing vaccine codes.
"""

from carebus_converter.domain.openemr.plan import PlanParts, plan
from carebus_converter.domain.openemr.settings import OpenEmrSettings

__all__ = ["OpenEmrSettings", "PlanParts", "plan"]
