"""Random commands by random actors never reach what the promises forbid (P4, P5, P6, P8).

The machine keeps its own journal of who did what; the rules are checked on the journal, not on the
tables, so a hole in a table shows as a forbidden story.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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
from change_control.errors import TransitionRefused
from change_control.lifecycle import Actor, advance
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.roles import Role
from change_control.watch.review import FINDING_REVIEW, ReviewCommand, ReviewFacts, ReviewState

PEOPLE = ("ada", "bo", "cy")
AUTHOR = "ada"
ACTORS = st.builds(
    Actor,
    person=st.sampled_from((*PEOPLE, "pipeline")),
    roles=st.sets(st.sampled_from(Role), max_size=len(Role)).map(frozenset),
    is_service=st.just(False),
).map(
    lambda actor: (
        Actor(person=actor.person, roles=actor.roles, is_service=True)
        if actor.person == "pipeline"
        else actor
    )
)


class ChangeStory(RuleBasedStateMachine):
    """One change request, its plan and its evidence under random hands."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.state: ChangeState | None = None
        self.plan_us: int | None = None
        self.submitted_us: int | None = None
        self.verdict: Verdict | None = None
        self.endorsers: set[str] = set()
        self.journal: list[tuple[ChangeCommand, Actor, ChangeFacts]] = []

    @rule()
    def plan_comes_into_force(self) -> None:
        self.now += 1
        self.plan_us = self.now

    @rule()
    def plan_is_withdrawn(self) -> None:
        self.plan_us = None

    @rule(
        command=st.sampled_from(ChangeCommand),
        actor=ACTORS,
        verdict=st.sampled_from(Verdict),
        on_insufficient=st.sampled_from(OnInsufficient),
        execution=st.sampled_from(Execution),
        change_class=st.none() | st.sampled_from(ChangeClass),
        assessed=st.booleans(),
        needed=st.integers(min_value=1, max_value=2),
    )
    def somebody_tries(self, command: ChangeCommand, actor: Actor, **chance: Any) -> None:
        self.now += chance["needed"] - 1
        facts = ChangeFacts(
            author=AUTHOR,
            plan_in_force_us=self.plan_us,
            submitted_us=self.submitted_us,
            execution=chance["execution"],
            change_class=chance["change_class"],
            regulatory_assessment_signed=chance["assessed"],
            verdict=self.verdict,
            on_insufficient=chance["on_insufficient"],
            endorsers=frozenset(self.endorsers),
            approvers_needed=chance["needed"],
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
            self.verdict = chance["verdict"]
        if command is ChangeCommand.ENDORSE:
            self.endorsers.add(actor.person)

    @invariant()
    def nobody_decided_on_their_own_work(self) -> None:
        deciding = {
            ChangeCommand.ENDORSE,
            ChangeCommand.APPROVE,
            ChangeCommand.REJECT,
            ChangeCommand.RETURN,
        }
        for command, actor, _ in self.journal:
            assert command not in deciding or actor.person != AUTHOR

    @invariant()
    def what_is_approved_earned_it(self) -> None:
        for command, actor, facts in self.journal:
            if command is not ChangeCommand.APPROVE:
                continue
            assert facts.verdict is not Verdict.FAIL
            assert facts.verdict is not None
            assert facts.change_class is not None
            assert facts.change_class is ChangeClass.IN_PLAN or facts.regulatory_assessment_signed
            assert len(facts.endorsers | {actor.person}) >= facts.approvers_needed

    @invariant()
    def the_plan_came_before_every_evaluation(self) -> None:
        for command, _, facts in self.journal:
            if command is ChangeCommand.EVALUATE:
                assert facts.plan_in_force_us is not None
                assert facts.submitted_us is not None
                assert facts.plan_in_force_us < facts.submitted_us

    @invariant()
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


class SuspensionStory(RuleBasedStateMachine):
    """One finding with its hold and its review under random hands."""

    def __init__(self) -> None:
        super().__init__()
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

    @rule(command=st.sampled_from(HoldCommand), actor=ACTORS)
    def somebody_touches_the_hold(self, command: HoldCommand, actor: Actor) -> None:
        facts = HoldFacts(author=AUTHOR, first_signer=self.signers["hold"], reason_given=True)
        try:
            self.hold = advance(HOLD, self.hold, command, actor=actor, facts=facts).state
        except TransitionRefused:
            return
        if command is HoldCommand.LIFT:
            self.lifted_by = (self.signers["hold"], actor)
        self.signers["hold"] = actor.person if command is HoldCommand.SIGN_LIFT else None

    @rule(command=st.sampled_from(ReviewCommand), actor=ACTORS)
    def somebody_touches_the_review(self, command: ReviewCommand, actor: Actor) -> None:
        first = self.signers["review"]
        facts = ReviewFacts(
            author=AUTHOR,
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

    @invariant()
    def two_different_people_ended_a_suspension(self) -> None:
        for ended in (self.lifted_by, self.reinstated_by):
            if ended is not None:
                first, second = ended
                assert first is not None
                assert first != second.person
                assert AUTHOR not in {first, second.person}
                assert not second.is_service

    @invariant()
    def the_opener_did_not_reinstate(self) -> None:
        if self.reinstated_by is not None:
            first, second = self.reinstated_by
            assert self.opener not in {first, second.person}

    @invariant()
    def nothing_was_closed_over_its_hold(self) -> None:
        assert not self.closed_over_hold

    @invariant()
    def a_finding_does_not_lapse(self) -> None:
        assert self.review is not ReviewState.LAPSED


_SETTINGS = settings(max_examples=60, stateful_step_count=40, deadline=None)

TestChangeStory = ChangeStory.TestCase
TestChangeStory.settings = _SETTINGS
TestSuspensionStory = SuspensionStory.TestCase
TestSuspensionStory.settings = _SETTINGS
