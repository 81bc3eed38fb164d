"""Rules about treatments: possible where they are done, not repeated without reason, not forbidden.

What is possible where, and what is forbidden, is written down here from doctrine and not read from the
protocols that the model follows (``data/care.toml``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carebus_generator.domain.checks.coding import TABLE
from carebus_generator.domain.checks.rules import at
from carebus_generator.domain.cohort import NONE, Cohort, Region, Role
from carebus_generator.domain.draws import Bools, Ints

_HOUR_S = 3600
SURGERY = ("387713003", "79733001", "180030006", "46028000", "264957007")
"""Operations, amputations and chest drains: Role 2 and above (AJP-4.10)."""
ADVANCED = (
    "112798008",
    "26763009",
    "180207008",
    "13569004",
    "303653007",
    "418891003",
    "242969",
    "8782",
    "68139",
)
"""Intubation, ventilation, stored blood, CT, vasopressors and anaesthetics: Role 2 and above."""
FIRST_AID = ("20655006", "26906007", "3895009", "710971000", "274474001", "4337", "1223", "3322")
"""All that buddy or medic can do at the point of injury (TCCC): bleeding, dressings, airway, splints,
fentanyl lozenge, auto-injectors of atropine and diazepam."""
ONCE = (*SURGERY[1:], "20655006", "112798008", "288086009", "274474001", "91602002")
"""Done once to a wound: amputations, drains, tourniquets, tubes, stitches, splints."""
OPIOIDS = ("7052", "4337")
BETA_LACTAMS = ("723", "2180", "2193")
"""Amoxicillin, cefazolin, ceftriaxone: none of them for who is allergic to penicillin, to be on the safe side."""
NSAIDS = ("5640",)
BRAIN_INJURY = ("127295002",)
KIDNEY_INJURY = ("40095003",)
ALLERGY = ("91936005",)
LEAST_S = 4 * _HOUR_S
"""The same treatment of the same wound comes again no sooner: shortest interval of its label or protocol."""


def of_treatments(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """What is done, where, how often, and for whom it must not be."""
    t, s, w = cohort.treatments, cohort.stays, cohort.wounds
    role = np.where(t.stay == NONE, int(Role.POI), at(s.role, np.maximum(t.stay, 0)))

    def given(codes: tuple[str, ...]) -> Bools:
        return TABLE.among(t.code, *codes)

    yield (
        "surgery",
        "no operation, amputation or chest drain below Role 2",
        t.patient,
        given(SURGERY) & (role < Role.R2),
    )
    yield (
        "advanced care",
        "no tube, ventilator, stored blood, CT, vasopressor or anaesthetic below Role 2",
        t.patient,
        given(ADVANCED) & (role < Role.R2),
    )
    yield (
        "first aid only",
        "at the point of injury there is first aid only",
        t.patient,
        (role == Role.POI) & ~given(FIRST_AID),
    )
    yield from _repeated(cohort, given(ONCE))
    yield (
        "whose wound",
        "treatments of a wound are for a wound of the patient",
        t.patient,
        (t.wound != NONE) & (at(w.patient, np.maximum(t.wound, 0)) != t.patient),
    )
    region = np.where(t.wound == NONE, NONE, at(w.region, np.maximum(t.wound, 0)))
    limb = (region == Region.LIMB_UPPER) | (region == Region.LIMB_LOWER)
    yield "tourniquet", "tourniquets are on limbs only", t.patient, given(("20655006",)) & ~limb
    yield (
        "amputation",
        "hands are amputated of arms, feet and thighs of legs",
        t.patient,
        (given(("46028000",)) & (region != Region.LIMB_UPPER))
        | (given(("79733001", "180030006")) & (region != Region.LIMB_LOWER)),
    )
    yield (
        "opioids",
        "no morphine or fentanyl for who has a traumatic brain injury",
        t.patient,
        given(OPIOIDS) & _having(cohort, BRAIN_INJURY)[t.patient],
    )
    yield (
        "anti-inflammatories",
        "no ibuprofen for who has an injured kidney or a traumatic brain injury",
        t.patient,
        given(NSAIDS) & _having(cohort, KIDNEY_INJURY + BRAIN_INJURY)[t.patient],
    )
    yield (
        "allergy",
        "no penicillin or cephalosporin for who is recorded as allergic to penicillin",
        t.patient,
        given(BETA_LACTAMS) & _allergic(cohort)[t.patient],
    )


def _repeated(cohort: Cohort, once: Bools) -> Iterator[tuple[str, str, Ints, Bools]]:
    t = cohort.treatments
    order = np.lexsort((t.start_s, t.wound, t.code, t.patient))
    same = np.ones(len(order), dtype=np.bool_)
    for column in (t.patient, t.code, t.wound):
        same &= np.diff(column[order], prepend=-2) == 0
    apart_s = np.diff(t.start_s[order], prepend=0)
    yield (
        "repetition",
        f"the same treatment of the same wound comes again no sooner than after {LEAST_S // _HOUR_S} hours",
        t.patient[order],
        same & (apart_s < LEAST_S),
    )
    yield (
        "once",
        "amputations, drains, tourniquets, tubes, stitches and splints come once to a wound",
        t.patient[order],
        same & once[order],
    )


def _having(cohort: Cohort, codes: tuple[str, ...]) -> Bools:
    """Return who truly has one of these conditions."""
    having = np.zeros(len(cohort), dtype=np.bool_)
    having[cohort.wounds.patient[TABLE.among(cohort.wounds.condition, *codes)]] = True
    return having


def _allergic(cohort: Cohort) -> Bools:
    having = np.zeros(len(cohort), dtype=np.bool_)
    having[cohort.diagnoses.patient[TABLE.among(cohort.diagnoses.condition, *ALLERGY)]] = True
    return having
