"""Who ends a review, how, and with how many signatures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from change_control.errors import Blocked, FourEyes, ReasonMissing, TransitionRefused
from change_control.lifecycle import advance, allowed_commands
from change_control.roles import Role
from change_control.watch.review import (
    DECISIONS,
    REVIEWS,
    ReviewCommand,
    ReviewFacts,
    ReviewKind,
    ReviewState,
    overdue,
)
from tests.unit.change_control.cases import AUTHOR, OPENER, person, service

FACTS = ReviewFacts(
    authors=frozenset({AUTHOR}), opened_by=OPENER, hold_open=True, reason_given=True
)
APPROVALS = (ReviewKind.DOCUMENT_APPROVAL, ReviewKind.RELEASE_APPROVAL)


def decide(
    kind: ReviewKind,
    state: ReviewState,
    command: ReviewCommand,
    facts: ReviewFacts = FACTS,
    *,
    name: str = "bo",
    role: Role = Role.REVIEWER,
) -> ReviewState:
    actor = person(role, name=name)
    return advance(REVIEWS[kind], state, command, actor=actor, facts=facts).state


def test_each_kind_ends_in_its_own_decisions() -> None:
    approval = ("approve", "reject", "return")
    assert dict(DECISIONS) == {
        ReviewKind.DOCUMENT_APPROVAL: approval,
        ReviewKind.RELEASE_APPROVAL: approval,
        ReviewKind.FINDING: ("reinstate", "keep_suspended", "restrict", "retire", "close"),
    }


@pytest.mark.parametrize("kind", ReviewKind)
def test_a_decision_of_another_kind_is_refused(kind: ReviewKind) -> None:
    others = {command for known in DECISIONS.values() for command in known} - set(DECISIONS[kind])
    for command in others:
        with pytest.raises(TransitionRefused, match="no such step"):
            decide(kind, ReviewState.OPEN, command)


@pytest.mark.parametrize("kind", ReviewKind)
@pytest.mark.parametrize("state", [ReviewState.DECIDED, ReviewState.LAPSED])
def test_a_decided_or_lapsed_review_stays_so(kind: ReviewKind, state: ReviewState) -> None:
    for command in ReviewCommand:
        with pytest.raises(TransitionRefused, match="no such step"):
            decide(kind, state, command)


@pytest.mark.requirement("P6")
def test_reinstatement_takes_two_people() -> None:
    state = decide(ReviewKind.FINDING, ReviewState.OPEN, ReviewCommand.REINSTATE)
    assert state is ReviewState.FIRST_SIGNATURE
    signed = replace(FACTS, first_signer="bo")
    assert (
        decide(ReviewKind.FINDING, state, ReviewCommand.REINSTATE, signed, name="cy")
        is ReviewState.DECIDED
    )


@pytest.mark.parametrize("second", ["bo", AUTHOR, OPENER])
@pytest.mark.requirement("P6")
def test_the_second_signature_is_not_the_first_persons_the_authors_or_the_openers(
    second: str,
) -> None:
    signed = replace(FACTS, first_signer="bo")
    with pytest.raises(FourEyes):
        decide(
            ReviewKind.FINDING,
            ReviewState.FIRST_SIGNATURE,
            ReviewCommand.REINSTATE,
            signed,
            name=second,
        )


@pytest.mark.parametrize("first", [AUTHOR, OPENER])
@pytest.mark.requirement("P6")
def test_author_and_opener_do_not_begin_a_reinstatement_either(first: str) -> None:
    with pytest.raises(FourEyes):
        decide(ReviewKind.FINDING, ReviewState.OPEN, ReviewCommand.REINSTATE, name=first)


@pytest.mark.requirement("P6")
def test_closing_is_no_way_round_a_reinstatement() -> None:
    with pytest.raises(Blocked, match="not closed over its open hold"):
        decide(ReviewKind.FINDING, ReviewState.OPEN, ReviewCommand.CLOSE)
    lifted = replace(FACTS, hold_open=False)
    assert (
        decide(ReviewKind.FINDING, ReviewState.OPEN, ReviewCommand.CLOSE, lifted)
        is ReviewState.DECIDED
    )


@pytest.mark.parametrize("command", [ReviewCommand.REINSTATE, ReviewCommand.KEEP_SUSPENDED])
def test_what_is_not_suspended_is_neither_reinstated_nor_kept_so(command: ReviewCommand) -> None:
    with pytest.raises(Blocked, match="nothing is suspended"):
        decide(ReviewKind.FINDING, ReviewState.OPEN, command, replace(FACTS, hold_open=False))


@pytest.mark.parametrize(
    "command", [ReviewCommand.KEEP_SUSPENDED, ReviewCommand.RESTRICT, ReviewCommand.RETIRE]
)
@pytest.mark.parametrize("state", [ReviewState.OPEN, ReviewState.FIRST_SIGNATURE])
def test_a_safer_decision_takes_one_person_and_overtakes_a_first_signature(
    command: ReviewCommand, state: ReviewState
) -> None:
    for name in ("bo", AUTHOR, OPENER):
        facts = replace(FACTS, first_signer="cy")
        assert decide(ReviewKind.FINDING, state, command, facts, name=name) is ReviewState.DECIDED


@pytest.mark.parametrize(
    "command",
    [
        ReviewCommand.REINSTATE,
        ReviewCommand.KEEP_SUSPENDED,
        ReviewCommand.RESTRICT,
        ReviewCommand.RETIRE,
    ],
)
def test_a_decision_on_a_finding_has_a_reason(command: ReviewCommand) -> None:
    with pytest.raises(ReasonMissing):
        decide(ReviewKind.FINDING, ReviewState.OPEN, command, replace(FACTS, reason_given=False))


@pytest.mark.requirement("P10")
def test_a_finding_never_lapses() -> None:
    for state in (ReviewState.OPEN, ReviewState.FIRST_SIGNATURE):
        with pytest.raises(TransitionRefused, match="no such step"):
            decide(
                ReviewKind.FINDING,
                state,
                ReviewCommand.LAPSE,
                replace(FACTS, subject_settled=True),
            )


@pytest.mark.parametrize("kind", APPROVALS)
@pytest.mark.requirement("P6")
def test_two_approvers_where_the_tier_asks_for_two(kind: ReviewKind) -> None:
    facts = replace(FACTS, approvers_needed=2)
    with pytest.raises(TransitionRefused, match="2 different people"):
        decide(kind, ReviewState.OPEN, ReviewCommand.APPROVE, facts)
    state = decide(kind, ReviewState.OPEN, ReviewCommand.ENDORSE, facts)
    signed = replace(facts, first_signer="bo")
    with pytest.raises(FourEyes):
        decide(kind, state, ReviewCommand.APPROVE, signed)
    decided = decide(kind, state, ReviewCommand.APPROVE, signed, name="cy")
    assert decided is ReviewState.DECIDED


@pytest.mark.parametrize("kind", APPROVALS)
def test_one_approver_where_the_tier_asks_for_one(kind: ReviewKind) -> None:
    assert decide(kind, ReviewState.OPEN, ReviewCommand.APPROVE) is ReviewState.DECIDED
    with pytest.raises(TransitionRefused, match="one person approves"):
        decide(kind, ReviewState.OPEN, ReviewCommand.ENDORSE)


@pytest.mark.parametrize("kind", APPROVALS)
@pytest.mark.parametrize("name", [AUTHOR, OPENER])
@pytest.mark.requirement("P6")
def test_author_and_opener_end_no_approval(kind: ReviewKind, name: str) -> None:
    for command in DECISIONS[kind]:
        with pytest.raises(FourEyes):
            decide(kind, ReviewState.OPEN, command, name=name)


def test_a_first_signature_may_be_withdrawn() -> None:
    for kind in ReviewKind:
        state = decide(kind, ReviewState.FIRST_SIGNATURE, ReviewCommand.WITHDRAW_SIGNATURE)
        assert state is ReviewState.OPEN


def test_a_service_opens_reviews_and_decides_none() -> None:
    for table in REVIEWS.values():
        assert allowed_commands(table, None, service(), FACTS) == (ReviewCommand.OPEN,)
        assert allowed_commands(table, ReviewState.OPEN, service(*Role), FACTS) == ()


@pytest.mark.parametrize(("now_us", "late"), [(99, False), (100, False), (101, True)])
@pytest.mark.requirement("P12")
def test_a_review_is_overdue_after_its_due_instant(now_us: int, *, late: bool) -> None:
    assert overdue(due_us=100, now_us=now_us) is late
