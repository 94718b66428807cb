"""The change request: from a draft to an approval, a rejection, or nothing.

The plan comes first (P4): a request is evaluated only if the plan is in force and was so before the
request was submitted. What changed is computed, not declared (P5): a request that leaves the plan
is approved only with a signed regulatory assessment. The author approves nothing (P6). A failed
evaluation stays on record and goes no further; a new candidate is a new request (P8).

Where the assurance tier asks for more than one approver, the others `endorse` first and the last
one approves, so that the table needs no state per person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from audits.estimate import Verdict
from change_control.errors import (
    ApprovalMissing,
    AutomationNotPlanned,
    EvidenceRefused,
    FourEyes,
    OutsidePlan,
    PlanNotInForce,
)
from change_control.guards import not_the_author, reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class ChangeState(StrEnum):
    """How far a change request has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    EVALUATED = "evaluated"
    UNDER_REVIEW = "under_review"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"


class ChangeCommand(StrEnum):
    """What can be asked of a change request."""

    OPEN = "open"
    SUBMIT = "submit"
    EVALUATE = "evaluate"
    SEND_TO_REVIEW = "send_to_review"
    ENDORSE = "endorse"
    RETURN = "return"
    APPROVE = "approve"
    REJECT = "reject"
    ABANDON = "abandon"
    SUPERSEDE = "supersede"


class ChangeClass(StrEnum):
    """What the computed difference makes of a change (PCCP-POST-01)."""

    IN_PLAN = "in_plan"
    DEVIATION = "deviation"
    OUTSIDE_PLAN = "outside_plan"


class OnInsufficient(StrEnum):
    """What the plan does with a verdict of insufficient."""

    BLOCK = "block"
    POOL = "pool"
    RESTRICTED = "restricted"


class Execution(StrEnum):
    """Who carries a planned modification out (PCCP-VI-02)."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFacts:
    """What the table reads.

    `authors` asked for the change or made its version. `plan_in_force_us` is when the plan came
    into force, None unless it is so now. `submitted_us` is None until the request is submitted.
    `endorsers` are the people who have endorsed this round; `approvers_needed` comes from
    `tier.controls_of` and includes the one who approves.
    """

    authors: frozenset[str]
    plan_in_force_us: int | None = None
    submitted_us: int | None = None
    execution: Execution = Execution.MANUAL
    change_class: ChangeClass | None = None
    regulatory_assessment_signed: bool = False
    verdict: Verdict | None = None
    on_insufficient: OnInsufficient = OnInsufficient.BLOCK
    endorsers: frozenset[str] = frozenset()
    approvers_needed: int = 1
    reason_given: bool = False


def plan_is_in_force(_actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The change plan is in force (P4)."""
    if facts.plan_in_force_us is not None:
        return None
    return Refusal(
        kind=PlanNotInForce,
        reason="the change plan is not in force",
        next_step="Have the plan approved, then submit.",
    )


def plan_came_first(_actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The plan was in force before the request was submitted (P4)."""
    plan_us, submitted_us = facts.plan_in_force_us, facts.submitted_us
    if plan_us is not None and submitted_us is not None and plan_us < submitted_us:
        return None
    return Refusal(
        kind=PlanNotInForce,
        reason="the plan was not in force when the request was submitted",
        next_step="Open a new request under the plan in force; rules come before results.",
    )


def automation_is_planned(actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """A service acts only where the plan says automatic or mixed (PCCP-VI-02)."""
    if not actor.is_service or facts.execution is not Execution.MANUAL:
        return None
    return Refusal(
        kind=AutomationNotPlanned,
        reason=f"the plan leaves this modification to people, and {actor.person} is a service",
        next_step="Have a person take this step.",
    )


def not_evaluated_for_good(_actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The last verdict was insufficient and the plan pools it with newly matured data (P8)."""
    pooled = facts.on_insufficient is OnInsufficient.POOL
    if facts.verdict is Verdict.INSUFFICIENT and pooled:
        return None
    return Refusal(
        kind=EvidenceRefused,
        reason="the evaluation stands: test data are not used again until it passes",
        next_step="Open a new request for a new candidate.",
    )


def evidence_passes(_actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The verdict is pass, or insufficient where the plan allows a restricted release (P8)."""
    restricted = facts.on_insufficient is OnInsufficient.RESTRICTED
    if facts.verdict is Verdict.PASS or (facts.verdict is Verdict.INSUFFICIENT and restricted):
        return None
    return Refusal(
        kind=EvidenceRefused,
        reason=f"the verdict is {facts.verdict or 'not there'}",
        next_step="Abandon the request; a new candidate is a new request.",
    )


def change_is_in_plan(_actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The computed difference is in plan, or a regulatory assessment is signed (P5)."""
    if facts.change_class is ChangeClass.IN_PLAN or (
        facts.change_class is not None and facts.regulatory_assessment_signed
    ):
        return None
    return Refusal(
        kind=OutsidePlan,
        reason=f"the computed difference is {facts.change_class or 'not there'}",
        next_step="Have a regulatory assessment signed, or change only what the plan lets change.",
    )


def not_endorsed_before(actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """The actor has not endorsed this request already (P6)."""
    if actor.person not in facts.endorsers:
        return None
    return Refusal(
        kind=FourEyes,
        reason=f"{actor.person} has endorsed it already, and counts once",
        next_step="Ask another approver.",
    )


def enough_endorsements(actor: Actor, facts: ChangeFacts) -> Refusal | None:
    """With the actor, as many different people approve as the assurance tier asks for (P6)."""
    others = facts.endorsers - {actor.person} - facts.authors
    if len(others) + 1 >= facts.approvers_needed:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason=f"{facts.approvers_needed} approvers are needed, {len(others)} endorsed so far",
        next_step="Ask the other approvers to endorse it first.",
    )


_OWNER: Final = frozenset({Role.MODEL_OWNER})
_DECIDERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY})
_ChangeRule: TypeAlias = Rule[ChangeState, ChangeFacts]

