"""What a decision does to the record that it is about, in the very act that decides.

Each step is asked of the record's own transition table too, so a review can never move a record
along a way that the table does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from audits.estimate import Verdict
from change_control import lifecycle
from change_control.change.documents import (
    DOCUMENT,
    DocumentCommand,
    DocumentFacts,
    DocumentKind,
    DocumentState,
)
from change_control.change.request import (
    CHANGE_REQUEST,
    ChangeClass,
    ChangeCommand,
    ChangeFacts,
    ChangeState,
)
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.release.release import RELEASE, ReleaseCommand, ReleaseFacts, ReleaseState
from change_control.release.version import VERSION, VersionCommand, VersionFacts, VersionState
from change_control.scope import Scope
from change_control.watch.review import ReviewCommand, ReviewState
from governance.operations.actor import Actor
from governance.operations.review.facts import authors_of_change, authors_of_suspended, hold_of
from governance.operations.rules import (
    EVALUATOR,
    approvers_needed,
    document_in_force,
    entry_in_force,
    rule_actor,
)
from governance.registry.records import (
    ChangeRequest,
    Document,
    Finding,
    Hold,
    Record,
    Release,
    Review,
    Version,
)
from governance.storage.ports import Unit

Pairs = list[tuple[Record, Record]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision that its own table has let through.

    `actor` holds the roles over the review's own scope; `by` is the person, for what the decision
    does elsewhere.
    """

    review: Review
    command: ReviewCommand
    to: ReviewState
    actor: lifecycle.Actor
    by: Actor
    reason_given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """The rows that change with the decision."""

    replaced: Pairs = field(default_factory=list)


def consequence_of(unit: Unit, decision: Decision) -> Consequence:
    """Return what the decision changes beside its review."""
    return _BY_SUBJECT[decision.review.subject_type](unit, decision)


# --- documents -----------------------------------------------------------------------------------


def _document(unit: Unit, decision: Decision) -> Consequence:
    if decision.to is not ReviewState.DECIDED:
        return Consequence()
    document = unit.require(Document, decision.review.subject)
    if decision.command is not ReviewCommand.APPROVE:
        return _withdrawn(document, decision)
    step = lifecycle.advance(
        DOCUMENT,
        DocumentState(document.state),
        DocumentCommand.APPROVE,
        actor=decision.actor,
        facts=DocumentFacts(authors=frozenset({document.author})),
    )
    in_force = replace(
        document,
        state=step.state.value,
        in_force_us=unit.now_us,
        in_force_seq=unit.next_seq,
    )
    replaced: Pairs = [(document, in_force)]
    before = document_in_force(unit, kind=DocumentKind(document.kind), model=document.model)
    if before is not None:
        superseded = lifecycle.advance(
            DOCUMENT,
            DocumentState(before.state),
            DocumentCommand.SUPERSEDE,
            actor=decision.actor,
            facts=DocumentFacts(authors=frozenset({before.author}), successor_in_force=True),
        )
        replaced.append((before, replace(before, state=superseded.state.value)))
    return Consequence(replaced=replaced)


def _withdrawn(document: Document, decision: Decision) -> Consequence:
    step = lifecycle.advance(
        DOCUMENT,
        DocumentState(document.state),
        DocumentCommand.WITHDRAW,
        actor=decision.actor,
        facts=DocumentFacts(
            authors=frozenset({document.author}), reason_given=decision.reason_given
        ),
    )
    return Consequence(replaced=[(document, replace(document, state=step.state.value))])


# --- change requests -----------------------------------------------------------------------------

_CHANGE_COMMANDS = {
    ReviewCommand.APPROVE: ChangeCommand.APPROVE,
    ReviewCommand.REJECT: ChangeCommand.REJECT,
    ReviewCommand.RETURN: ChangeCommand.RETURN,
    ReviewCommand.ENDORSE: ChangeCommand.ENDORSE,
}


def change_facts(
    unit: Unit, change: ChangeRequest, *, first_signer: str | None, reason_given: bool
) -> ChangeFacts:
    """Return what the table of change requests reads."""
    plan = unit.require(Document, change.plan)
    in_force = plan.state == DocumentState.IN_FORCE.value
    return ChangeFacts(
        authors=authors_of_change(unit, change),
        plan_in_force_us=plan.in_force_us if in_force else None,
        submitted_us=change.submitted_us,
        change_class=ChangeClass(change.change_class) if change.change_class else None,
        verdict=Verdict(change.verdict) if change.verdict else None,
        endorsers=frozenset({first_signer} if first_signer else ()),
        approvers_needed=approvers_needed(entry_in_force(unit, change.model)),
        reason_given=reason_given,
    )


