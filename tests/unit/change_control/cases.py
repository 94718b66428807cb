"""Facts under which every condition of a step is met, and the change that spoils one condition.

The tables are proved with these: with a step's facts only role and signature decide; with one
condition spoilt, exactly that condition refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from audits.estimate import Verdict
from change_control import errors
from change_control.change.documents import DocumentFacts
from change_control.change.request import ChangeClass, ChangeFacts, OnInsufficient
from change_control.describe import LIFECYCLES, AnyLifecycle
from change_control.erase.erasure import ErasureFacts
from change_control.erase.legal_hold import LegalHoldFacts
from change_control.lifecycle import Actor
from change_control.release.hold import HoldFacts
from change_control.release.release import ReleaseFacts
from change_control.release.version import VersionFacts, VersionState
from change_control.roles import Role
from change_control.watch.review import ReviewFacts
from change_control.watch.trail_review import TrailReviewFacts

AUTHOR: Final = "ada"
OPENER: Final = "olga"
FIRST: Final = "first-signer"
ACTOR: Final = "actor"

BY_NAME: Final[dict[str, AnyLifecycle]] = {table.name: table for table in LIFECYCLES}

_GOOD: Final[dict[str, Any]] = {
    "document": DocumentFacts(
        authors=frozenset({AUTHOR}), successor_in_force=True, active_releases=0, reason_given=True
    ),
    "change request": ChangeFacts(
        authors=frozenset({AUTHOR}),
        plan_in_force_us=1,
        submitted_us=2,
        change_class=ChangeClass.IN_PLAN,
        verdict=Verdict.PASS,
        approvers_needed=2,
        endorsers=frozenset({FIRST}),
        reason_given=True,
    ),
    "version": VersionFacts(change_approved=True, reason_given=True),
    "release": ReleaseFacts(
        version_state=VersionState.QUALIFIED,
        documents_in_force=True,
        approvals_missing=0,
        now_us=10,
        until_us=10,
    ),
    "hold": HoldFacts(authors=frozenset({AUTHOR}), first_signer=FIRST, reason_given=True),
    "approval review": ReviewFacts(
        authors=frozenset({AUTHOR}),
        opened_by=OPENER,
        reason_given=True,
        first_signer=FIRST,
        subject_settled=True,
    ),
    "finding review": ReviewFacts(
        authors=frozenset({AUTHOR}),
        opened_by=OPENER,
        reason_given=True,
        first_signer=FIRST,
        hold_open=True,
    ),
    "trail review": TrailReviewFacts(exceptions=2, reason_given=True),
    "erasure": ErasureFacts(authors=frozenset({AUTHOR}), reason_given=True),
    "legal hold": LegalHoldFacts(
        authors=frozenset({AUTHOR}), first_signer=FIRST, reason_given=True
    ),
}


def good_facts(name: str, state: str | None, command: str) -> Any:
    """Return facts under which every condition of this step is met for ACTOR."""
    facts = _GOOD[name]
    if (name, state, command) == ("change request", "evaluated", "evaluate"):
        return replace(facts, verdict=Verdict.INSUFFICIENT, on_insufficient=OnInsufficient.POOL)
    if (name, command) == ("approval review", "endorse"):
        return replace(facts, approvers_needed=2)
    if (name, command) == ("finding review", "close"):
        return replace(facts, hold_open=False)
    return facts


def person(*roles: Role | str, name: str = ACTOR) -> Actor:
    """Return a person with these roles."""
    return Actor(person=name, roles=frozenset(Role(role) for role in roles))


def service(*roles: Role | str, name: str = ACTOR) -> Actor:
    """Return a service with these roles."""
    return Actor(person=name, roles=frozenset(Role(role) for role in roles), is_service=True)


@dataclass(frozen=True, kw_only=True)
class Spoiler:
    """What makes one condition fail: other facts, or another person; and the error then."""

    error: type[errors.TransitionRefused]
    facts: tuple[tuple[str, object], ...] = ()
    actor_is: str | None = None
    by_service: bool = False

    def spoilt(self, facts: Any) -> Any:
        """Return the facts, spoilt."""
        return replace(facts, **dict(self.facts))


SPOILERS: Final[dict[str, Spoiler]] = {
    "not_the_author": Spoiler(error=errors.FourEyes, actor_is=AUTHOR),
    "not_the_opener": Spoiler(error=errors.FourEyes, actor_is=OPENER),
    "different_second_person": Spoiler(error=errors.FourEyes, actor_is=FIRST),
    "not_endorsed_before": Spoiler(error=errors.FourEyes, actor_is=FIRST),
    "reason_given": Spoiler(error=errors.ReasonMissing, facts=(("reason_given", False),)),
    "plan_is_in_force": Spoiler(error=errors.PlanNotInForce, facts=(("plan_in_force_us", None),)),
    "plan_came_first": Spoiler(error=errors.PlanNotInForce, facts=(("plan_in_force_us", 2),)),
    "automation_is_planned": Spoiler(error=errors.AutomationNotPlanned, by_service=True),
    "not_evaluated_for_good": Spoiler(
        error=errors.EvidenceRefused, facts=(("on_insufficient", OnInsufficient.BLOCK),)
    ),
    "evidence_passes": Spoiler(
        error=errors.EvidenceRefused, facts=(("verdict", Verdict.INSUFFICIENT),)
    ),
    "change_is_in_plan": Spoiler(
        error=errors.OutsidePlan, facts=(("change_class", ChangeClass.DEVIATION),)
    ),
    "enough_endorsements": Spoiler(
        error=errors.ApprovalMissing, facts=(("endorsers", frozenset[str]()),)
    ),
    "other_approvals_are_there": Spoiler(
        error=errors.ApprovalMissing, facts=(("approvals_missing", 1),)
    ),
    "a_successor_comes_into_force": Spoiler(
        error=errors.Blocked, facts=(("successor_in_force", False),)
    ),
    "no_release_rests_on_it": Spoiler(error=errors.Blocked, facts=(("active_releases", 1),)),
    "no_release_runs_it": Spoiler(error=errors.Blocked, facts=(("active_releases", 1),)),
    "change_is_approved": Spoiler(
        error=errors.ApprovalMissing, facts=(("change_approved", False),)
    ),
    "version_may_run": Spoiler(
        error=errors.ApprovalMissing, facts=(("version_state", VersionState.CANDIDATE),)
    ),
    "documents_are_in_force": Spoiler(
        error=errors.ApprovalMissing, facts=(("documents_in_force", False),)
    ),
    "approvals_are_complete": Spoiler(
        error=errors.ApprovalMissing, facts=(("approvals_missing", 1),)
    ),
    "nothing_blocks": Spoiler(error=errors.Blocked, facts=(("blocking", ("review R1",)),)),
    "its_time_is_over": Spoiler(error=errors.Blocked, facts=(("until_us", 11),)),
    "one_person_suffices": Spoiler(error=errors.ApprovalMissing, facts=(("approvers_needed", 2),)),
    "two_persons_needed": Spoiler(error=errors.ApprovalMissing, facts=(("approvers_needed", 1),)),
    "hold_is_open": Spoiler(error=errors.Blocked, facts=(("hold_open", False),)),
    "no_hold_is_open": Spoiler(error=errors.Blocked, facts=(("hold_open", True),)),
    "did_not_act_in_the_range": Spoiler(error=errors.FourEyes, facts=(("acted", (7,)),)),
    "exceptions_are_explained": Spoiler(
        error=errors.ReasonMissing, facts=(("reason_given", False),)
    ),
    "no_legal_hold": Spoiler(error=errors.LegalHoldOpen, facts=(("legal_holds", ("LH-1",)),)),
    "first_signer_asked_for_nothing": Spoiler(
        error=errors.FourEyes, facts=(("authors", frozenset({FIRST})),)
    ),
    "retention_is_over": Spoiler(error=errors.RetentionRuns, facts=(("kept_until", "2031-01-01"),)),
    "its_subject_is_settled": Spoiler(error=errors.Blocked, facts=(("subject_settled", False),)),
}
