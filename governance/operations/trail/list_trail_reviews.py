"""Reviews of the trail as a command or a program reads them, and what is due."""

from __future__ import annotations

from pydantic import Field

from change_control import lifecycle
from change_control.scope import Scope
from change_control.watch.trail_review import TRAIL_REVIEW, TrailReviewState
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.inspect.list_reviews import SignatureLine
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import rule_actor
from governance.operations.trail.coverage import coverage
from governance.operations.trail.ranges import (
    ExceptionalLine,
    TrailException,
    exceptions_after,
    read_range,
    require_same_range,
)
from governance.operations.trail.review_trail import COMMANDS, facts_for
from governance.operations.trail.search_trail import AnswerLine
from governance.registry.records import Finding, Signature, TrailReview
from governance.storage.ports import Reader

TRAIL_OVERDUE = "trail_review.overdue"
"""The rule of the finding that the trail was not reviewed in time."""


class ListTrailReviews(Request):
    """Every review."""


class NameTrailReview(Request):
    """One review; `after` continues its list of exceptions."""

    review: str = Field(max_length=40)
    after: int | None = Field(default=None, ge=0)


class TrailReviewLine(Result):
    """One review as listed."""

    review: str
    first_seq: int
    last_seq: int
    families: str
    state: str
    exceptions: int
    opened_by: str
    opened_us: int
    due_us: int
    decided_us: int | None
    overdue: bool


class TrailReviews(Result):
    """Reviews, the latest first, and what waits.

    `reviewed_until` is for each family of kinds the first entry that no signed review has read,
    `waiting` how many entries wait for one, `due_us` when the oldest of them has to be reviewed.
    `findings` are those that the trail is late, of which the reviews still wait.
    """

    size: int
    waiting: int
    due_us: int | None
    overdue: bool
    findings: list[str]
    reviewed_until: dict[str, int]
    reviews: list[TrailReviewLine]


class TrailReviewShown(Result):
    """One review with what its range holds, and what this person may decide.

    `exceptional` counts every exception by its reason. `exceptions` is a page of those that are
    listed one by one; `next_after` continues the list, None where it ends.
    """

    review: str
    state: str
    first_seq: int
    last_seq: int
    families: str
    digest: str
    first_leaf: str
    root: str
    opened_by: str
    opened_us: int
    due_us: int
    overdue: bool
    decided_us: int | None
    finding: str | None
    entries: int
    kinds: dict[str, int]
    answers: list[AnswerLine]
    exceptions_counted: int
    exceptional: list[ExceptionalLine]
    exceptions: list[TrailException]
    next_after: int | None
    may_decide: list[str]
    refusals: dict[str, str]
    signatures: list[SignatureLine]


def list_trail_reviews(
    deployment: Deployment, actor: Actor, _request: ListTrailReviews
) -> TrailReviews:
    """List every review, and say what waits and until when."""
    del actor
    now_us = deployment.clock.now_us()
    with deployment.reader() as reader:
        covered = coverage(deployment, reader)
        reviews = [_line(review, now_us) for review in reversed(reader.find(TrailReview))]
        findings = [finding.id for finding in open_findings(reader)]
    return TrailReviews(
        size=covered.size,
        waiting=covered.waiting,
        due_us=covered.due_us,
        overdue=covered.overdue(now_us),
        findings=findings,
        reviewed_until=covered.until,
        reviews=reviews,
    )


def show_trail_review(
    deployment: Deployment, actor: Actor, request: NameTrailReview
) -> TrailReviewShown:
    """Show one review, with a page of the exceptions of its range."""
    with deployment.reader() as reader:
        review = reader.require(TrailReview, request.review)
        signatures = reader.find(Signature, record_type=TrailReview.TABLE, record=review.id)
        findings = reader.find(Finding, rule=TRAIL_OVERDUE, review=review.id)
    require_same_range(deployment.ledger, review)
    read = read_range(
        deployment, first=review.first_seq, last=review.last_seq, families=review.families
    )
    exceptions, next_after = exceptions_after(deployment, read, request.after)
    may, refusals = _choices(deployment, review, actor)
    return TrailReviewShown(
        **_line(review, deployment.clock.now_us()).model_dump(exclude={"exceptions"}),
        digest=review.digest,
        first_leaf=review.first_leaf,
        root=review.root,
        finding=findings[0].id if findings else None,
        entries=read.entries,
        kinds=dict(read.kinds),
        answers=list(read.answers),
        exceptions_counted=read.exceptions_counted,
        exceptional=list(read.exceptional),
        exceptions=exceptions,
        next_after=next_after,
        may_decide=may,
        refusals=refusals,
        signatures=[_signature(one) for one in signatures],
    )


def open_findings(reader: Reader) -> list[Finding]:
    """Return the findings that the trail is late, while their reviews wait."""
    return [
        finding
        for finding in reader.find(Finding, rule=TRAIL_OVERDUE)
        if reader.require(TrailReview, finding.review).state == TrailReviewState.OPEN.value
    ]


def _choices(
    deployment: Deployment, review: TrailReview, actor: Actor
) -> tuple[list[str], dict[str, str]]:
    """Return what may be decided and why the rest may not; the reason is taken as given."""
    scope = Scope(organisation=deployment.home.config.organisation)
    known = lifecycle.options(
        TRAIL_REVIEW,
        TrailReviewState(review.state),
        rule_actor(actor, scope),
        facts_for(deployment, review, actor=actor, reason_given=True),
    )
    names = {command: decision.value for decision, command in COMMANDS.items()}
    may = [names[one.command] for one in known if one.refusal is None and one.command in names]
    refusals = {
        names[one.command]: one.refusal.reason
        for one in known
        if one.refusal is not None and one.command in names
    }
    return may, refusals


def _line(review: TrailReview, now_us: int) -> TrailReviewLine:
    return TrailReviewLine(
        review=review.id,
        first_seq=review.first_seq,
        last_seq=review.last_seq,
        families=review.families,
        state=review.state,
        exceptions=review.exceptions,
        opened_by=review.opened_by,
        opened_us=review.opened_us,
        due_us=review.due_us,
        decided_us=review.decided_us,
        overdue=review.state == TrailReviewState.OPEN.value and now_us > review.due_us,
    )


def _signature(signature: Signature) -> SignatureLine:
    return SignatureLine(
        printed_name=signature.printed_name,
        meaning=signature.meaning,
        signed_us=signature.signed_us,
        record_digest=signature.record_digest,
    )


LIST_TRAIL_REVIEWS = Operation(
    name="trail_review.list",
    request=ListTrailReviews,
    kinds=(),
    run=list_trail_reviews,
    repeated="reads only",
)
SHOW_TRAIL_REVIEW = Operation(
    name="trail_review.show",
    request=NameTrailReview,
    kinds=(),
    run=show_trail_review,
    repeated="reads only",
)