_SUBMIT: Final[_ChangeRule] = Rule(
    to=ChangeState.SUBMITTED, roles=_OWNER, guards=(plan_is_in_force, automation_is_planned)
)
_EVALUATE: Final[_ChangeRule] = Rule(
    to=ChangeState.EVALUATED,
    roles=_OWNER | {Role.CUSTODIAN},
    guards=(plan_is_in_force, plan_came_first),
    by_machine=True,
)
_ABANDON: Final[_ChangeRule] = Rule(to=ChangeState.ABANDONED, roles=_OWNER)
_SUPERSEDE: Final[_ChangeRule] = Rule(
    to=ChangeState.SUPERSEDED, roles=_OWNER | _DECIDERS, by_machine=True
)
_OPEN_STATES: Final = (
    ChangeState.DRAFT,
    ChangeState.SUBMITTED,
    ChangeState.EVALUATED,
    ChangeState.UNDER_REVIEW,
    ChangeState.RETURNED,
)

CHANGE_REQUEST: Final[Lifecycle[ChangeState, ChangeCommand, ChangeFacts]] = Lifecycle(
    name="change request",
    states=ChangeState,
    commands=ChangeCommand,
    initial=ChangeState.DRAFT,
    rules={
        (None, ChangeCommand.OPEN): Rule(to=ChangeState.DRAFT, roles=_OWNER),
        (ChangeState.DRAFT, ChangeCommand.SUBMIT): _SUBMIT,
        (ChangeState.RETURNED, ChangeCommand.SUBMIT): _SUBMIT,
        (ChangeState.SUBMITTED, ChangeCommand.EVALUATE): _EVALUATE,
        (ChangeState.EVALUATED, ChangeCommand.EVALUATE): Rule(
            to=_EVALUATE.to,
            roles=_EVALUATE.roles,
            guards=(*_EVALUATE.guards, not_evaluated_for_good),
            by_machine=True,
        ),
        (ChangeState.EVALUATED, ChangeCommand.SEND_TO_REVIEW): Rule(
            to=ChangeState.UNDER_REVIEW,
            roles=_OWNER,
            guards=(evidence_passes, automation_is_planned),
        ),
        (ChangeState.UNDER_REVIEW, ChangeCommand.ENDORSE): Rule(
            to=ChangeState.UNDER_REVIEW,
            roles=_DECIDERS,
            guards=(not_the_author, not_endorsed_before),
            needs_signature=SignatureMeaning.REVIEWED,
        ),
        (ChangeState.UNDER_REVIEW, ChangeCommand.RETURN): Rule(
            to=ChangeState.RETURNED,
            roles=_DECIDERS,
            guards=(not_the_author, reason_given),
            needs_signature=SignatureMeaning.REVIEWED,
        ),
        (ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE): Rule(
            to=ChangeState.APPROVED,
            roles=_DECIDERS,
            guards=(
                not_the_author,
                plan_is_in_force,
                plan_came_first,
                evidence_passes,
                change_is_in_plan,
                enough_endorsements,
            ),
            needs_signature=SignatureMeaning.APPROVED,
        ),
        (ChangeState.UNDER_REVIEW, ChangeCommand.REJECT): Rule(
            to=ChangeState.REJECTED,
            roles=_DECIDERS,
            guards=(not_the_author, reason_given),
            needs_signature=SignatureMeaning.REJECTED,
        ),
        **{(state, ChangeCommand.ABANDON): _ABANDON for state in _OPEN_STATES},
        **{(state, ChangeCommand.SUPERSEDE): _SUPERSEDE for state in _OPEN_STATES},
    },
)
