"""Open, sign and withdraw a review of the trail (Annex 11; 21 CFR 11.10(e)).

What a range holds is read before the transaction, because ranges are long and never change; in it
the records are compared once more. The signature is over the range's digest, so it is of these
entries and of no others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.scope import Scope
from change_control.watch.trail_review import (
    TRAIL_REVIEW,
    TrailReviewCommand,
    TrailReviewFacts,
    TrailReviewState,
    covers,
    reviewed_until,
)
from governance.deployment import Deployment
from governance.errors import Conflict, InvalidInput
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import rule_actor
from governance.operations.signing import Signer, authenticate_again, signature_of
from governance.operations.trail.coverage import (
    Coverage,
    coverage,
    due_of,
    families_of,
    first_unreviewed,
    open_review_of,
    signed_ranges,
    waiting_after,
)
from governance.operations.trail.ranges import (
    RangeRead,
    range_digest,
    read_range,
    require_same_range,
)
from governance.registry.records import TrailReview
from governance.storage.ports import Body, Reader, Unit


class TrailDecision(StrEnum):
    """How a review of the trail is signed."""

    ACCEPTED = "accepted"
    EXCEPTIONS = "exceptions"


COMMANDS = {
    TrailDecision.ACCEPTED: TrailReviewCommand.ACCEPT,
    TrailDecision.EXCEPTIONS: TrailReviewCommand.NOTE_EXCEPTIONS,
}


class OpenTrailReview(Request):
    """Up to which entry, the last one if none is named; of which kinds, all if none are named."""

    through: int | None = Field(default=None, ge=0)
    kinds: list[str] | None = Field(default=None, max_length=64)


class SignTrailReview(Request):
    """A decision over exactly the range that the person has seen."""

    review: str
    decision: TrailDecision
    reason: str = Field(default="", max_length=4000)
    password: SecretStr
    record_digest: str = Field(pattern="^[0-9a-f]{64}$")


class WithdrawTrailReview(Request):
    """A review that was opened by mistake; a signed one stays."""

    review: str
    reason: str = Field(default="", max_length=4000)


class TrailReviewMoved(Result):
    """Where a review of the trail stands now."""

    review: str
    state: str
    first_seq: int
    last_seq: int
    families: str
    digest: str
    exceptions: int
    due_us: int
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range that can be opened: its families and ends, what is in it, and when it is due."""

    families: str
    first: int
    last: int
    read: RangeRead
    due_us: int


def open_trail_review(
    deployment: Deployment, actor: Actor, request: OpenTrailReview
) -> TrailReviewMoved:
    """Open the review of what was not reviewed yet."""
    step = lifecycle.advance(
        TRAIL_REVIEW,
        None,
        TrailReviewCommand.OPEN,
        actor=rule_actor(actor, _everywhere(deployment)),
        facts=TrailReviewFacts(),
    )
    with deployment.reader() as reader:
        covered = coverage(deployment, reader)
        families = families_of(request.kinds, list(covered.until))
        _refuse_second(reader, families, list(covered.until))  # before a long range is read
    chosen = range_of(deployment, covered, families, through=request.through)

    def write(unit: Unit) -> TrailReviewMoved:
        review = new_review(unit, deployment, chosen, known=list(covered.until), by=actor.person)
        assert review.state == step.state.value
        unit.record(kind="trail.review_opened", actor=actor.person, add=[review])
        return _moved(review)

    return deployment.pen.commit(write)


def range_of(
    deployment: Deployment, covered: Coverage, families: str, *, through: int | None
) -> Range:
    """Return the next range of the families; raise InvalidInput or Conflict where there is none."""
    first = first_unreviewed(families, covered.until, covered.waits)
    last = covered.size - 1 if through is None else through
    if last >= covered.size:
        raise InvalidInput(
            f"the ledger has no entry {last}",
            next_step="name an entry that is there, or none: then it is the last one",
        )
    if last < first:
        raise Conflict(
            f"these kinds were reviewed up to entry {first - 1} already",
            next_step=f"name an entry from {first} on; what was signed is not reviewed again",
        )
    read = read_range(deployment, first=first, last=last, families=families)
    waits = [seq for family, seq in covered.waits.items() if covers(families, family)]
    due_us = due_of(deployment, min(waits)) if waits else deployment.clock.now_us()
    return Range(families=families, first=first, last=last, read=read, due_us=due_us)


def new_review(
    unit: Unit, deployment: Deployment, chosen: Range, *, known: list[str], by: str
) -> TrailReview:
    """Return the review of the range as a record; raise Conflict where somebody was faster."""
    _refuse_second(unit, chosen.families, known)
    until = dict(reviewed_until(signed_ranges(unit), known))
    waits, _ = waiting_after(deployment.trail, until, chosen.last + 1)
    if first_unreviewed(chosen.families, until, waits) != chosen.first:
        raise Conflict(
            "somebody signed a review of these kinds meanwhile",
            next_step="look at `vigil ledger review list`, then open the next one",
        )
    digest, leaf, root = range_digest(
        deployment.ledger, first=chosen.first, last=chosen.last, families=chosen.families
    )
    return TrailReview(
        id=unit.next_id(TrailReview, prefix="T"),
        first_seq=chosen.first,
        last_seq=chosen.last,
        families=chosen.families,
        first_leaf=leaf,
        root=root,
        digest=digest,
        exceptions=chosen.read.exceptions_counted,
        state=TrailReviewState.OPEN.value,
        opened_by=by,
        opened_us=unit.now_us,
        due_us=chosen.due_us,
        decided_us=None,
    )


