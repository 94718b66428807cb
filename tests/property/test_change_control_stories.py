"""Random commands by random actors never reach what the promises forbid (P4, P5, P6, P8).

A story keeps its own journal of who did what; the rules are checked on the journal, not on the
tables, so a hole in a table shows as a forbidden story.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audits.estimate import Verdict
from change_control.change.request import (
    CHANGE_REQUEST,
    ChangeClass,
    ChangeCommand,
    ChangeFacts,
    ChangeState,
    Execution,
    OnInsufficient,
)
from change_control.describe import AnyLifecycle
from change_control.errors import TransitionRefused
from change_control.lifecycle import Actor, advance
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.roles import Role
from change_control.watch.review import FINDING_REVIEW, ReviewCommand, ReviewFacts, ReviewState

PEOPLE = ("ada", "bo", "cy", "di")
AUTHOR = "ada"
ENDINGS = {ChangeCommand.ABANDON, ChangeCommand.SUPERSEDE}
ATTEMPTS = 40
CHANCE = st.randoms(use_true_random=True)
"""A seeded generator per story: uniform draws reach far states, which small draws rarely do."""


def some_actor(chance: Random) -> Actor:
    """Return a person or the pipeline; half of them hold every role, so only other rules stop."""
    person = chance.choice((*PEOPLE, *PEOPLE, "pipeline"))
    every = chance.random() < 0.5
    roles = frozenset(role for role in Role if every or chance.random() < 0.4)
    return Actor(person=person, roles=roles, is_service=person == "pipeline")


def some_command(table: AnyLifecycle, state: Any, chance: Random) -> Any:
    """Return mostly a command that the table knows in this state, and seldom one that gives up."""
    known = [command for command in table.commands if (state, command) in table.rules]
    going_on = [command for command in known if command not in ENDINGS]
    if not going_on or chance.random() < 0.1:
        return chance.choice(list(table.commands))
    return chance.choice(going_on)


class ChangeStory:
    """One change request, its plan and its evidence under random hands."""

    def __init__(self) -> None:
        self.now = 0
        self.state: ChangeState | None = None
        self.plan_us: int | None = None
        self.submitted_us: int | None = None
        self.verdict: Verdict | None = None
        self.endorsers: set[str] = set()
        self.journal: list[tuple[ChangeCommand, Actor, ChangeFacts]] = []

    def somebody_tries(self, chance: Random) -> None:
        actor = some_actor(chance)
        command = some_command(CHANGE_REQUEST, self.state, chance)
        self.now += chance.randint(0, 1)
        if chance.random() < 0.15:
            self.plan_us = chance.choice((self.now, self.now, None))
        facts = ChangeFacts(
            authors=frozenset({AUTHOR}),
            plan_in_force_us=self.plan_us,
            submitted_us=self.submitted_us,
            execution=chance.choice(list(Execution)),
            change_class=chance.choice((ChangeClass.IN_PLAN, None, *ChangeClass)),
            regulatory_assessment_signed=chance.random() < 0.5,
            verdict=self.verdict,
            on_insufficient=chance.choice(list(OnInsufficient)),
            endorsers=frozenset(self.endorsers),
            approvers_needed=chance.randint(1, 2),
            reason_given=True,
        )
        try:
            step = advance(CHANGE_REQUEST, self.state, command, actor=actor, facts=facts)
        except TransitionRefused:
            return
        self.state = step.state
        self.journal.append((command, actor, facts))
        if step.signature_meaning is not None:
            assert not actor.is_service
        if command is ChangeCommand.SUBMIT:
            self.submitted_us = self.now
            self.endorsers.clear()
        if command is ChangeCommand.EVALUATE:
            self.verdict = chance.choice((Verdict.PASS, *Verdict))
        if command is ChangeCommand.ENDORSE:
            self.endorsers.add(actor.person)

    def nobody_decided_on_their_own_work(self) -> None:
        deciding = {
            ChangeCommand.ENDORSE,
            ChangeCommand.APPROVE,
            ChangeCommand.REJECT,
            ChangeCommand.RETURN,
        }
        for command, actor, _ in self.journal:
            assert command not in deciding or actor.person != AUTHOR

    def what_is_approved_earned_it(self) -> None:
        for command, actor, facts in self.journal:
            if command is not ChangeCommand.APPROVE:
                continue
            assert facts.verdict is not Verdict.FAIL
            assert facts.verdict is not None
            assert facts.change_class is not None
            assert facts.change_class is ChangeClass.IN_PLAN or facts.regulatory_assessment_signed
            assert len(facts.endorsers | {actor.person}) >= facts.approvers_needed

    def the_plan_came_before_every_evaluation(self) -> None:
        for command, _, facts in self.journal:
            if command is ChangeCommand.EVALUATE:
                assert facts.plan_in_force_us is not None
                assert facts.submitted_us is not None
                assert facts.plan_in_force_us < facts.submitted_us

    def nothing_follows_an_end(self) -> None:
        ends = [
            place
            for place, (command, _, _) in enumerate(self.journal)
            if command
            in {
                ChangeCommand.APPROVE,
                ChangeCommand.REJECT,
                ChangeCommand.ABANDON,
                ChangeCommand.SUPERSEDE,
            }
        ]
        assert ends in ([], [len(self.journal) - 1])


class SuspensionStory:
    """One finding with its hold and its review under random hands."""

    def __init__(self) -> None:
        self.hold: HoldState | None = None
        self.review: ReviewState | None = None
        self.signers: dict[str, str | None] = {"hold": None, "review": None}
        self.opener = ""
        self.lifted_by: tuple[str | None, Actor] | None = None
        self.reinstated_by: tuple[str | None, Actor] | None = None
        self.closed_over_hold = False

    @property
    def hold_open(self) -> bool:
        return self.hold in {HoldState.OPEN, HoldState.LIFT_SIGNED}

    def somebody_touches_the_hold(self, chance: Random) -> None:
        actor, command = some_actor(chance), some_command(HOLD, self.hold, chance)
        facts = HoldFacts(
            authors=frozenset({AUTHOR}), first_signer=self.signers["hold"], reason_given=True
        )
        try:
            self.hold = advance(HOLD, self.hold, command, actor=actor, facts=facts).state
        except TransitionRefused:
            return
        if command is HoldCommand.LIFT:
            self.lifted_by = (self.signers["hold"], actor)
        self.signers["hold"] = actor.person if command is HoldCommand.SIGN_LIFT else None

    def somebody_touches_the_review(self, chance: Random) -> None:
        actor, command = some_actor(chance), some_command(FINDING_REVIEW, self.review, chance)
        first = self.signers["review"]
        facts = ReviewFacts(
            authors=frozenset({AUTHOR}),
            opened_by=self.opener,
            hold_open=self.hold_open,
            reason_given=True,
            first_signer=first,
        )
        try:
            after = advance(FINDING_REVIEW, self.review, command, actor=actor, facts=facts).state
        except TransitionRefused:
            return
        if command is ReviewCommand.OPEN:
            self.opener = actor.person
        if command is ReviewCommand.REINSTATE and after is ReviewState.DECIDED:
            self.reinstated_by = (first, actor)
        if command is ReviewCommand.CLOSE:
            self.closed_over_hold = self.hold_open
        self.signers["review"] = actor.person if after is ReviewState.FIRST_SIGNATURE else None
        self.review = after

    def two_different_people_ended_a_suspension(self) -> None:
        for ended in (self.lifted_by, self.reinstated_by):
            if ended is not None:
                first, second = ended
                assert first is not None
                assert first != second.person
                assert AUTHOR not in {first, second.person}
                assert not second.is_service

    def the_opener_did_not_reinstate(self) -> None:
        if self.reinstated_by is not None:
            first, second = self.reinstated_by
            assert self.opener not in {first, second.person}

    def nothing_was_closed_over_its_hold(self) -> None:
        assert not self.closed_over_hold

    def a_finding_does_not_lapse(self) -> None:
        assert self.review is not ReviewState.LAPSED


@settings(max_examples=150)
@given(chance=CHANCE)
def test_no_change_request_reaches_what_is_forbidden(chance: Random) -> None:
    story = ChangeStory()
    for _ in range(ATTEMPTS):
        story.somebody_tries(chance)
    story.nobody_decided_on_their_own_work()
    story.what_is_approved_earned_it()
    story.the_plan_came_before_every_evaluation()
    story.nothing_follows_an_end()


@settings(max_examples=150)
@given(chance=CHANCE)
def test_no_suspension_ends_in_a_forbidden_way(chance: Random) -> None:
    story = SuspensionStory()
    for _ in range(ATTEMPTS):
        story.somebody_touches_the_hold(chance)
        story.somebody_touches_the_review(chance)
    story.two_different_people_ended_a_suspension()
    story.the_opener_did_not_reinstate()
    story.nothing_was_closed_over_its_hold()
    story.a_finding_does_not_lapse()


def test_the_stories_get_far_enough_to_prove_something() -> None:
    """A fixed generator: every end is reached, so the tests above are not empty."""
    chance = Random(20)
    ends = set()
    for _ in range(500):
        change, suspension = ChangeStory(), SuspensionStory()
        for _ in range(ATTEMPTS):
            change.somebody_tries(chance)
            suspension.somebody_touches_the_hold(chance)
            suspension.somebody_touches_the_review(chance)
        ends |= {change.state, suspension.hold if suspension.lifted_by else None}
        ends |= {"reinstated"} if suspension.reinstated_by else set()
    assert ends >= {
        ChangeState.APPROVED,
        ChangeState.REJECTED,
        ChangeState.ABANDONED,
        ChangeState.SUPERSEDED,
        HoldState.LIFTED,
        "reinstated",
    }
