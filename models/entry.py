"""The registry entry: everything that is claimed about a governed model before it is trusted.

One typed document per model (`entry.yaml`), read once by people and every time by machines: the
gate reads its use, contract and limits (P1), the change rules compare it field by field (P5), the
assurance tier is computed from regime, influence and consequence in `change_control`, and the
model card is written from it and from recorded estimates, never from prose of its own (P16).
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, ValidationError, model_validator

from audits.estimate import Json
from models.documents import first_fault, parse_document, part_record
from models.errors import EntryInvalid
from models.rows import FieldType, InputContract
from models.tasks import Task
from models.use import ContextOfUse, IntendedUse, UseLimit, UseStatement
from models.values import (
    Count,
    DocumentPart,
    Flag,
    Identifier,
    Month,
    Name,
    Slug,
    Text,
    unique,
)


class Kind(StrEnum):
    """The six stages of the oncology-drug lifecycle."""

    SCREENING = "screening"
    ELIGIBILITY = "eligibility"
    DOSING = "dosing"
    TOXICITY = "toxicity"
    PHARMACOVIGILANCE = "pharmacovigilance"
    FORECASTING = "forecasting"


class Regime(StrEnum):
    """The rules a qualified person has decided the model falls under; it decides words too."""

    DEVICE = "device"
    GCP = "gcp"
    GVP = "gvp"
    OPERATIONS = "operations"
    RESEARCH = "research"


class Influence(StrEnum):
    """Weight of the output in the decision, beside other evidence (model influence)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Consequence(StrEnum):
    """Harm of a wrong decision (decision consequence)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Developer(DocumentPart):
    """Who built the model and who paid for it (HTI-1 source attributes 1 and 2)."""

    name: Text
    contact: Text
    funding: Text


class Feature(DocumentPart):
    """One feature: where it comes from, why it is sensible, and what was known when (P9)."""

    name: Identifier
    source: Text
    rationale: Text
    known_as_of: Text
    demographic: Flag
    """True = a demographic, social or health-status variable (HTI-1 attribute 12)."""


class ControlKind(StrEnum):
    """ISO 14971's order of preference for a risk control."""

    INHERENT = "inherent"
    PROTECTIVE = "protective"
    INFORMATION = "information"


class RiskControl(DocumentPart):
    """What lowers a risk, and where it can be seen working."""

    control: Text
    kind: ControlKind
    evidence: Text


class Severity(StrEnum):
    """Severity of a harm (qualitative, ISO 14971 annex C style)."""

    NEGLIGIBLE = "negligible"
    MINOR = "minor"
    SERIOUS = "serious"
    CRITICAL = "critical"
    CATASTROPHIC = "catastrophic"


class Hazard(DocumentPart):
    """A hazard with its situation, its harm, its controls and what risk is left."""

    id: Slug
    hazard: Text
    situation: Text
    harm: Text
    severity: Severity
    controls: tuple[RiskControl, ...] = Field(min_length=1)
    residual_risk: Text


class DataRole(StrEnum):
    """FDA's words; there is no "validation set"."""

    TRAINING = "training"
    TUNING = "tuning"
    TEST = "test"


class DataSource(DocumentPart):
    """One source of rows: what it is, how it was selected, and whether it is real."""

    name: Slug
    description: Text
    custodian: Text
    licence: Text
    simulated: Flag
    """True = rows come from a simulator: every number measured on them is labelled SIMULATED and
    none of them may be presented as clinical performance."""
    from_month: Month
    to_month: Month
    roles: tuple[DataRole, ...] = Field(min_length=1)
    inclusion: Text
    exclusion: Text
    demographics: Text
    agreement: Text
    """Id of the data agreement, or why none is needed."""

    @model_validator(mode="after")
    def _time_runs_forward(self) -> Self:
        if self.from_month > self.to_month:
            raise ValueError("`from_month` is after `to_month`")
        return self


class DataStatement(DocumentPart):
    """Provenance of the data, and how they relate to the place of use."""

    sources: tuple[DataSource, ...] = Field(min_length=1)
    relation_to_use: Text
    split: Text
    """How time separates training, tuning and test data (P9)."""
    external_test: Text
    """Source and result of an external test, or why there is none."""

    @model_validator(mode="after")
    def _sources_are_named_once(self) -> Self:
        unique([source.name for source in self.sources], what="data source")
        return self


class AttributeNature(StrEnum):
    """Why a subgroup attribute is looked at."""

    PROTECTED = "protected"
    PROXY = "proxy"
    CLINICAL = "clinical"
    OPERATIONAL = "operational"


class SubgroupAttribute(DocumentPart):
    """An attribute whose groups are compared, with the groups and what makes it relevant."""

    name: Identifier
    nature: AttributeNature
    groups: tuple[Name, ...] = Field(min_length=2)
    minimum_n: Count
    why: Text


class Subgroups(DocumentPart):
    """The subgroup comparison, or the stated reason why there is none."""

    attributes: tuple[SubgroupAttribute, ...]
    reason_none: Text | None = None
    approach: Text
    """How fairness of the output was sought and bias managed (HTI-1 attributes 15 and 16)."""

    @model_validator(mode="after")
    def _either_compared_or_explained(self) -> Self:
        if bool(self.attributes) == (self.reason_none is not None):
            raise ValueError("give subgroup attributes, or `reason_none` saying why there are none")
        unique([attribute.name for attribute in self.attributes], what="subgroup attribute")
        return self


