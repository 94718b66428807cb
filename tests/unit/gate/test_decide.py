"""The order of the gate's checks, walked with values alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.release.standing import Standing, StandingReason
from change_control.scope import Scope
from governance.gate.ask import Ask, Caller, Question
from governance.gate.decide import Decision, Dossier, decide
from governance.gate.reasons import REASONS, Refusal
from models.entry import entry_from_record
from tests.unit.serving.fakes import PURPOSE, entry_record

RELEASE = Release(
    id="REL-1", version="forecasting/1", scope=Scope(organisation="st-olav"), market="no",
    purpose=PURPOSE, mode=ReleaseMode.FULL, from_us=0, until_us=None, state=ReleaseState.ACTIVE,
)  # fmt: skip
MAY = Standing(verdict="may_answer", reasons=(), release=RELEASE, until_us=None)
USE = entry_from_record(entry_record()).use
ABOUT_PEOPLE = entry_from_record(entry_record(about_people=True)).use
DOSSIER = Dossier(use=USE, standing=MAY, intact=True)
ASK = Ask(
    model="forecasting",
    caller=Caller(
        client="planner",
        scope=Scope(organisation="st-olav", site="pharmacy"),
        permissions=frozenset({"infer:forecasting"}),
    ),
    question=Question(rows=[{}], purpose=PURPOSE),
)


def refused(*reasons: StandingReason) -> Standing:
    return Standing(verdict="refuse", reasons=reasons, release=None, until_us=None)


def codes(decision: Decision) -> list[str]:
    return [refusal.code for refusal in decision.refusals]


def test_a_question_that_passes_every_check_is_answered_under_the_governing_release() -> None:
    assert decide(ASK, DOSSIER) == Decision(release=RELEASE)


@pytest.mark.requirement("P1")
def test_the_first_failing_check_decides() -> None:
    """Everything is wrong at first; correcting one thing brings the next check's reason."""
    caller = replace(ASK.caller, permissions=frozenset())
    unreadable = Refusal(code="gate.not_json")
    asked = replace(ASK, caller=caller, question=unreadable)
    dossier = Dossier(use=USE, standing=refused(StandingReason.SUSPENDED), intact=False)
    wrong_purpose = Question(rows=[{}], purpose="other", subject="p-1")

    assert codes(decide(asked, None)) == ["gate.unknown_model"]
    assert codes(decide(asked, dossier)) == ["identity.forbidden"]
    asked = replace(asked, caller=ASK.caller)
    assert codes(decide(asked, dossier)) == ["gate.not_json"]
    asked = replace(asked, question=wrong_purpose)
    assert codes(decide(asked, dossier)) == ["gate.purpose"]
    asked = replace(asked, question=replace(wrong_purpose, purpose=PURPOSE))
    assert codes(decide(asked, replace(dossier, standing=None))) == ["gate.market"]
    assert codes(decide(asked, dossier)) == ["gate.subject_unexpected"]
    assert codes(decide(ASK, dossier)) == ["gate.suspended"]
    assert codes(decide(ASK, replace(dossier, standing=MAY))) == ["gate.digest_mismatch"]
    assert decide(ASK, DOSSIER).release is RELEASE


@pytest.mark.parametrize(
    "permissions",
    [set(), {"read"}, {"infer:dosing"}, {"infer:forecasting2"}, {"infer:"}, {"infer:*"}],
)
def test_only_the_permission_for_this_very_model_lets_a_caller_ask(permissions: set[str]) -> None:
    caller = replace(ASK.caller, permissions=frozenset(permissions))
    assert codes(decide(replace(ASK, caller=caller), DOSSIER)) == ["identity.forbidden"]


def test_every_reason_of_a_standing_is_given_in_its_order() -> None:
    standing = refused(StandingReason.RECALLED, StandingReason.SUSPENDED)
    decision = decide(ASK, replace(DOSSIER, standing=standing))
    assert codes(decision) == ["gate.recalled", "gate.suspended"]


def test_every_reason_of_a_standing_is_in_the_catalogue_as_a_conflict() -> None:
    assert {REASONS[str(reason)].status for reason in StandingReason} == {409}


@pytest.mark.requirement("P13")
def test_rows_about_people_need_a_subject() -> None:
    dossier = replace(DOSSIER, use=ABOUT_PEOPLE)
    assert codes(decide(ASK, dossier)) == ["gate.subject_required"]
    named = replace(ASK, question=Question(rows=[{}], purpose=PURPOSE, subject="p-1"))
    assert decide(named, dossier).release is not None


def test_a_decision_is_never_both_or_neither() -> None:
    with pytest.raises(RuntimeError):
        Decision()
    with pytest.raises(RuntimeError):
        Decision(release=RELEASE, refusals=(Refusal(code="gate.purpose"),))


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_every_reason_says_what_is_wrong_and_what_to_do(reason: object) -> None:
    assert reason.sentence.endswith(".")  # type: ignore[attr-defined]
    assert reason.next_step.endswith(".")  # type: ignore[attr-defined]
    assert reason.code.split(".")[0] in {"gate", "identity"}  # type: ignore[attr-defined]
    assert 400 <= reason.status < 600  # type: ignore[attr-defined]


def test_what_anybody_could_repeat_without_a_name_is_only_counted() -> None:
    uncounted = {reason.status for reason in REASONS.values() if not reason.recorded}
    assert uncounted == {401, 409, 410, 422, 429, 503}
    assert {
        reason.code
        for reason in REASONS.values()
        if not reason.recorded and reason.status in {409, 422}
    } == {"gate.idempotency_mismatch", "gate.repeat_superseded", "gate.subject_erased"}
    assert all(
        not reason.recorded for reason in REASONS.values() if reason.status in {401, 429, 503}
    )
