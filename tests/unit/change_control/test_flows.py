"""Stories of change requests, documents, releases and holds, with every wrong turn beside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audits.estimate import Verdict
from change_control.change.documents import DOCUMENT, DocumentCommand, DocumentFacts, DocumentState
from change_control.change.request import (
    CHANGE_REQUEST,
    ChangeClass,
    ChangeCommand,
    ChangeFacts,
    ChangeState,
    Execution,
    OnInsufficient,
)
from change_control.errors import (
    ApprovalMissing,
    AutomationNotPlanned,
    Blocked,
    EvidenceRefused,
    FourEyes,
    OutsidePlan,
    PlanNotInForce,
    ReleasePeriodInvalid,
    TransitionRefused,
)
from change_control.lifecycle import Actor, SignatureMeaning, advance
from change_control.release.hold import HOLD, Hold, HoldCommand, HoldFacts, HoldState
from change_control.release.release import (
    RELEASE,
    Release,
    ReleaseCommand,
    ReleaseFacts,
    ReleaseMode,
    ReleaseState,
)
from change_control.release.version import VersionState
from change_control.roles import Role
from change_control.scope import Scope
from tests.unit.change_control.cases import AUTHOR, good_facts, person, service

FACTS: ChangeFacts = good_facts("change request", "under_review", "approve")


def change(
    state: ChangeState | None, command: ChangeCommand, actor: Actor, facts: ChangeFacts = FACTS
) -> ChangeState:
    return advance(CHANGE_REQUEST, state, command, actor=actor, facts=facts).state


# --- change request ------------------------------------------------------------------------------


def test_a_request_walks_from_draft_to_approval() -> None:
    owner, reviewer = person(Role.MODEL_OWNER, name=AUTHOR), person(Role.REVIEWER)
    state = change(None, ChangeCommand.OPEN, owner)
    for command, actor in (
        (ChangeCommand.SUBMIT, owner),
        (ChangeCommand.EVALUATE, service()),
        (ChangeCommand.SEND_TO_REVIEW, owner),
        (ChangeCommand.ENDORSE, person(Role.REGULATORY, name="second")),
        (ChangeCommand.APPROVE, reviewer),
    ):
        state = change(state, command, actor)
    assert state is ChangeState.APPROVED


@pytest.mark.parametrize(
    "skipped", [ChangeState.DRAFT, ChangeState.SUBMITTED, ChangeState.EVALUATED]
)
def test_no_request_is_approved_before_its_review(skipped: ChangeState) -> None:
    with pytest.raises(TransitionRefused, match="no such step"):
        change(skipped, ChangeCommand.APPROVE, person(*Role))


@pytest.mark.parametrize(
    ("plan_us", "submitted_us"),
    [
        pytest.param(None, 5, id="no plan in force"),
        pytest.param(6, 5, id="plan after the request"),
        pytest.param(5, 5, id="plan in the same instant"),
        pytest.param(4, None, id="never submitted"),
    ],
)
@pytest.mark.requirement("P4")
def test_nothing_is_evaluated_unless_the_plan_came_first(
    plan_us: int | None, submitted_us: int | None
) -> None:
    facts = replace(FACTS, plan_in_force_us=plan_us, submitted_us=submitted_us)
    for state, command in (
        (ChangeState.SUBMITTED, ChangeCommand.EVALUATE),
        (ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE),
    ):
        with pytest.raises(PlanNotInForce):
            change(state, command, person(*Role), facts)


@pytest.mark.parametrize(
    ("verdict", "rule", "reviewable"),
    [
        (Verdict.PASS, OnInsufficient.BLOCK, True),
        (Verdict.INSUFFICIENT, OnInsufficient.RESTRICTED, True),
        (Verdict.INSUFFICIENT, OnInsufficient.BLOCK, False),
        (Verdict.INSUFFICIENT, OnInsufficient.POOL, False),
        (Verdict.FAIL, OnInsufficient.BLOCK, False),
        (Verdict.FAIL, OnInsufficient.POOL, False),
        (Verdict.FAIL, OnInsufficient.RESTRICTED, False),
        (None, OnInsufficient.RESTRICTED, False),
    ],
)
@pytest.mark.requirement("P8")
def test_only_evidence_that_carries_it_goes_to_review_and_is_approved(
    verdict: Verdict | None, rule: OnInsufficient, *, reviewable: bool
) -> None:
    facts = replace(FACTS, verdict=verdict, on_insufficient=rule)
    for state, command in (
        (ChangeState.EVALUATED, ChangeCommand.SEND_TO_REVIEW),
        (ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE),
    ):
        if reviewable:
            change(state, command, person(*Role), facts)
        else:
            with pytest.raises(EvidenceRefused):
                change(state, command, person(*Role), facts)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, None])
@pytest.mark.requirement("P8")
def test_test_data_are_not_opened_again_until_it_passes(verdict: Verdict | None) -> None:
    facts = replace(FACTS, verdict=verdict, on_insufficient=OnInsufficient.POOL)
    with pytest.raises(EvidenceRefused, match="not used again"):
        change(ChangeState.EVALUATED, ChangeCommand.EVALUATE, person(*Role), facts)


@pytest.mark.parametrize("found", [ChangeClass.DEVIATION, ChangeClass.OUTSIDE_PLAN])
@pytest.mark.requirement("P5")
def test_leaving_the_plan_needs_a_signed_assessment(found: ChangeClass) -> None:
    facts = replace(FACTS, change_class=found)
    with pytest.raises(OutsidePlan):
        change(ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE, person(*Role), facts)
    signed = replace(facts, regulatory_assessment_signed=True)
    assert change(ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE, person(*Role), signed)


@pytest.mark.requirement("P5")
def test_an_assessment_does_not_stand_in_for_a_difference_that_was_never_computed() -> None:
    facts = replace(FACTS, change_class=None, regulatory_assessment_signed=True)
    with pytest.raises(OutsidePlan, match="not there"):
        change(ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE, person(*Role), facts)


@pytest.mark.parametrize(
    "endorsers",
    [
        pytest.param(frozenset(), id="nobody"),
        pytest.param(frozenset({"actor"}), id="the approver"),
        pytest.param(frozenset({AUTHOR}), id="the author"),
        pytest.param(frozenset({AUTHOR, "actor"}), id="author and approver"),
    ],
)
@pytest.mark.requirement("P6")
def test_two_approvers_are_two_other_people(endorsers: frozenset[str]) -> None:
    facts = replace(FACTS, endorsers=endorsers, approvers_needed=2)
    with pytest.raises(ApprovalMissing):
        change(ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE, person(Role.REVIEWER), facts)


def test_a_light_model_is_approved_by_one_person() -> None:
    facts = replace(FACTS, endorsers=frozenset(), approvers_needed=1)
    assert change(ChangeState.UNDER_REVIEW, ChangeCommand.APPROVE, person(Role.REVIEWER), facts)


@pytest.mark.parametrize("execution", [Execution.AUTOMATIC, Execution.MIXED])
def test_a_pipeline_submits_what_the_plan_lets_it(execution: Execution) -> None:
    facts = replace(FACTS, execution=execution)
    assert change(ChangeState.DRAFT, ChangeCommand.SUBMIT, service(Role.MODEL_OWNER), facts)


def test_a_pipeline_does_not_submit_what_the_plan_leaves_to_people() -> None:
    with pytest.raises(AutomationNotPlanned):
        change(ChangeState.DRAFT, ChangeCommand.SUBMIT, service(Role.MODEL_OWNER))


# --- documents -----------------------------------------------------------------------------------


@pytest.mark.requirement("P6")
def test_the_author_brings_no_document_into_force_whatever_their_roles() -> None:
    with pytest.raises(FourEyes, match="ada is an author"):
        advance(
            DOCUMENT,
            DocumentState.REGISTERED,
            DocumentCommand.APPROVE,
            actor=person(*Role, name=AUTHOR),
            facts=DocumentFacts(authors=frozenset({AUTHOR})),
        )


def test_approval_of_a_document_is_signed_as_approved() -> None:
    step = advance(
        DOCUMENT,
        DocumentState.REGISTERED,
        DocumentCommand.APPROVE,
        actor=person(Role.REVIEWER),
        facts=DocumentFacts(authors=frozenset({AUTHOR})),
    )
    assert step.signature_meaning is SignatureMeaning.APPROVED


@pytest.mark.parametrize("state", [DocumentState.SUPERSEDED, DocumentState.WITHDRAWN])
def test_a_document_out_of_force_never_comes_back(state: DocumentState) -> None:
    for command in DocumentCommand:
        with pytest.raises(TransitionRefused, match="no such step"):
            advance(
                DOCUMENT,
                state,
                command,
                actor=person(*Role),
                facts=DocumentFacts(authors=frozenset({AUTHOR}), successor_in_force=True),
            )


# --- release -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "version", "runs"),
    [
        (ReleaseMode.FULL, VersionState.QUALIFIED, True),
        (ReleaseMode.SHARE, VersionState.QUALIFIED, True),
        (ReleaseMode.SHADOW, VersionState.QUALIFIED, True),
        (ReleaseMode.SHADOW, VersionState.CANDIDATE, True),
        (ReleaseMode.FULL, VersionState.CANDIDATE, False),
        (ReleaseMode.SHARE, VersionState.CANDIDATE, False),
        (ReleaseMode.FULL, VersionState.RETIRED, False),
        (ReleaseMode.FULL, VersionState.RECALLED, False),
        (ReleaseMode.SHADOW, VersionState.RETIRED, False),
        (ReleaseMode.SHADOW, VersionState.RECALLED, False),
        (ReleaseMode.SHADOW, None, False),
    ],
)
@pytest.mark.requirement("P1")
def test_only_a_qualified_version_is_released_and_a_candidate_only_in_the_shadow(
    mode: ReleaseMode, version: VersionState | None, *, runs: bool
) -> None:
    facts = ReleaseFacts(
        version_state=version, mode=mode, documents_in_force=True, approvals_missing=0
    )
    if runs:
        advance(RELEASE, None, ReleaseCommand.RELEASE, actor=person(Role.MODEL_OWNER), facts=facts)
    else:
        with pytest.raises(ApprovalMissing):
            advance(
                RELEASE, None, ReleaseCommand.RELEASE, actor=person(Role.MODEL_OWNER), facts=facts
            )


@pytest.mark.requirement("P10")
def test_an_open_item_blocks_release_and_never_a_rollback_or_a_recall() -> None:
    facts = ReleaseFacts(blocking=("review R7", "overdue monitor forecast-error"))
    ready = replace(
        facts,
        version_state=VersionState.QUALIFIED,
        documents_in_force=True,
        approvals_missing=0,
    )
    with pytest.raises(Blocked, match="review R7, overdue monitor forecast-error"):
        advance(RELEASE, None, ReleaseCommand.RELEASE, actor=person(Role.MODEL_OWNER), facts=ready)
    for command in (ReleaseCommand.ROLL_BACK, ReleaseCommand.RECALL):
        advance(
            RELEASE,
            ReleaseState.ACTIVE,
            command,
            actor=person(Role.SAFETY_OFFICER),
            facts=facts,
        )


def test_facts_of_a_release_refuse_until_they_are_filled_in() -> None:
    with pytest.raises(ApprovalMissing):
        advance(RELEASE, None, ReleaseCommand.RELEASE, actor=person(*Role), facts=ReleaseFacts())


@pytest.mark.parametrize("until_us", [10, 9])
def test_an_active_release_ends_after_it_begins(until_us: int) -> None:
    with pytest.raises(ReleasePeriodInvalid):
        release(from_us=10, until_us=until_us, state=ReleaseState.ACTIVE)


def test_a_release_ended_before_it_began_is_on_record_all_the_same() -> None:
    assert release(from_us=10, until_us=9, state=ReleaseState.ROLLED_BACK).until_us == 9


def release(*, from_us: int, until_us: int | None, state: ReleaseState) -> Release:
    return Release(
        id="L1",
        version="forecasting/1",
        scope=Scope.parse("north/*"),
        market="no",
        purpose="ordering",
        mode=ReleaseMode.FULL,
        from_us=from_us,
        until_us=until_us,
        state=state,
    )


# --- hold ----------------------------------------------------------------------------------------


def lift(state: HoldState, command: HoldCommand, name: str, facts: HoldFacts) -> HoldState:
    actor = person(Role.REVIEWER, name=name)
    return advance(HOLD, state, command, actor=actor, facts=facts).state


@pytest.mark.requirement("P6")
def test_a_hold_is_lifted_by_two_different_people() -> None:
    facts = HoldFacts(authors=frozenset({AUTHOR}), reason_given=True)
    state = lift(HoldState.OPEN, HoldCommand.SIGN_LIFT, "bo", facts)
    assert state is HoldState.LIFT_SIGNED
    signed = replace(facts, first_signer="bo")
    assert lift(state, HoldCommand.LIFT, "cy", signed) is HoldState.LIFTED


@pytest.mark.parametrize("second", ["bo", AUTHOR])
@pytest.mark.requirement("P6")
def test_a_hold_is_not_lifted_by_one_person_twice_nor_by_the_author(second: str) -> None:
    facts = HoldFacts(authors=frozenset({AUTHOR}), first_signer="bo", reason_given=True)
    with pytest.raises(FourEyes):
        lift(HoldState.LIFT_SIGNED, HoldCommand.LIFT, second, facts)


def test_a_hold_is_not_lifted_in_one_step() -> None:
    with pytest.raises(TransitionRefused, match="no such step"):
        lift(HoldState.OPEN, HoldCommand.LIFT, "bo", HoldFacts(first_signer="cy"))


def test_the_second_signature_needs_a_first_on_record() -> None:
    with pytest.raises(FourEyes):
        lift(HoldState.LIFT_SIGNED, HoldCommand.LIFT, "bo", HoldFacts(first_signer=None))


def test_a_monitor_places_a_hold_and_lifts_none() -> None:
    facts = HoldFacts(reason_given=True)
    placed = advance(HOLD, None, HoldCommand.PLACE, actor=service(), facts=facts)
    assert placed.state is HoldState.OPEN
    with pytest.raises(TransitionRefused):
        advance(HOLD, placed.state, HoldCommand.SIGN_LIFT, actor=service(), facts=facts)


@pytest.mark.parametrize(
    ("state", "suspends"),
    [(HoldState.OPEN, True), (HoldState.LIFT_SIGNED, True), (HoldState.LIFTED, False)],
)
def test_one_signature_of_two_does_not_end_a_suspension(
    state: HoldState, *, suspends: bool
) -> None:
    hold = Hold(id="H1", scope=Scope.parse("north/*"), cause="finding F1", state=state)
    assert hold.suspends is suspends
