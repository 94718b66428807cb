"""The rules between the parts of a change plan; each function yields (path, sentence) faults.

The types of `plan_parts` and `plan_protocol` say what a part looks like alone. What can only be
seen across parts is here, so that a plan is refused with all of its faults at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final

from audits.errors import CriterionMalformed
from change_control.change.plan_parts import DeploymentScope, RegulatorState
from change_control.change.plan_protocol import ComparatorKind
from change_control.change.request import OnInsufficient
from change_control.change.traceability import Part, items_of, trace
from models.entry import Regime

if TYPE_CHECKING:
    from change_control.change.plan import ChangePlan
    from change_control.reading import Fault

_PROTOCOL_PARTS: Final = tuple(part for part in Part if part is not Part.HAZARDS)


def faults_of(plan: ChangePlan) -> Iterator[Fault]:
    """Yield every fault between the parts of the plan, in the order of the document."""
    yield from _regulator(plan)
    yield from _identifiers(plan)
    yield from _modifications(plan)
    yield from _links(plan)
    yield from _criteria(plan)
    yield from _evaluation(plan)
    yield from _hazards(plan)
    yield from _interactions(plan)
    yield from _empty_cells(plan)


def _regulator(plan: ChangePlan) -> Iterator[Fault]:
    state, reference = plan.regulator.state, plan.regulator.reference
    if (plan.regime is Regime.DEVICE) is (state is RegulatorState.NOT_APPLICABLE):
        wanted = (
            "has a state with its regulator"
            if plan.regime is Regime.DEVICE
            else ("is no predetermined change control plan; its state is `not_applicable`")
        )
        yield "regulator.state", f"a plan of regime {plan.regime} {wanted}"
    proven = state in {RegulatorState.SUBMITTED, RegulatorState.AUTHORISED}
    if proven and reference is None:
        yield "regulator", f"`{state}` needs the regulator's reference"
    if not proven and reference is not None:
        yield "regulator.reference", f"`{state}` has no reference"


def _identifiers(plan: ChangePlan) -> Iterator[Fault]:
    """Items of the protocol share one name space, so that a hazard's reference means one thing."""
    protocol = plan.modification_protocol
    items = [item for part in _PROTOCOL_PARTS for item in items_of(protocol, part)]
    for twice in _twice(items):
        yield "modification_protocol", f"the identifier {twice} is used twice"
    for twice in _twice([item.id for item in plan.planned_modifications]):
        yield "planned_modifications", f"the modification {twice} is listed twice"
    for twice in _twice([item.id for item in plan.impact_assessment.hazards]):
        yield "impact_assessment.hazards", f"the hazard {twice} is listed twice"


def _modifications(plan: ChangePlan) -> Iterator[Fault]:
    for index, item in enumerate(plan.planned_modifications):
        where = f"planned_modifications.{index}"
        local = item.deployment is DeploymentScope.LOCAL
        if local and item.local_factors is None:
            yield where, "a local modification says in `local_factors` why it is local"
        if not local and item.local_factors is not None:
            yield f"{where}.local_factors", "a global modification has no local factors"
        for twice in _twice([component.value for component in item.mutable_components]):
            yield f"{where}.mutable_components", f"{twice} is listed twice"


def _links(plan: ChangePlan) -> Iterator[Fault]:
    for index, item in enumerate(plan.planned_modifications):
        for part in _PROTOCOL_PARTS:
            link = getattr(item.protocol, part.value)
            where = f"planned_modifications.{index}.protocol.{part.value}"
            known = items_of(plan.modification_protocol, part)
            for unknown in (name for name in link.items if name not in known):
                yield f"{where}.items", f"{unknown} is no identifier of {part.value}"
            if link.items and link.not_applicable is not None:
                yield where, "a cell either applies or does not"


def _criteria(plan: ChangePlan) -> Iterator[Fault]:
    where = "modification_protocol.performance_evaluation.criteria"
    written = plan.modification_protocol.performance_evaluation.criteria
    for index, item in enumerate(written):
        try:
            item.as_criterion()
        except CriterionMalformed as error:
            yield f"{where}.{index}", str(error)


def _evaluation(plan: ChangePlan) -> Iterator[Fault]:
    where = "modification_protocol.performance_evaluation"
    part = plan.modification_protocol.performance_evaluation
    restricted = part.on_insufficient.rule is OnInsufficient.RESTRICTED
    if restricted and part.on_insufficient.obligation is None:
        yield f"{where}.on_insufficient", "`restricted` needs a dated obligation"
    if not restricted and part.on_insufficient.obligation is not None:
        yield f"{where}.on_insufficient.obligation", "only `restricted` has an obligation"
    if plan.regime is Regime.DEVICE:
        kinds = {comparator.kind for comparator in part.comparators}
        for kind in (ComparatorKind.AUTHORISED_BASELINE, ComparatorKind.LAST_RELEASE):
            if kind not in kinds:
                yield f"{where}.comparators", f"a device is also compared with the {kind}"
        if not plan.modification_protocol.data_management.test_data.sequestered:
            yield (
                "modification_protocol.data_management.test_data.sequestered",
                "the test data of a device are sequestered",
            )


def _hazards(plan: ChangePlan) -> Iterator[Fault]:
    modifications = {item.id for item in plan.planned_modifications}
    protocol = plan.modification_protocol
    verifying = {
        *items_of(protocol, Part.PERFORMANCE_EVALUATION),
        *items_of(protocol, Part.UPDATE_PROCEDURES),
    }
    for index, hazard in enumerate(plan.impact_assessment.hazards):
        where = f"impact_assessment.hazards.{index}"
        for unknown in (name for name in hazard.modifications if name not in modifications):
            yield f"{where}.modifications", f"{unknown} is no planned modification"
        for unknown in (name for name in hazard.verified_by if name not in verifying):
            yield f"{where}.verified_by", f"{unknown} is no criterion and no check"


def _interactions(plan: ChangePlan) -> Iterator[Fault]:
    where = "impact_assessment.interactions"
    wanted = {
        frozenset(pair)
        for pair in combinations([item.id for item in plan.planned_modifications], 2)
    }
    written = [frozenset(item.modifications) for item in plan.impact_assessment.interactions]
    for index, pair in enumerate(written):
        if pair not in wanted:
            yield f"{where}.{index}", "an interaction names two different planned modifications"
    for missing in sorted(", ".join(sorted(pair)) for pair in wanted - set(written)):
        yield where, f"the effect of {missing} on each other is not assessed"


def _empty_cells(plan: ChangePlan) -> Iterator[Fault]:
    ids = [item.id for item in plan.planned_modifications]
    for cell in trace(plan).empty_cells:
        index = ids.index(cell.modification)
        if cell.part is Part.HAZARDS:
            yield "impact_assessment.hazards", f"no hazard is linked to {cell.modification}"
        else:
            yield (
                f"planned_modifications.{index}.protocol.{cell.part.value}",
                "the cell is empty: name the items that apply, or say why none does",
            )


def _twice(names: list[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
