"""The change plan: what may change, by which protocol, with what risk, fixed before any result.

One document of three parts, as the guidance on predetermined change control plans orders them:
planned modifications, a modification protocol in four parts, and an impact assessment. The same
engine serves every model; it is called a predetermined change control plan only where the regime is
a device, and `authorised` only with a regulator's reference (P16).

The parts refer to each other by identifier, and the traceability matrix is computed from these
references. An empty cell is an error, so a plan with a modification that no trigger, criterion,
check or hazard speaks about cannot come into force.

Source: FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for
AI-Enabled Device Software Functions (December 2024, August 2025), sections VI to VIII.
"""

from typing import Literal

from pydantic import Field

from audits.criteria import Criterion
from audits.estimate import Json
from change_control.change.plan_parts import (
    ImpactAssessment,
    PlannedModification,
    Regulator,
    RegulatorState,
)
from change_control.change.plan_protocol import ModificationProtocol
from change_control.change.plan_rules import faults_of
from change_control.errors import PlanInvalid
from change_control.reading import read_record, read_text
from models.documents import part_record
from models.entry import Regime
from models.values import DocumentPart, Slug, Text


class ChangePlan(DocumentPart):
    """A change plan. Read it with `parse_plan`, which also holds its parts together."""

    format: Literal["plan/1"]
    model: Slug
    """Name of the registry entry that the plan is for."""
    title: Text
    regime: Regime
    regulator: Regulator
    planned_modifications: tuple[PlannedModification, ...] = Field(min_length=1)
    modification_protocol: ModificationProtocol
    impact_assessment: ImpactAssessment

    @property
    def heading(self) -> str:
        """What the plan is called: the law's words only where the law applies."""
        if self.regime is Regime.DEVICE:
            return "Predetermined change control plan"
        return "Pre-registered change plan"

    @property
    def disposition(self) -> str:
        """The heading with the regulator's word, such as "... (submitted, Q240001)"."""
        state, reference = self.regulator.state, self.regulator.reference
        if state is RegulatorState.NOT_APPLICABLE:
            return self.heading
        words = state.value.replace("_", " ")
        return (
            f"{self.heading} ({words}, {reference})" if reference else f"{self.heading} ({words})"
        )

    def modification(self, id_: str) -> PlannedModification | None:
        """Return the planned modification of this identifier, if the plan has it."""
        return next((item for item in self.planned_modifications if item.id == id_), None)

    def as_record(self) -> dict[str, Json]:
        """Return the hashable form: every field, decimals as strings in one spelling."""
        return part_record(self)


def parse_plan(text: str) -> ChangePlan:
    """Read a `plan.yaml`.

    Raises:
        PlanInvalid: with every problem, its field and its line.
    """
    return read_text(text, ChangePlan, rules=faults_of, invalid=PlanInvalid, what="the plan")


def plan_from_record(record: object) -> ChangePlan:
    """Validate the record of a stored plan.

    Raises:
        PlanInvalid: with every problem and its field.
    """
    return read_record(record, ChangePlan, rules=faults_of, invalid=PlanInvalid, what="the plan")


def criteria(plan: ChangePlan) -> tuple[Criterion, ...]:
    """Return the plan's acceptance criteria in the order in which they are written."""
    written = plan.modification_protocol.performance_evaluation.criteria
    return tuple(item.as_criterion() for item in written)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `plan.yaml`, as committed in `docs/reference/`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "plan.schema.json",
        **ChangePlan.model_json_schema(),
    }
