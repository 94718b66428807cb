"""A trail that nobody reviewed is a finding, stored with its obligation in one write (P10, P12).

The finding is of the deployment and of no model, so it names none. Its obligation is the review of
the trail itself: the one that is open, or one that the clock opens in the same entry.
"""

from __future__ import annotations

from change_control import lifecycle
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch.trail_review import (
    EVERY,
    TRAIL_REVIEW,
    TrailReviewCommand,
    TrailReviewFacts,
)
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import MONITOR
from governance.operations.trail.coverage import Coverage, coverage, open_review_of
from governance.operations.trail.list_trail_reviews import TRAIL_OVERDUE, open_finding
from governance.operations.trail.review_trail import new_review, range_of
from governance.registry.records import Finding, Record, TrailReview
from governance.storage.ports import Reader, Unit

CHECKERS = frozenset(
    {Role.REVIEWER, Role.REGULATORY, Role.AUDITOR, Role.ADMINISTRATOR, Role.SAFETY_OFFICER}
)


class CheckTrailOverdue(Request):
    """The trail, now."""


class TrailOverdue(Result):
    """The finding that was raised now and the review that it obliges to; None where none was."""

    finding: str | None
    review: str | None
    due_us: int | None


def check_trail_overdue(
    deployment: Deployment, actor: Actor, _request: CheckTrailOverdue
) -> TrailOverdue:
    """Raise it where it is so, on a person's demand."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(CHECKERS, scope, act="check whether the trail was reviewed")
    return raise_trail_overdue(deployment)


def raise_trail_overdue(deployment: Deployment) -> TrailOverdue:
    """Raise a finding where entries wait for too long and nothing says so yet."""
    with deployment.reader() as reader:
        covered = coverage(deployment, reader)
        if not _is_owed(reader, covered, deployment.clock.now_us()):
            return TrailOverdue(finding=None, review=None, due_us=covered.due_us)
        waiting = _waiting(reader, covered)
        late = _late_families(reader, covered)
    chosen = None
    if waiting is None:
        chosen = range_of(deployment, covered, late, through=None)

    def write(unit: Unit) -> TrailOverdue:
        if open_finding(unit) is not None:
            return TrailOverdue(finding=None, review=None, due_us=covered.due_us)
        added: list[Record] = []
        review = _waiting(unit, covered)
        if review is None and chosen is not None:
            lifecycle.advance(
                TRAIL_REVIEW,
                None,
                TrailReviewCommand.OPEN,
                actor=MONITOR,
                facts=TrailReviewFacts(),
            )
            known = list(covered.until)
            review = new_review(unit, deployment, chosen, known=known, by=MONITOR.person)
            added.append(review)
        if review is None:  # the one that was open was signed meanwhile: nothing is owed
            return TrailOverdue(finding=None, review=None, due_us=covered.due_us)
        finding = _finding(unit, review)
        unit.record(kind="trail.overdue", actor=MONITOR.person, add=[finding, *added])
        return TrailOverdue(finding=finding.id, review=review.id, due_us=covered.due_us)

    return deployment.pen.commit(write)


def _is_owed(reader: Reader, covered: Coverage, now_us: int) -> bool:
    return covered.overdue(now_us) and open_finding(reader) is None


def _waiting(reader: Reader, covered: Coverage) -> TrailReview | None:
    """Return the open review that reads the family that is late, if there is one."""
    return open_review_of(reader, str(covered.oldest_family), list(covered.until))


def _late_families(reader: Reader, covered: Coverage) -> str:
    """Return every family that waits from the same entry on, but those that are being reviewed."""
    known = list(covered.until)
    end = covered.until[str(covered.oldest_family)]
    late = sorted(
        family
        for family, until in covered.until.items()
        if until == end and open_review_of(reader, family, known) is None
    )
    return EVERY if late == sorted(known) else " ".join(late)


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
