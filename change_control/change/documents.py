"""The lifecycle of a governed document: registry entry, change or monitoring plan, protocol.

A document never changes; a new number replaces it. It comes into force by the approval of a person
who is not its author, and from then on it is what later acts are judged by (P4). Coming into force
supersedes the predecessor in the same act.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import ApprovalMissing, Blocked
from change_control.guards import not_the_author, reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class DocumentKind(StrEnum):
    """The governed documents."""

    ENTRY = "entry"
    PLAN = "plan"
    MONITORING = "monitoring"
    # Audit protocols, by what they ask: one of each kind is in force for a model at a time.
    TEMPORAL_PROTOCOL = "temporal-protocol"
    DISCRIMINATION_PROTOCOL = "discrimination-protocol"
    CALIBRATION_PROTOCOL = "calibration-protocol"
    FAIRNESS_PROTOCOL = "fairness-protocol"
    DRIFT_PROTOCOL = "drift-protocol"


GOVERNING: Final = (DocumentKind.ENTRY, DocumentKind.PLAN, DocumentKind.MONITORING)
"""What every release rests on; an audit protocol is there where somebody asks its question."""


class DocumentState(StrEnum):
    """What a document is good for."""

    REGISTERED = "registered"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class DocumentCommand(StrEnum):
    """What can be asked of a document."""

    REGISTER = "register"
    APPROVE = "approve"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What the table reads.

    `approvals_missing` counts other people who must still approve, beside the actor;
    `successor_in_force` says whether a later number is coming into force in the same act.
    """

    authors: frozenset[str]
    approvals_missing: int = 0
    successor_in_force: bool = False
    active_releases: int = 0
    reason_given: bool = False


def other_approvals_are_there(_actor: Actor, facts: DocumentFacts) -> Refusal | None:
    """Everybody else whom the assurance tier asks for has approved (P6)."""
    if facts.approvals_missing <= 0:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason=f"{facts.approvals_missing} further approval(s) must come first",
        next_step="Ask the other approvers; the last approval brings the document into force.",
    )


def a_successor_comes_into_force(_actor: Actor, facts: DocumentFacts) -> Refusal | None:
    """A later number of the document comes into force."""
    if facts.successor_in_force:
        return None
    return Refusal(
        kind=Blocked,
        reason="no later number comes into force",
        next_step="Approve the successor; that supersedes this one.",
    )


def no_release_rests_on_it(_actor: Actor, facts: DocumentFacts) -> Refusal | None:
    """No active release rests on the document."""
    if facts.active_releases == 0:
        return None
    return Refusal(
        kind=Blocked,
        reason=f"{facts.active_releases} active release(s) rest on it",
        next_step="Approve a successor, or end these releases first.",
    )


_APPROVERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY})

DOCUMENT: Final[Lifecycle[DocumentState, DocumentCommand, DocumentFacts]] = Lifecycle(
    name="document",
    states=DocumentState,
    commands=DocumentCommand,
    initial=DocumentState.REGISTERED,
    rules={
        (None, DocumentCommand.REGISTER): Rule(
            to=DocumentState.REGISTERED, roles=frozenset({Role.MODEL_OWNER, Role.REGULATORY})
        ),
        (DocumentState.REGISTERED, DocumentCommand.APPROVE): Rule(
            to=DocumentState.IN_FORCE,
            roles=_APPROVERS,
            guards=(not_the_author, other_approvals_are_there),
            needs_signature=SignatureMeaning.APPROVED,
        ),
        (DocumentState.REGISTERED, DocumentCommand.WITHDRAW): Rule(
            to=DocumentState.WITHDRAWN, roles=_APPROVERS | {Role.MODEL_OWNER}
        ),
        (DocumentState.IN_FORCE, DocumentCommand.SUPERSEDE): Rule(
            to=DocumentState.SUPERSEDED,
            roles=_APPROVERS,
            guards=(a_successor_comes_into_force,),
            by_machine=True,
        ),
        (DocumentState.IN_FORCE, DocumentCommand.WITHDRAW): Rule(
            to=DocumentState.WITHDRAWN,
            roles=_APPROVERS,
            guards=(no_release_rests_on_it, reason_given),
            needs_signature=SignatureMeaning.RESPONSIBLE,
        ),
    },
)
