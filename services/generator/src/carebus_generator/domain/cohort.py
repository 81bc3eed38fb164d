"""A chunk of patients as columns: what the model makes, what OMOP rows and checks are made from.

Every table has one numpy array a column, all of one length. Rows of the finer tables are sorted by
patient, then time; ``patient`` is the row of ``Patients`` in this chunk, from 0. Times are whole
seconds since midnight (UTC) of the scenario's base date; -1 stands for "never" or "none".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from carebus_generator.domain.draws import Bools, Floats, Ints, Words

NEVER = -1
"""A time that does not come."""
NONE = -1
"""A row that is not there."""


class Kind(IntEnum):
    """Why somebody becomes a patient."""

    BATTLE = 0
    NON_BATTLE = 1
    """Injury without the enemy's doing."""
    DISEASE = 2


class Role(IntEnum):
    """Where a patient is; NATO's roles of care."""

    POI = 0
    """Point of injury, with first aid by the patient, a buddy or a medic."""
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4


class Triage(IntEnum):
    """NATO triage categories."""

    T1 = 1
    """Immediate."""
    T2 = 2
    """Delayed."""
    T3 = 3
    """Minimal."""
    T4 = 4
    """Expectant."""


class Outcome(IntEnum):
    """How a patient's way ends; exactly one each."""

    KIA = 0
    """Battle casualty dead before any facility."""
    DOW = 1
    """Battle casualty dead at or after the first facility."""
    DIED = 2
    """Dead of disease or of an injury without the enemy's doing."""
    RTD = 3
    """Returned to duty from a facility."""
    DISCHARGED = 4
    """Evacuated to Role 4, and discharged there."""
    REMAINS = 5
    """Evacuated to Role 4, and there when the observed time ends."""

    @property
    def dead(self) -> bool:
        """Whether the patient died."""
        return self <= Outcome.DIED


class Mechanism(IntEnum):
    """What did it. Order is that of the reference data."""

    BLAST = 0
    GUNSHOT = 1
    VEHICLE = 2
    FALL = 3
    CRUSH = 4
    BURN = 5
    ENVIRONMENT = 6
    """Heat or cold."""
    SPORT_OR_WORK = 7
    TOXIC = 8
    """Chemical, biological or radiological agents."""
    ILLNESS = 9
    DROWNING = 10


class Region(IntEnum):
    """Body regions of wounds."""

    HEAD_NECK = 0
    THORAX = 1
    ABDOMEN = 2
    LIMB_UPPER = 3
    LIMB_LOWER = 4
    WHOLE = 5
    """Burns, exposure, disease."""


class Transport(IntEnum):
    """How a patient came to a stay."""

    WALKED = 0
    GROUND = 1
    AIR = 2
    BUS = 3


@dataclass(frozen=True, slots=True)
class Patients:
    """One row a patient, in order of ``index``."""

    index: Ints
    """Number in the data set, from 0."""
    event: Words
    """Id of the casualty event, a hash: the same for all of one event."""
    event_size: Ints
    """Patients of that event."""
    injured_s: Ints
    """When the injury happened or the illness showed."""
    kind: Ints
    front: Ints
    """Row of the scenario's fronts."""
    nation: Ints
    """Row of the nations' reference data."""
    warfare: Ints
    """Row of the warfare types' reference data; NONE for special events."""
    special: Ints
    """Row of the scenario's special events, or NONE."""
    mass_casualty: Bools
    female: Bools
    birth_day: Ints
    """Days since 1970-01-01."""
    blood: Ints
    """Row of the blood groups' reference data."""
    weight_kg: Floats
    """One decimal."""
    height_cm: Ints


@dataclass(frozen=True, slots=True)
class Injuries:
    """One row a patient: how bad it is, before any care."""

    mechanism: Ints
    triage: Ints
    """At the point of injury."""
    iss: Ints
    """Injury severity score, 1 to 75; 0 for disease."""


@dataclass(frozen=True, slots=True)
class Wounds:
    """One row a wound, or the one illness of a patient; the worst first."""

    patient: Ints
    condition: Ints
    """Row of the catalogue (domain Condition or Observation): what it truly is."""
    region: Ints
    ais: Ints
    """Abbreviated injury scale, 1 to 6; for illnesses 1 to 5 in the same sense."""


@dataclass(frozen=True, slots=True)
class Stays:
    """One row a stay at a facility, Role 1 to 4; sorted by patient, then arrival. Roles never fall."""

    patient: Ints
    role: Ints
    facility: Ints
    """Row of the scenario's facilities (``Facilities``)."""
    transport: Ints
    picked_up_s: Ints
    """The journey to it began; later than the injury, not before the stay before was left."""
    arrived_s: Ints
    treated_s: Ints
    """Care began: arrival, and the wait for a bed or a theatre where there is one."""
    left_s: Ints
    """Left, died or, when REMAINS, the end of the observed time."""
    triage: Ints
    """On arrival."""


@dataclass(frozen=True, slots=True)
class Courses:
    """One row a patient: how it ended. Agrees with the last row of Stays."""

    outcome: Ints
    ended_s: Ints
    """Time of the terminal event: death, discharge, return; for REMAINS the end of the observed time."""
    died_s: Ints
    """Or NEVER."""
    died_role: Ints
    """Role of the stay, POI before the first, or NONE. Dead on the way count to the stay left behind."""
    first_aid_s: Ints
    """First aid at the point of injury; NEVER when it came too late."""
    fatal: Ints
    """Row of Wounds that killed, or NONE."""


@dataclass(frozen=True, slots=True)
class Diagnoses:
    """One row a diagnosis; sorted by patient, then time."""

    patient: Ints
    stay: Ints
    """Row of Stays; NONE at the point of injury."""
    wound: Ints
    """Row of Wounds that it speaks of."""
    condition: Ints
    """Row of the catalogue; another than the wound's when it was mistaken."""
    at_s: Ints
    confirmed: Bools
    """Role 2 and above confirm; below it is preliminary."""


@dataclass(frozen=True, slots=True)
class Treatments:
    """One row a procedure, or a drug, fluid or blood product given; sorted by patient, then time."""

    patient: Ints
    stay: Ints
    """Row of Stays; NONE at the point of injury."""
    wound: Ints
    """Row of Wounds that it is for, or NONE for the whole patient."""
    code: Ints
    """Row of the catalogue: domain Procedure, Device or Drug."""
    start_s: Ints
    end_s: Ints
    quantity: Floats
    """In the catalogue's unit of that code; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """One row a vital sign or laboratory value; sorted by patient, then time."""

    patient: Ints
    stay: Ints
    code: Ints
    """Row of the catalogue, domain Measurement."""
    at_s: Ints
    value: Floats
    """Rounded to the catalogue's decimals of that code."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Everything about one chunk of patients."""

    patients: Patients
    injuries: Injuries
    wounds: Wounds
    stays: Stays
    courses: Courses
    diagnoses: Diagnoses
    treatments: Treatments
    measurements: Measurements

    def __len__(self) -> int:
        return len(self.patients.index)
