"""The first and third part of a change plan: planned modifications and the impact assessment.

Clauses are those of the guidance on predetermined change control plans (see `plan`).
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from change_control.change.request import Execution
from models.values import Count, DocumentPart, Identifier, Name, Number, Slug, Text


class Component(StrEnum):
    """What can differ between two versions. The intended use is none of them: it never may (P5)."""

    WEIGHTS = "weights"
    FEATURES = "features"
    PREPROCESSING = "preprocessing"
    HYPERPARAMETERS = "hyperparameters"
    ARCHITECTURE = "architecture"
    LOSS = "loss"
    THRESHOLD = "threshold"
    CALIBRATION = "calibration"
    TRAINING_DATA = "training_data"
    ENVIRONMENT = "environment"


class DeploymentScope(StrEnum):
    """Whether a modification reaches every site or one."""

    GLOBAL = "global"
    LOCAL = "local"


class RegulatorState(StrEnum):
    """What a regulator has said of the plan; approval in the house is another thing."""

    NOT_APPLICABLE = "not_applicable"
    NOT_SUBMITTED = "not_submitted"
    SUBMITTED = "submitted"
    AUTHORISED = "authorised"


class Regulator(DocumentPart):
    """The plan's state with the regulator, with the reference that proves it."""

    state: RegulatorState
    reference: Text | None = None
    """The submission or authorisation number; needed for `submitted` and `authorised`."""


class Frequency(DocumentPart):
    """At most so many releases in so many days."""

    releases: Count
    per_days: Count


class ProtocolLink(DocumentPart):
    """One cell of the traceability matrix: the items that apply, or why none does."""

    items: tuple[Slug, ...] = ()
    not_applicable: Text | None = None


class ProtocolLinks(DocumentPart):
    """The protocol parts that apply to a modification (PCCP-VII-TR-01)."""

    data_management: ProtocolLink = ProtocolLink()
    retraining: ProtocolLink = ProtocolLink()
    performance_evaluation: ProtocolLink = ProtocolLink()
    update_procedures: ProtocolLink = ProtocolLink()


class PlannedModification(DocumentPart):
    """One listed change, with its reason and what it must achieve (PCCP-VI-01, -02, -04)."""

    id: Slug
    title: Text
    rationale: Text
    specification: Text
    """The intended characteristics and performance of the modified model."""
    execution: Execution
    deployment: DeploymentScope
    local_factors: Text | None = None
    """Why and by what it differs between sites; needed for `local`, and only there."""
    max_frequency: Frequency
    labelling_sections: tuple[Slug, ...] = Field(min_length=1)
    """The sections of card and label that change with it."""
    mutable_components: tuple[Component, ...] = Field(min_length=1)
    protocol: ProtocolLinks


class PlanHazard(DocumentPart):
    """A hazard of a modification, what controls it and what shows the control working (VIII)."""

    id: Slug
    hazard: Text
    harm: Text
    modifications: tuple[Slug, ...] = Field(min_length=1)
    control: Text
    verified_by: tuple[Slug, ...] = Field(min_length=1)
    """Identifiers of acceptance criteria, post-release checks or rollback criteria."""


class Interaction(DocumentPart):
    """What two modifications do to each other (PCCP-VIII-02)."""

    modifications: tuple[Slug, Slug]
    effect: Text


class EnvelopeLimit(DocumentPart):
    """How far a metric may walk from the baseline, all releases under the plan together."""

    metric: Identifier
    population: Name
    maximum_change: Number
    against: Literal["authorised_baseline", "first_release"]


class CumulativeEffect(DocumentPart):
    """The effect of all modifications together, with limits that can be exceeded."""

    statement: Text
    envelope: tuple[EnvelopeLimit, ...] = Field(min_length=1)


class ImpactAssessment(DocumentPart):
    """Benefits, hazards, interactions and the cumulative effect (PCCP-VIII-01, -02)."""

    benefits: Text
    hazards: tuple[PlanHazard, ...] = Field(min_length=1)
    interactions: tuple[Interaction, ...]
    """One for every pair of modifications; empty where there is one modification."""
    cumulative: CumulativeEffect
