"""The second part of a change plan: the modification protocol in its four parts.

What a regulator reads as prose stands beside what a machine executes: the evaluation protocol and
the acceptance criteria are numbers, fixed here and nowhere else (P4). Every item that a
modification can be traced to has an identifier.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from audits.criteria import Criterion
from change_control.change.request import OnInsufficient
from change_control.reading import Method
from change_control.release.release import ReleaseMode
from change_control.roles import Role
from models.values import Count, DocumentPart, Flag, Identifier, Name, Number, Slug, Text


def _proportion(value: Decimal) -> Decimal:
    if not 0 < value < 1:
        raise ValueError("a proportion lies strictly between 0 and 1")
    return value


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("this number is never negative")
    return value


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


Proportion = Annotated[Number, AfterValidator(_proportion)]
NotNegative = Annotated[Number, AfterValidator(_not_negative)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]


# --- data management (VII) ------------------------------------------------------------------------


class DataSource(DocumentPart):
    """A source of training or test data, with what is taken and what quality it must have."""

    id: Slug
    description: Text
    inclusion: Text
    exclusion: Text
    quality: Text
    maximum_missing: NotNegative
    """The largest share of missing cells at which the data are still used."""


class ReferenceStandard(DocumentPart):
    """How the truth is determined, and after how many days it is mature (P9)."""

    method: Text
    maturity_days: Count
    uncertain_results: Text


class TestData(DocumentPart):
    """The test data: sequestered or not, how often opened, and how they stay fresh."""

    __test__ = False

    id: Slug
    sequestered: Flag
    openings_budget: Count
    """How many openings there may be before the set must be replaced (P4)."""
    fresh_periods: Text
    """How newly matured periods become fresh test data."""
    minimum_fresh_months: Count


class DataManagement(DocumentPart):
    """What data are used, and how test data are kept apart."""

    sources: tuple[DataSource, ...] = Field(min_length=1)
    reference_standard: ReferenceStandard
    test_data: TestData


# --- re-training (VII) ----------------------------------------------------------------------------


class TriggerKind(StrEnum):
    """What opens a re-training."""

    SCHEDULE = "schedule"
    DATA_VOLUME = "data_volume"
    FINDING = "finding"
    CORRECTION = "correction"


class RetrainingTrigger(DocumentPart):
    """One declared trigger (PCCP-VII-RT-02)."""

    id: Slug
    kind: TriggerKind
    rule: Text


class Retraining(DocumentPart):
    """The objective, the triggers, what may change and what must not (PCCP-VII-RT-01, -03)."""

    objective: Text
    triggers: tuple[RetrainingTrigger, ...] = Field(min_length=1)
    must_not_change: tuple[Text, ...] = Field(min_length=1)
    overfitting: Text
    """How over-fitting is found and limited."""
    bias: Text
    """How newly introduced bias is found and limited."""


# --- performance evaluation (VII) -----------------------------------------------------------------


class EvaluationProtocol(DocumentPart):
    """The temporal validation, as it will be executed; a random split cannot be written here (P9).

    Lengths are in months. The same seed gives the same bytes.
    """

    kind: Literal["rolling_origin"]
    origins: Count
    step_months: Count
    horizon_months: Count
    minimum_history_months: Count
    interval_levels: tuple[Proportion, ...] = Field(min_length=1)
    """Coverage of the predicted intervals, such as 0.8 and 0.95."""
    confidence_level: Proportion
    """Level of the intervals around the estimates."""
    replicates: Count
    seed: Seed
    unit_of_independence: Name
    estimate_method: Method
    interval_method: Method
    baseline_method: Method
    group_method: Method | None = None


class ComparatorKind(StrEnum):
    """What the modified model is set beside."""

    AUTHORISED_BASELINE = "authorised_baseline"
    LAST_RELEASE = "last_release"
    REFERENCE_METHOD = "reference_method"


class Comparator(DocumentPart):
    """Something that the modified model is compared with (PCCP-VII-PE-02)."""

    kind: ComparatorKind
    description: Text


class AcceptanceCriterion(DocumentPart):
    """One acceptance criterion, of the shape of `audits.criteria.Criterion`.

    `floor` goes with `at_most` and `at_least`, `low` and `high` with `within`; `baseline` and
    `margin` each with the reading that needs it.
    """

    id: Slug
    metric: Identifier
    population: Name
    direction: Literal["at_most", "at_least", "within"]
    floor: Number | None = None
    low: Number | None = None
    high: Number | None = None
    reading: Literal["point", "excludes_baseline", "margin"]
    baseline: Number | None = None
    margin: NotNegative | None = None
    minimum_n: Count
    why: Text

    def as_criterion(self) -> Criterion:
        """Return it as the audits judge by it.

        Raises:
            audits.errors.CriterionMalformed: where direction, reading and limits do not fit.
        """
        return Criterion(
            id=self.id,
            metric=self.metric,
            population=self.population,
            direction=self.direction,
            floor=_float(self.floor),
            low=_float(self.low),
            high=_float(self.high),
            reading=self.reading,
            baseline=_float(self.baseline),
            margin=_float(self.margin),
            minimum_n=self.minimum_n,
        )


class Multiplicity(DocumentPart):
    """How several criteria are read together; the one rule that exists is the conservative one."""

    rule: Literal["all_must_pass"]
    why: Text


class RestrictedObligation(DocumentPart):
    """What a release on insufficient evidence owes, by whom and when."""

    what: Text
    owner_role: Role
    due_days: Count


class InsufficientRule(DocumentPart):
    """What the verdict `insufficient` does (P8)."""

    rule: OnInsufficient
    why: Text
    obligation: RestrictedObligation | None = None
    """Needed for `restricted`, and only there."""


class PerformanceEvaluation(DocumentPart):
    """The evaluation plan: protocol, comparators, criteria and the rules around them."""

    protocol: EvaluationProtocol
    comparators: tuple[Comparator, ...] = Field(min_length=1)
    criteria: tuple[AcceptanceCriterion, ...] = Field(min_length=1)
    missing_data: Text
    multiplicity: Multiplicity
    on_insufficient: InsufficientRule
    on_failure: Text
    """What is recorded and done when a criterion fails (PCCP-VII-PE-04)."""


# --- update procedures (VII) ----------------------------------------------------------------------


class DeploymentStage(DocumentPart):
    """One stage of deployment and what ends it."""

    mode: ReleaseMode
    until: Text


class PostReleaseCheck(DocumentPart):
    """A check after release and the days within which it has passed (PCCP-VII-UP-02)."""

    id: Slug
    check: Text
    within_days: Count


class Notice(DocumentPart):
    """Who is told of a change, of what, and within how many days (PCCP-VII-UP-03)."""

    recipients: Text
    content: Text
    within_days: Count


class RollbackCriterion(DocumentPart):
    """What makes a release go back (PCCP-VII-UP-04)."""

    id: Slug
    rule: Text


class UpdateProcedures(DocumentPart):
    """How a version goes into service, how users learn of it, and how it comes back."""

    verification: Text
    """Software verification in the environment that will serve (PCCP-VII-UP-01)."""
    deployment: tuple[DeploymentStage, ...] = Field(min_length=1)
    post_release_checks: tuple[PostReleaseCheck, ...] = Field(min_length=1)
    notice: Notice
    rollback: tuple[RollbackCriterion, ...] = Field(min_length=1)
    rollback_target: Text
    fallback: Text
    """What users do while nothing answers."""


class ModificationProtocol(DocumentPart):
    """The four parts of the protocol."""

    data_management: DataManagement
    retraining: Retraining
    performance_evaluation: PerformanceEvaluation
    update_procedures: UpdateProcedures