def _refuse_second(reader: Reader, families: str, known: list[str]) -> None:
    waiting = open_review_of(reader, families, known)
    if waiting is not None:
        raise Conflict(
            f"{waiting.id} is open over some of these kinds, up to entry {waiting.last_seq}",
            next_step=f"sign it first, or withdraw it: `vigil ledger review show {waiting.id}`",
        )


def sign_trail_review(
    deployment: Deployment, actor: Actor, request: SignTrailReview
) -> TrailReviewMoved:
    """Sign the range, as somebody who did not act in it."""
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    with deployment.reader() as reader:
        review = reader.require(TrailReview, request.review)
    require_same_range(deployment.ledger, review)
    facts = facts_for(deployment, review, actor=actor, reason_given=bool(request.reason.strip()))
    return deployment.pen.commit(lambda unit: _sign(unit, deployment, signer, request, facts))


def facts_for(
    deployment: Deployment, review: TrailReview, *, actor: Actor, reason_given: bool
) -> TrailReviewFacts:
    """Return what the table reads for this person: their acts are computed from the entries."""
    read = read_range(
        deployment, first=review.first_seq, last=review.last_seq, families=review.families
    )
    return TrailReviewFacts(
        acted=read.acts.get(actor.person, ()),
        exceptions=read.exceptions_counted,
        reason_given=reason_given,
    )


def _sign(
    unit: Unit,
    deployment: Deployment,
    signer: Signer,
    request: SignTrailReview,
    facts: TrailReviewFacts,
) -> TrailReviewMoved:
    review = unit.require(TrailReview, request.review)
    if request.record_digest != review.digest:
        raise Conflict(
            f"{review.id} is of another range than the one you read",
            next_step="open the review again, read it, and decide on what it shows now",
        )
    step = lifecycle.advance(
        TRAIL_REVIEW,
        TrailReviewState(review.state),
        COMMANDS[request.decision],
        actor=rule_actor(signer.actor, _everywhere(deployment)),
        facts=facts,
    )
    if step.signature_meaning is None:
        raise RuntimeError("the table lets nobody end a trail review without a signature")
    signature = signature_of(
        unit,
        deployment,
        signer,
        record_type=TrailReview.TABLE,
        record=review.id,
        record_digest=review.digest,
        meaning=step.signature_meaning,
    )
    after = replace(review, state=step.state.value, decided_us=unit.now_us)
    unit.record(
        kind="trail.reviewed",
        actor=signer.actor.person,
        add=[signature],
        replace=[(review, after)],
        notes={"decision": request.decision.value},
        body=_reason(unit, request.reason),
    )
    return _moved(after, signature=signature.id)


def withdraw_trail_review(
    deployment: Deployment, actor: Actor, request: WithdrawTrailReview
) -> TrailReviewMoved:
    """Withdraw an open review; its range begins the next one again."""

    def write(unit: Unit) -> TrailReviewMoved:
        review = unit.require(TrailReview, request.review)
        step = lifecycle.advance(
            TRAIL_REVIEW,
            TrailReviewState(review.state),
            TrailReviewCommand.WITHDRAW,
            actor=rule_actor(actor, _everywhere(deployment)),
            facts=TrailReviewFacts(reason_given=bool(request.reason.strip())),
        )
        after = replace(review, state=step.state.value, decided_us=unit.now_us)
        unit.record(
            kind="trail.review_withdrawn",
            actor=actor.person,
            replace=[(review, after)],
            body=_reason(unit, request.reason),
        )
        return _moved(after)

    return deployment.pen.commit(write)


def _everywhere(deployment: Deployment) -> Scope:
    return Scope(organisation=deployment.home.config.organisation)


def _reason(unit: Unit, reason: str) -> Body | None:
    """Keep the reason in the erasable body: free text never enters the permanent facts."""
    if not reason.strip():
        return None
    return Body(content=canonical.dumps({"reason": reason}), key_id=unit.new_key())


def _moved(review: TrailReview, *, signature: str | None = None) -> TrailReviewMoved:
    return TrailReviewMoved(
        review=review.id,
        state=review.state,
        first_seq=review.first_seq,
        last_seq=review.last_seq,
        families=review.families,
        digest=review.digest,
        exceptions=review.exceptions,
        due_us=review.due_us,
        signature=signature,
    )


OPEN_TRAIL_REVIEW = Operation(
    name="trail_review.open",
    request=OpenTrailReview,
    kinds=("trail.review_opened",),
    run=open_trail_review,
    repeated="refused: one review of a kind is open at a time",
)
SIGN_TRAIL_REVIEW = Operation(
    name="trail_review.sign",
    request=SignTrailReview,
    kinds=("trail.reviewed",),
    run=sign_trail_review,
    repeated="refused: a signed review has no further step",
)
WITHDRAW_TRAIL_REVIEW = Operation(
    name="trail_review.withdraw",
    request=WithdrawTrailReview,
    kinds=("trail.review_withdrawn",),
    run=withdraw_trail_review,
    repeated="refused: a withdrawn review has no further step",
)
