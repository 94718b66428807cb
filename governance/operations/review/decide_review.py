"""Decide a review: sign the bytes that were read, move the review and its subject at once."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field, SecretStr

from change_control import lifecycle
from change_control.lifecycle import SignatureMeaning
from change_control.watch.review import ReviewCommand, ReviewState
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.review.consequences import Decision, consequence_of
from governance.operations.review.facts import NOT_OFFERED, review_facts, scope_of, table_of
from governance.operations.rules import rule_actor
from governance.operations.signing import Signer, authenticate_again, signature_of
from governance.registry.records import Review, Signature
from governance.storage.ports import Body, Unit


class DecideReview(Request):
    """A decision with its reason, over exactly the bytes that the person has seen."""

    review: str
    decision: ReviewCommand
    reason: str = Field(default="", max_length=4000)
    password: SecretStr
    record_digest: str = Field(pattern="^[0-9a-f]{64}$")


class ReviewDecided(Result):
    """Where the review stands now, and the signature's manifestation."""

    review: str
    state: str
    decision: str | None
    signature: str | None
    waits_for: str | None


def decide_review(deployment: Deployment, actor: Actor, request: DecideReview) -> ReviewDecided:
    """Sign and decide; the table of the review's kind says who may and what follows."""
    signer = authenticate_again(deployment, actor, request.password.get_secret_value())
    return deployment.pen.commit(lambda unit: _decide(unit, deployment, signer, request))


def _decide(
    unit: Unit, deployment: Deployment, signer: Signer, request: DecideReview
) -> ReviewDecided:
    review = unit.require(Review, request.review)
    _same_bytes(review, request.record_digest)
    decision, meaning = _permitted(unit, deployment, signer.actor, review, request)
    consequence = consequence_of(unit, decision)
    after = _after(review, decision, unit.now_us)
    signature = None
    if meaning is not None:
        signature = signature_of(
            unit,
            deployment,
            signer,
            record_type=review.subject_type,
            record=review.subject,
            record_digest=review.subject_digest,
            meaning=meaning,
        )
    unit.record(
        kind="review.decided" if decision.to is ReviewState.DECIDED else "review.signed",
        actor=signer.actor.person,
        add=[signature] if signature else [],
        replace=[(review, after), *consequence.replaced],
        notes={"decision": request.decision.value},
        body=_reason(unit, request.reason),
    )
    return _result(after, signature)


def _same_bytes(review: Review, digest: str) -> None:
    if digest != review.subject_digest:
        raise Conflict(
            f"{review.id} is about other bytes than the ones you read",
            next_step="open the review again, read it, and decide on what it shows now",
        )


def _permitted(
    unit: Unit, deployment: Deployment, actor: Actor, review: Review, request: DecideReview
) -> tuple[Decision, SignatureMeaning | None]:
    if request.decision in NOT_OFFERED:
        raise Conflict(
            f"a review is not decided by {request.decision.value}",
            next_step="keep it suspended, then release to the narrower scope",
        )
    reason_given = bool(request.reason.strip())
    organisation = deployment.home.config.organisation
    scope = scope_of(unit, review, request.decision, organisation)
    rules_actor = rule_actor(actor, scope)
    step = lifecycle.advance(
        table_of(review),
        ReviewState(review.state),
        request.decision,
        actor=rules_actor,
        facts=review_facts(unit, review, reason_given=reason_given),
    )
    decision = Decision(
        review=review,
        command=request.decision,
        to=step.state,
        actor=rules_actor,
        by=actor,
        reason_given=reason_given,
    )
    return decision, step.signature_meaning


def _after(review: Review, decision: Decision, now_us: int) -> Review:
    if decision.to is ReviewState.DECIDED:
        return replace(
            review,
            state=decision.to.value,
            decision=decision.command.value,
            decided_us=now_us,
        )
    signed = decision.to is ReviewState.FIRST_SIGNATURE
    return replace(
        review,
        state=decision.to.value,
        first_signer=decision.actor.person if signed else None,
    )


def _reason(unit: Unit, reason: str) -> Body | None:
    """Keep the reason in the erasable body: free text never enters the permanent facts."""
    if not reason.strip():
        return None
    return Body(content=canonical.dumps({"reason": reason}), key_id=unit.new_key())


def _result(review: Review, signature: Signature | None) -> ReviewDecided:
    waiting = review.state == ReviewState.FIRST_SIGNATURE.value
    return ReviewDecided(
        review=review.id,
        state=review.state,
        decision=review.decision,
        signature=signature.id if signature else None,
        waits_for="a second, different person" if waiting else None,
    )


DECIDE_REVIEW = Operation(
    name="review.decide",
    request=DecideReview,
    kinds=("review.signed", "review.decided"),
    run=decide_review,
    repeated="refused: a decided review has no further step",
)