def _change(unit: Unit, decision: Decision) -> Consequence:
    if decision.command is ReviewCommand.WITHDRAW_SIGNATURE:
        return Consequence()
    change = unit.require(ChangeRequest, decision.review.subject)
    step = lifecycle.advance(
        CHANGE_REQUEST,
        ChangeState(change.state),
        _CHANGE_COMMANDS[decision.command],
        actor=decision.actor,
        facts=change_facts(
            unit,
            change,
            first_signer=decision.review.first_signer,
            reason_given=decision.reason_given,
        ),
    )
    replaced: Pairs = []
    if step.state.value != change.state:
        replaced.append((change, replace(change, state=step.state.value)))
    if step.state is ChangeState.APPROVED:
        version = unit.require(Version, change.version)
        qualified = lifecycle.advance(
            VERSION,
            VersionState(version.state),
            VersionCommand.QUALIFY,
            actor=EVALUATOR,
            facts=VersionFacts(change_approved=True),
        )
        replaced.append((version, replace(version, state=qualified.state.value)))
    return Consequence(replaced=replaced)


# --- findings ------------------------------------------------------------------------------------


def _finding(unit: Unit, decision: Decision) -> Consequence:
    hold = hold_of(unit, decision.review)
    if decision.command is ReviewCommand.REINSTATE:
        return _reinstated(unit, decision, hold)
    if decision.command is ReviewCommand.WITHDRAW_SIGNATURE and hold is not None:
        return Consequence(
            replaced=[(hold, _moved(hold, HoldCommand.WITHDRAW_LIFT, unit, decision))]
        )
    # A safer decision overtakes a first signature for reinstatement; the hold stands again.
    replaced: Pairs = []
    if hold is not None and hold.state == HoldState.LIFT_SIGNED.value:
        replaced.append((hold, _moved(hold, HoldCommand.WITHDRAW_LIFT, unit, decision)))
    if decision.command is ReviewCommand.RETIRE:
        replaced += _retired(unit, decision)
    return Consequence(replaced=replaced)


def _reinstated(unit: Unit, decision: Decision, hold: Hold | None) -> Consequence:
    if hold is None:
        raise RuntimeError("the review's table lets nobody reinstate without a hold")
    second = decision.to is ReviewState.DECIDED
    command = HoldCommand.LIFT if second else HoldCommand.SIGN_LIFT
    return Consequence(replaced=[(hold, _moved(hold, command, unit, decision))])


def _moved(hold: Hold, command: HoldCommand, unit: Unit, decision: Decision) -> Hold:
    step = lifecycle.advance(
        HOLD,
        HoldState(hold.state),
        command,
        actor=decision.actor,
        facts=HoldFacts(
            authors=authors_of_suspended(unit, hold),
            first_signer=hold.first_signer,
            reason_given=decision.reason_given,
        ),
    )
    return after_lift_step(hold, step.state, person=decision.actor.person, now_us=unit.now_us)


def after_lift_step(hold: Hold, state: HoldState, *, person: str, now_us: int) -> Hold:
    """Return the hold in its new state: signed by one, lifted, or open as before."""
    signer = {HoldState.OPEN: None, HoldState.LIFT_SIGNED: person}
    return replace(
        hold,
        state=state.value,
        first_signer=signer.get(state, hold.first_signer),
        lifted_us=now_us if state is HoldState.LIFTED else None,
    )


def _retired(unit: Unit, decision: Decision) -> Pairs:
    """Roll back every release of the version and retire it; each needs a role where it serves."""
    finding = unit.require(Finding, decision.review.subject)
    version = unit.require(Version, finding.version)
    active = unit.find(Release, version=version.id, state=ReleaseState.ACTIVE.value)
    replaced: Pairs = []
    for release in active:
        ended = lifecycle.advance(
            RELEASE,
            ReleaseState(release.state),
            ReleaseCommand.ROLL_BACK,
            actor=rule_actor(decision.by, Scope.parse(release.scope)),
            facts=ReleaseFacts(),
        )
        after = replace(release, state=ended.state.value, ended_us=unit.now_us)
        replaced.append((release, after))
    retired = lifecycle.advance(
        VERSION,
        VersionState(version.state),
        VersionCommand.RETIRE,
        actor=decision.actor,
        facts=VersionFacts(active_releases=0, reason_given=decision.reason_given),
    )
    replaced.append((version, replace(version, state=retired.state.value)))
    return replaced


_BY_SUBJECT: dict[str, Callable[[Unit, Decision], Consequence]] = {
    "document": _document,
    "change_request": _change,
    "finding": _finding,
}
