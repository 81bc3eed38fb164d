"""The OMOP tables that carebus carries: row type, key and what the CDM 5.4 requires.

Source:
    OHDSI CommonDataModel, field-level specification of CDM v5.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, get_type_hints

from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.cdm_source import CdmSource
from carebus_contracts.omop.concept import Concept
from carebus_contracts.omop.concept_ancestor import ConceptAncestor
from carebus_contracts.omop.concept_class import ConceptClass
from carebus_contracts.omop.concept_relationship import ConceptRelationship
from carebus_contracts.omop.concept_synonym import ConceptSynonym
from carebus_contracts.omop.condition_era import ConditionEra
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.cost import Cost
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_contracts.omop.domain import Domain
from carebus_contracts.omop.dose_era import DoseEra
from carebus_contracts.omop.drug_era import DrugEra
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.drug_strength import DrugStrength
from carebus_contracts.omop.episode import Episode
from carebus_contracts.omop.location import Location
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.metadata import Metadata
from carebus_contracts.omop.note import Note
from carebus_contracts.omop.observation import Observation
from carebus_contracts.omop.observation_period import ObservationPeriod
from carebus_contracts.omop.payer_plan_period import PayerPlanPeriod
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_contracts.omop.provider import Provider
from carebus_contracts.omop.relationship import Relationship
from carebus_contracts.omop.source_to_concept_map import SourceToConceptMap
from carebus_contracts.omop.specimen import Specimen
from carebus_contracts.omop.visit_detail import VisitDetail
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_contracts.omop.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What every stage needs to know about one OMOP table."""

    name: str
    row: type[NamedTuple]
    """The row type; its fields are the columns of CDM 5.4 in order."""
    key: tuple[str, ...]
    """Columns that name a record; real data repeat them, so a copy number stands beside them."""
    required: frozenset[str]
    """What the CDM requires. Checked and reported, not enforced: nulls travel as they are."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of CDM 5.4, in the order of the specification."""
        return self.row._fields

    @property
    def concept_columns(self) -> tuple[str, ...]:
        """Columns that hold a concept id."""
        return tuple(c for c in self.columns if c.endswith("concept_id"))

    @property
    def types(self) -> Mapping[str, Any]:
        """Python type of each column (``int``, ``str | None``, ``date | None`` ...)."""
        return get_type_hints(self.row)


def _table(row: type[NamedTuple], name: str, key: str, required: str) -> TableSpec:
    return TableSpec(name, row, tuple(key.split()), frozenset(required.split()))


PERSON_TABLES: Mapping[str, TableSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _table(
                Person,
                "person",
                "person_id",
                "person_id gender_concept_id year_of_birth race_concept_id ethnicity_concept_id",
            ),
            _table(
                Death,
                "death",
                "person_id",
                "person_id death_date",
            ),
            _table(
                ObservationPeriod,
                "observation_period",
                "observation_period_id",
                "observation_period_id person_id observation_period_start_date "
                "observation_period_end_date period_type_concept_id",
            ),
            _table(
                VisitOccurrence,
                "visit_occurrence",
                "visit_occurrence_id",
                "visit_occurrence_id person_id visit_concept_id visit_start_date "
                "visit_end_date visit_type_concept_id",
            ),
            _table(
                VisitDetail,
                "visit_detail",
                "visit_detail_id",
                "visit_detail_id person_id visit_detail_concept_id "
                "visit_detail_start_date visit_detail_end_date "
                "visit_detail_type_concept_id visit_occurrence_id",
            ),
            _table(
                ConditionOccurrence,
                "condition_occurrence",
                "condition_occurrence_id",
                "condition_occurrence_id person_id condition_concept_id "
                "condition_start_date condition_type_concept_id",
            ),
            _table(
                DrugExposure,
                "drug_exposure",
                "drug_exposure_id",
                "drug_exposure_id person_id drug_concept_id "
                "drug_exposure_start_date drug_exposure_end_date "
                "drug_type_concept_id",
            ),
            _table(
                ProcedureOccurrence,
                "procedure_occurrence",
                "procedure_occurrence_id",
                "procedure_occurrence_id person_id procedure_concept_id "
                "procedure_date procedure_type_concept_id",
            ),
            _table(
                DeviceExposure,
                "device_exposure",
                "device_exposure_id",
                "device_exposure_id person_id device_concept_id "
                "device_exposure_start_date device_type_concept_id",
            ),
            _table(
                Measurement,
                "measurement",
                "measurement_id",
                "measurement_id person_id measurement_concept_id measurement_date "
                "measurement_type_concept_id",
            ),
            _table(
                Observation,
                "observation",
                "observation_id",
                "observation_id person_id observation_concept_id observation_date "
                "observation_type_concept_id",
            ),
            _table(
                Note,
                "note",
                "note_id",
                "note_id person_id note_date note_type_concept_id "
                "note_class_concept_id note_text encoding_concept_id "
                "language_concept_id",
            ),
            _table(
                Specimen,
                "specimen",
                "specimen_id",
                "specimen_id person_id specimen_concept_id specimen_type_concept_id specimen_date",
            ),
            _table(
                ConditionEra,
                "condition_era",
                "condition_era_id",
                "condition_era_id person_id condition_concept_id "
                "condition_era_start_date condition_era_end_date",
            ),
            _table(
                DrugEra,
                "drug_era",
                "drug_era_id",
                "drug_era_id person_id drug_concept_id drug_era_start_date drug_era_end_date",
            ),
            _table(
                DoseEra,
                "dose_era",
                "dose_era_id",
                "dose_era_id person_id drug_concept_id unit_concept_id dose_value "
                "dose_era_start_date dose_era_end_date",
            ),
            _table(
                Episode,
                "episode",
                "episode_id",
                "episode_id person_id episode_concept_id episode_start_date "
                "episode_object_concept_id episode_type_concept_id",
            ),
            _table(
                Cost,
                "cost",
                "cost_id",
                "cost_id cost_event_id cost_domain_id cost_type_concept_id",
            ),
            _table(
                PayerPlanPeriod,
                "payer_plan_period",
                "payer_plan_period_id",
                "payer_plan_period_id person_id payer_plan_period_start_date payer_plan_period_end_date",
            ),
        )
    }
)
"""Tables whose rows belong to one person, in the order of a bundle."""

