"""Reviews as a command or a program reads them."""

from __future__ import annotations

from change_control.watch.review import overdue
from governance.deployment import Deployment
from governance.errors import NotFound
from governance.operations.actor import Actor
from governance.operations.inspect.worklist import WAITING, WorkItem, worklist
from governance.operations.operation import Operation, Request, Result
from governance.operations.review.facts import choices
from governance.registry.records import Review, Signature
from governance.storage.ports import Reader


class ListReviews(Request):
    """What waits; `every` lists the decided ones too."""

    every: bool = False


class NameReview(Request):
    """One review."""

    review: str


class SignatureLine(Result):
    """A signature's manifestation: printed name, time and meaning (21 CFR 11.50)."""

    printed_name: str
    meaning: str
    signed_us: int
    record_digest: str


class ReviewLine(Result):
    """One review as it stands for the person who asks."""

    review: str
    kind: str
    model: str
    subject: str
    subject_digest: str
    state: str
    owner_role: str
    due_us: int
    overdue: bool
    decision: str | None
    may_decide: list[str]
    refusals: dict[str, str]
    signatures: list[SignatureLine]


class Reviews(Result):
    """Reviews; what is due first stands in front."""

    reviews: list[ReviewLine]


def list_reviews(deployment: Deployment, actor: Actor, request: ListReviews) -> Reviews:
    """List what waits, or everything."""
    with deployment.reader() as reader:
        waiting = worklist(
            reader,
            actor=actor,
            organisation=deployment.home.config.organisation,
            now_us=deployment.clock.now_us(),
        )
        lines = [_line(reader, item) for item in waiting]
        if request.every:
            known = {line.review for line in lines}
            decided = [review for review in reader.find(Review) if review.id not in known]
            lines += [
                _line(reader, WorkItem(review=review, choices=(), overdue=False))
                for review in decided
            ]
    return Reviews(reviews=lines)


def show_review(deployment: Deployment, actor: Actor, request: NameReview) -> ReviewLine:
    """Show one review with its signatures."""
    with deployment.reader() as reader:
        review = reader.get(Review, request.review)
        if review is None:
            raise NotFound(
                "there is no review of this name",
                next_step="see `vigil review list --every`",
            )
        organisation = deployment.home.config.organisation
        known = choices(reader, review, actor=actor, organisation=organisation)
        waits = review.state in {state.value for state in WAITING}
        late = waits and overdue(review.due_us, deployment.clock.now_us())
        return _line(reader, WorkItem(review=review, choices=tuple(known), overdue=late))


def _line(reader: Reader, item: WorkItem) -> ReviewLine:
    review = item.review
    signatures = reader.find(Signature, record_type=review.subject_type, record=review.subject)
    return ReviewLine(
        review=review.id,
        kind=review.kind,
        model=review.model,
        subject=review.subject,
        subject_digest=review.subject_digest,
        state=review.state,
        owner_role=review.owner_role,
        due_us=review.due_us,
        overdue=item.overdue,
        decision=review.decision,
        may_decide=[choice.command.value for choice in item.choices if choice.refusal is None],
        refusals={
            choice.command.value: choice.refusal for choice in item.choices if choice.refusal
        },
        signatures=[
            SignatureLine(
                printed_name=signature.printed_name,
                meaning=signature.meaning,
                signed_us=signature.signed_us,
                record_digest=signature.record_digest,
            )
            for signature in signatures
        ],
    )


LIST_REVIEWS = Operation(
    name="review.list", request=ListReviews, kinds=(), run=list_reviews, repeated="reads only"
)
SHOW_REVIEW = Operation(
    name="review.show", request=NameReview, kinds=(), run=show_review, repeated="reads only"
)
