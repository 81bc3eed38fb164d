"""What one person becomes in OpenEMR: rows per table, and counts of what found no place.

The plan's writes are named by table, and by OMOP table where several feed one (``lists.observation``),
so that a bundle that covers only some tables replaces only what came from those:

    patient_data · patient_data.death · form_encounter · lists.<table> · history_data · prescriptions ·
    immunizations · form_vitals.measurement · procedure_order.<table> · procedure_report.<table> ·
    procedure_result.<table> · form_encounter.measurement (days of vitals that name no visit)

Ids that OpenEMR hands out are references by uuid, which the loader resolves: a cell of ``encounter`` or
``encounter_id`` holds the uuid of a form_encounter row, ``procedure_order_id`` that of an order,
``procedure_report_id`` that of a report; ``provider`` and ``site`` hold the uuid of a row of ``users`` or
``facility`` that the plan brings along as a subject of its own (its ``refers``), or NULL for those of the
loader's settings. The patient is implied by the plan's subject.
What follows from these rows alone is the loader's to add: registry and mapping rows, ``forms``, the
medication list row of a prescription, ``issue_encounter``, the line of its order for a report, missing
vaccine codes and test names.
"""

from carebus_converter.domain.openemr.plan import PlanParts, plan
from carebus_converter.domain.openemr.settings import OpenEmrSettings

__all__ = ["OpenEmrSettings", "PlanParts", "plan"]