REFERENCE_TABLES: Mapping[str, TableSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _table(
                Concept,
                "concept",
                "concept_id",
                "concept_id concept_name domain_id vocabulary_id concept_class_id "
                "concept_code valid_start_date valid_end_date",
            ),
            _table(
                Vocabulary,
                "vocabulary",
                "vocabulary_id",
                "vocabulary_id vocabulary_name vocabulary_concept_id",
            ),
            _table(
                Domain,
                "domain",
                "domain_id",
                "domain_id domain_name domain_concept_id",
            ),
            _table(
                ConceptClass,
                "concept_class",
                "concept_class_id",
                "concept_class_id concept_class_name concept_class_concept_id",
            ),
            _table(
                Relationship,
                "relationship",
                "relationship_id",
                "relationship_id relationship_name is_hierarchical defines_ancestry "
                "reverse_relationship_id relationship_concept_id",
            ),
            _table(
                ConceptRelationship,
                "concept_relationship",
                "concept_id_1 concept_id_2 relationship_id",
                "concept_id_1 concept_id_2 relationship_id valid_start_date valid_end_date",
            ),
            _table(
                ConceptSynonym,
                "concept_synonym",
                "concept_id concept_synonym_name language_concept_id",
                "concept_id concept_synonym_name language_concept_id",
            ),
            _table(
                ConceptAncestor,
                "concept_ancestor",
                "ancestor_concept_id descendant_concept_id",
                "ancestor_concept_id descendant_concept_id min_levels_of_separation max_levels_of_separation",
            ),
            _table(
                DrugStrength,
                "drug_strength",
                "drug_concept_id ingredient_concept_id",
                "drug_concept_id ingredient_concept_id valid_start_date valid_end_date",
            ),
            _table(
                SourceToConceptMap,
                "source_to_concept_map",
                "source_code source_vocabulary_id target_concept_id",
                "source_code source_concept_id source_vocabulary_id "
                "target_concept_id target_vocabulary_id valid_start_date "
                "valid_end_date",
            ),
            _table(
                Location,
                "location",
                "location_id",
                "location_id",
            ),
            _table(
                CareSite,
                "care_site",
                "care_site_id",
                "care_site_id",
            ),
            _table(
                Provider,
                "provider",
                "provider_id",
                "provider_id",
            ),
            _table(
                CdmSource,
                "cdm_source",
                "cdm_source_name",
                "cdm_source_name cdm_source_abbreviation cdm_holder "
                "source_release_date cdm_release_date cdm_version_concept_id "
                "vocabulary_version",
            ),
            _table(
                Metadata,
                "metadata",
                "metadata_id",
                "metadata_id metadata_concept_id metadata_type_concept_id name",
            ),
        )
    }
)
"""Tables whose rows belong to no person."""
