"""A finding with its obligation: records that are stored together or not at all (P10)."""

from __future__ import annotations

from dataclasses import dataclass

from change_control import lifecycle
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.scope import Scope
from change_control.watch import obligation
from change_control.watch.monitoring import MonitoringPlan
from change_control.watch.obligation import FindingKind, Obligation, obligation_of
from change_control.watch.review import ReviewKind, ReviewState
from governance.operations.rules import MONITOR
from governance.operations.watch.watched_before import OVERDUE
from governance.registry.records import Finding, Hold, Record, Release, Review
from governance.storage.ports import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A finding with its obligation (P10)."""

    finding: Finding
    review: Review
    hold: Hold | None

    @property
    def records(self) -> list[Record]:
        """The records to be added in one entry."""
        return [self.finding, self.review, *([self.hold] if self.hold else [])]


def raise_finding(
    unit: Unit,
    plan: MonitoringPlan,
    release: Release,
    *,
    monitor: str,
    kind: FindingKind,
    run: str,
    digest: str,
) -> Raised:
    """Return the finding with the review and the hold that the plan asks for.

    `digest` names the report that is decided upon; `run` is empty where no run has come.
    """
    scope = Scope.parse(release.scope)
    found = obligation.Finding(monitor=monitor, kind=kind, scope=scope)
    owed = obligation_of(plan, found, now_us=unit.now_us)
    rule = f"{OVERDUE}{monitor}" if kind is FindingKind.OVERDUE else monitor
    finding_id = unit.next_id(Finding, prefix="F")
    review_id = unit.next_id(Review, prefix="R")
    hold = _hold(unit, release, owed, cause=f"monitor.{rule}", review=review_id)
    return Raised(
        finding=Finding(
            id=finding_id,
            model=release.model,
            version=release.version,
            rule=rule,
            monitor_run=run,
            review=review_id,
            hold=hold.id if hold else None,
            raised_us=unit.now_us,
        ),
        review=Review(
            id=review_id,
            kind=ReviewKind.FINDING.value,
            model=release.model,
            subject_type="finding",
            subject=finding_id,
            subject_digest=digest,
            state=ReviewState.OPEN.value,
            owner_role=owed.owner_role.value,
            opened_by=MONITOR.person,
            opened_us=unit.now_us,
            due_us=owed.due_us,
            blocks_release=owed.blocks_release,
            reason_code=f"monitor.{rule}",
            decision=None,
            first_signer=None,
            decided_us=None,
        ),
        hold=hold,
    )


def _hold(
    unit: Unit, release: Release, owed: Obligation, *, cause: str, review: str
) -> Hold | None:
    if owed.hold is None:
        return None
    step = lifecycle.advance(HOLD, None, HoldCommand.PLACE, actor=MONITOR, facts=HoldFacts())
    return Hold(
        id=unit.next_id(Hold, prefix="H"),
        model=release.model,
        version=release.version,
        scope=str(owed.hold),
        cause=cause,
        review=review,
        placed_by=MONITOR.person,
        placed_us=unit.now_us,
        state=HoldState(step.state).value,
        first_signer=None,
        lifted_us=None,
    )
