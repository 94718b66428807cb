"""A review's facts as the transition tables read them, and what a person may decide."""

from __future__ import annotations

from dataclasses import dataclass

from change_control import lifecycle
from change_control.release.hold import HoldState
from change_control.scope import Scope
from change_control.watch.review import (
    DECISIONS,
    REVIEWS,
    ReviewCommand,
    ReviewFacts,
    ReviewKind,
    ReviewLifecycle,
    ReviewState,
)
from governance.operations.actor import Actor
from governance.operations.rules import (
    MONITOR,
    approvers_needed,
    approvers_of_document,
    entry_in_force,
    rule_actor,
)
from governance.registry.records import ChangeRequest, Document, Finding, Hold, Review, Version
from governance.storage.ports import Reader

# A restriction names the sites that go on, which only a new release can say: roll back and release
# to the narrower scope. Therefore no review of today ends in it.
NOT_OFFERED = frozenset({ReviewCommand.RESTRICT})


def table_of(review: Review) -> ReviewLifecycle:
    """Return the transition table of the review's kind."""
    return REVIEWS[ReviewKind(review.kind)]


def scope_of(reader: Reader, review: Review, command: ReviewCommand, organisation: str) -> Scope:
    """Return where the decision holds: the hold's scope, or the whole organisation.

    Retiring ends a version wherever it serves, so no role at one site suffices for it.
    """
    hold = hold_of(reader, review)
    if hold is None or command is ReviewCommand.RETIRE:
        return Scope(organisation=organisation)
    return Scope.parse(hold.scope)


def hold_of(reader: Reader, review: Review) -> Hold | None:
    """Return the hold that the review's finding placed, if it placed one."""
    findings = reader.find(Finding, review=review.id)
    return reader.get(Hold, findings[0].hold) if findings and findings[0].hold else None


def review_facts(reader: Reader, review: Review, *, reason_given: bool) -> ReviewFacts:
    """Return what the table of this review reads."""
    hold = hold_of(reader, review)
    return ReviewFacts(
        authors=_authors(reader, review),
        opened_by=review.opened_by,
        approvers_needed=_approvers_needed(reader, review),
        hold_open=hold is not None and hold.state != HoldState.LIFTED.value,
        reason_given=reason_given,
        first_signer=review.first_signer,
    )


def _authors(reader: Reader, review: Review) -> frozenset[str]:
    if review.subject_type == "document":
        return frozenset({reader.require(Document, review.subject).author})
    if review.subject_type == "change_request":
        return authors_of_change(reader, reader.require(ChangeRequest, review.subject))
    hold = hold_of(reader, review)
    if hold is not None:
        return authors_of_suspended(reader, hold)
    finding = reader.require(Finding, review.subject)
    return frozenset({reader.require(Version, finding.version).registered_by})


def authors_of_change(reader: Reader, change: ChangeRequest) -> frozenset[str]:
    """Return who asked for the change and who trained its version: both made it (P6)."""
    return frozenset({change.author, reader.require(Version, change.version).registered_by})


def authors_of_suspended(reader: Reader, hold: Hold) -> frozenset[str]:
    """Return who registered any version that the hold covers, and the person who placed it."""
    if hold.version is not None:
        covered = [reader.require(Version, hold.version)]
    else:
        covered = reader.find(Version, model=hold.model)
    placer = {hold.placed_by} - {MONITOR.person}
    return frozenset({version.registered_by for version in covered} | placer)


def _approvers_needed(reader: Reader, review: Review) -> int:
    if review.kind == ReviewKind.FINDING.value:
        return 1
    if review.subject_type == "document":
        return approvers_of_document(reader, reader.require(Document, review.subject))
    return approvers_needed(entry_in_force(reader, review.model))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One decision as a console draws it: the button, what it is signed as, or why not."""

    command: ReviewCommand
    meaning: lifecycle.SignatureMeaning | None
    refusal: str | None


def choices(reader: Reader, review: Review, *, actor: Actor, organisation: str) -> list[Choice]:
    """Return the decisions that this review knows now, each with the refusal this person meets.

    The reason is taken as given, because the form asks for it; everything else is as it stands.
    """
    facts = review_facts(reader, review, reason_given=True)

    def known(command: ReviewCommand) -> list[lifecycle.Option[ReviewState, ReviewCommand]]:
        scope = scope_of(reader, review, command, organisation)
        found = lifecycle.options(
            table_of(review), ReviewState(review.state), rule_actor(actor, scope), facts
        )
        return [option for option in found if option.command is command]

    offered = {
        *DECISIONS[ReviewKind(review.kind)],
        ReviewCommand.ENDORSE,
        ReviewCommand.WITHDRAW_SIGNATURE,
    } - NOT_OFFERED
    return [
        Choice(
            command=option.command,
            meaning=option.signature_meaning,
            refusal=option.refusal.reason if option.refusal else None,
        )
        for command in ReviewCommand
        if command in offered
        for option in known(command)
    ]
