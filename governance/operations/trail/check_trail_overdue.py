"""A trail that nobody reviewed is a finding, stored with its obligation in one write (P10, P12).

The finding is of the deployment and of no model, so it names none. Its obligation is the review of
the trail itself: the one that is open, or one that the clock opens in the same entry. Kinds that
were reviewed up to different entries are no one range, so each such group has a review of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from change_control import lifecycle
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch.trail_review import (
    EVERY,
    TRAIL_REVIEW,
    TrailReviewCommand,
    TrailReviewFacts,
    TrailReviewState,
)
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import MONITOR
from governance.operations.trail.coverage import (
    Coverage,
    coverage,
    due_of,
    groups_of,
    open_review_of,
)
from governance.operations.trail.list_trail_reviews import TRAIL_OVERDUE
from governance.operations.trail.review_trail import Range, new_review, range_of
from governance.registry.records import Finding, Record, TrailReview
from governance.storage.ports import Reader, Unit

CHECKERS = frozenset(
    {Role.REVIEWER, Role.REGULATORY, Role.AUDITOR, Role.ADMINISTRATOR, Role.SAFETY_OFFICER}
)


class CheckTrailOverdue(Request):
    """The trail, now."""


class TrailOverdueLine(Result):
    """A finding that was raised now, and the review that it obliges to."""

    finding: str
    review: str
    families: str


class TrailOverdue(Result):
    """What was raised now; what waits for a decision already is not raised twice."""

    raised: list[TrailOverdueLine]
    due_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Open reviews that are late and of which no finding says so, and ranges to be opened."""

    reviews: list[str]
    ranges: list[Range]


def check_trail_overdue(
    deployment: Deployment, actor: Actor, _request: CheckTrailOverdue
) -> TrailOverdue:
    """Raise it where it is so, on a person's demand."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(CHECKERS, scope, act="check whether the trail was reviewed")
    return raise_trail_overdue(deployment, demanded_by=actor.person)


def raise_trail_overdue(deployment: Deployment, *, demanded_by: str | None = None) -> TrailOverdue:
    """Raise a finding for each review that is late, and open those that nobody opened."""
    with deployment.reader() as reader:
        covered = coverage(deployment, reader)
        owed = _owed(deployment, reader, covered)
    if not owed.reviews and not owed.ranges:
        return TrailOverdue(raised=[], due_us=covered.due_us)
    notes = {} if demanded_by is None else {"demanded_by": demanded_by}
    known = list(covered.until)

    def raised(unit: Unit, review: TrailReview, *added: Record) -> TrailOverdueLine:
        finding = _finding(unit, review)
        unit.record(
            kind="trail.overdue", actor=MONITOR.person, add=[finding, *added], notes=dict(notes)
        )
        return TrailOverdueLine(finding=finding.id, review=review.id, families=review.families)

    def write(unit: Unit) -> TrailOverdue:
        lines = [
            raised(unit, review)
            for review in (unit.require(TrailReview, name) for name in owed.reviews)
            if review.state == TrailReviewState.OPEN.value and not _is_found(unit, review)
        ]
        for chosen in owed.ranges:
            if open_review_of(unit, chosen.families, known) is not None:
                continue  # somebody opened it meanwhile; the next check looks at it
            lifecycle.advance(
                TRAIL_REVIEW,
                None,
                TrailReviewCommand.OPEN,
                actor=MONITOR,
                facts=TrailReviewFacts(),
            )
            review = new_review(unit, deployment, chosen, known=known, by=MONITOR.person)
            lines.append(raised(unit, review, review))
        return TrailOverdue(raised=lines, due_us=covered.due_us)

    return deployment.pen.commit(write)


def _owed(deployment: Deployment, reader: Reader, covered: Coverage) -> Owed:
    now_us = deployment.clock.now_us()
    if not covered.overdue(now_us):
        return Owed(reviews=[], ranges=[])
    known = list(covered.until)
    late = {family for family, seq in covered.waits.items() if now_us > due_of(deployment, seq)}
    reading = {family: open_review_of(reader, family, known) for family in known}
    left = [
        review
        for family, review in reading.items()
        if review is not None and family in late and not _is_found(reader, review)
    ]
    groups = groups_of([family for family in known if reading[family] is None], covered)
    return Owed(
        reviews=sorted({review.id for review in left}),
        ranges=[
            range_of(
                deployment, covered, EVERY if group == known else " ".join(group), through=None
            )
            for group in groups
            if late & set(group)
        ],
    )


def _is_found(reader: Reader, review: TrailReview) -> bool:
    return bool(reader.find(Finding, rule=TRAIL_OVERDUE, review=review.id))


def _finding(unit: Unit, review: TrailReview) -> Finding:
    return Finding(
        id=unit.next_id(Finding, prefix="F"),
        model="",
        version="",
        rule=TRAIL_OVERDUE,
        monitor_run="",
        review=review.id,
        hold=None,
        raised_us=unit.now_us,
    )


CHECK_TRAIL_OVERDUE = Operation(
    name="trail_review.check_overdue",
    request=CheckTrailOverdue,
    kinds=("trail.overdue",),
    run=check_trail_overdue,
    repeated="raises nothing that waits for a decision already",
)
