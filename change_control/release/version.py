"""The version lifecycle: a candidate is qualified by an approved change, later retired or recalled.

Qualification is the consequence of an approval, whose signature covers it; it is not signed again.
A recall is open from every other state and needs one authorised person: stopping is never harder
than going on (P11).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from change_control.errors import ApprovalMissing, Blocked
from change_control.guards import reason_given
from change_control.lifecycle import Actor, Lifecycle, Refusal, Rule, SignatureMeaning
from change_control.roles import Role


class VersionState(StrEnum):
    """What a version has become."""

    CANDIDATE = "candidate"
    QUALIFIED = "qualified"
    RETIRED = "retired"
    RECALLED = "recalled"


class VersionCommand(StrEnum):
    """What can be asked of a version."""

    REGISTER = "register"
    QUALIFY = "qualify"
    RETIRE = "retire"
    RECALL = "recall"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """What the table reads: the change request's fate and whether a release still runs it."""

    change_approved: bool = False
    active_releases: int = 0
    reason_given: bool = False


def change_is_approved(_actor: Actor, facts: VersionFacts) -> Refusal | None:
    """The change request for this version is approved (P1)."""
    if facts.change_approved:
        return None
    return Refusal(
        kind=ApprovalMissing,
        reason="no approved change request brings this version into service",
        next_step="Have its change request evaluated, reviewed and approved.",
    )


def no_release_runs_it(_actor: Actor, facts: VersionFacts) -> Refusal | None:
    """No active release runs this version."""
    if facts.active_releases == 0:
        return None
    return Refusal(
        kind=Blocked,
        reason=f"{facts.active_releases} active release(s) still run it",
        next_step="Replace or roll back these releases first, or recall the version.",
    )


_DECIDERS: Final = frozenset({Role.REVIEWER, Role.REGULATORY})
_STOPPERS: Final = frozenset(
    {Role.MODEL_OWNER, Role.REVIEWER, Role.REGULATORY, Role.SAFETY_OFFICER}
)
_RECALL: Final[Rule[VersionState, VersionFacts]] = Rule(
    to=VersionState.RECALLED,
    roles=frozenset({Role.SAFETY_OFFICER, Role.REGULATORY}),
    guards=(reason_given,),
    needs_signature=SignatureMeaning.RESPONSIBLE,
)
_RETIRE: Final[Rule[VersionState, VersionFacts]] = Rule(
    to=VersionState.RETIRED, roles=_STOPPERS, guards=(no_release_runs_it,)
)

VERSION: Final[Lifecycle[VersionState, VersionCommand, VersionFacts]] = Lifecycle(
    name="version",
    states=VersionState,
    commands=VersionCommand,
    initial=VersionState.CANDIDATE,
    rules={
        (None, VersionCommand.REGISTER): Rule(
            to=VersionState.CANDIDATE, roles=frozenset({Role.MODEL_OWNER})
        ),
        (VersionState.CANDIDATE, VersionCommand.QUALIFY): Rule(
            to=VersionState.QUALIFIED,
            roles=_DECIDERS,
            guards=(change_is_approved,),
            by_machine=True,
        ),
        (VersionState.CANDIDATE, VersionCommand.RETIRE): _RETIRE,
        (VersionState.QUALIFIED, VersionCommand.RETIRE): _RETIRE,
        (VersionState.CANDIDATE, VersionCommand.RECALL): _RECALL,
        (VersionState.QUALIFIED, VersionCommand.RECALL): _RECALL,
        (VersionState.RETIRED, VersionCommand.RECALL): _RECALL,
    },
)