class Retention(DocumentPart):
    """How long answers about a person are kept at least, counted from the person's last answer.

    An erasure waits for the end of it; a law that wants it earlier is a reason to change the entry.
    """

    category: Slug
    """The retention class of the record schedule, e.g. medical-record."""
    days: Annotated[StrictInt, Field(ge=0, le=36_525)]
    """Days from the last answer; 0 keeps nothing longer than the person wants."""
    basis: Text
    """The rule that it follows from."""


class Precondition(DocumentPart):
    """A record that must exist and be unexpired before any release."""

    kind: Literal["data_agreement", "irb", "oversight_board", "supplier_agreement"]
    description: Text


class Entry(DocumentPart):
    """The registry entry of one governed model."""

    format: Literal["entry/1"]
    name: Slug
    kind: Kind
    title: Text
    owner: Slug
    """Id of the accountable person."""
    developer: Developer
    regime: Regime
    regime_rationale: Text
    influence: Influence
    consequence: Consequence
    risk_rationale: Text
    intended_use: IntendedUse | None = None
    context_of_use: ContextOfUse | None = None
    predictor: Name
    """Kind of the predictor parameters that may be served under this entry."""
    tasks: tuple[Task, ...] = Field(min_length=1)
    input: InputContract
    features: tuple[Feature, ...] = Field(min_length=1)
    hazards: tuple[Hazard, ...] = Field(min_length=1)
    limits: tuple[Text, ...] = Field(min_length=1)
    """What the model must not be used for, and what it cannot know."""
    data: DataStatement
    subgroups: Subgroups
    preconditions: tuple[Precondition, ...]
    retention: Retention | None = None
    """Needed where rows are about people (P13)."""
    fallback: Text
    """What a user does when there is no answer: shown with every refusal and abstention."""

    @model_validator(mode="after")
    def _one_use_in_the_words_of_the_regime(self) -> Self:
        device = self.regime is Regime.DEVICE
        if (self.intended_use is not None) != device or (self.context_of_use is None) != device:
            wanted = "intended_use" if device else "context_of_use"
            raise ValueError(f"regime {self.regime} has `{wanted}`, and only that")
        return self

    @model_validator(mode="after")
    def _retention_where_rows_are_about_people(self) -> Self:
        if self.use.rows_are_about_people != (self.retention is not None):
            raise ValueError("`retention` is stated where rows are about people, and only there")
        return self

    @model_validator(mode="after")
    def _parts_refer_to_each_other(self) -> Self:
        unique([task.name for task in self.tasks], what="task")
        unique([feature.name for feature in self.features], what="feature")
        unique([hazard.id for hazard in self.hazards], what="hazard")
        known = {source.name for source in self.data.sources}
        for task in self.tasks:
            if unknown := set(task.data) - known:
                raise ValueError(f"task {task.name} names unknown data: {sorted(unknown)}")
        for limit in self.use.limits:
            self._check_limit(limit)
        return self

    def _check_limit(self, limit: UseLimit) -> None:
        field = next((item for item in self.input.fields if item.name == limit.field), None)
        if field is None:
            raise ValueError(f"a limit of use names {limit.field}, which is no input field")
        if (limit.allowed is not None) != (field.type is FieldType.TEXT):
            raise ValueError(f"the limit of use on {limit.field} does not fit its type")
        if limit.allowed and field.allowed and set(limit.allowed) - set(field.allowed):
            raise ValueError(f"the limit of use on {limit.field} is wider than the contract")

    @property
    def use(self) -> UseStatement:
        """Return the intended use or the context of use, whichever the regime has."""
        statement = self.intended_use or self.context_of_use
        if statement is None:
            raise RuntimeError("an entry without a use cannot be constructed")
        return statement

    @property
    def use_heading(self) -> str:
        """Return the words of the regime for `use`."""
        return "Intended use" if self.regime is Regime.DEVICE else "Context of use"

    @property
    def plan_heading(self) -> str:
        """Return the words of the regime for the plan: a PCCP is an instrument for devices."""
        if self.regime is Regime.DEVICE:
            return "Predetermined change control plan"
        return "Pre-registered change plan"

    def task(self, name: str) -> Task:
        """Return the named task; EntryInvalid if there is none."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise EntryInvalid(
            f"{self.name} has no task {name!r}",
            next_step="name one of: " + ", ".join(task.name for task in self.tasks),
            path="tasks",
        )

    def is_simulated(self, task: str) -> bool:
        """Return whether a number of this task must carry the word SIMULATED."""
        names = self.task(task).data
        return any(source.simulated for source in self.data.sources if source.name in names)

    def as_record(self) -> dict[str, Json]:
        """Return the hashable form: every field, decimals as strings in one spelling."""
        return part_record(self)


def parse_entry(text: str) -> Entry:
    """Read an `entry.yaml`; DocumentUnreadable or EntryInvalid with the field at fault."""
    return entry_from_record(parse_document(text))


def entry_from_record(record: object) -> Entry:
    """Validate parsed values, or the record of a stored entry, as an entry."""
    try:
        return Entry.model_validate(record)
    except ValidationError as error:
        path, message = first_fault(error)
        raise EntryInvalid(
            f"{path or 'entry'}: {message}",
            next_step="correct the field; docs/reference/entry.schema.json lists every field",
            path=path,
        ) from error


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `entry.yaml`, as committed in `docs/reference/`."""
    schema = Entry.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "entry.schema.json",
        **schema,
    }
