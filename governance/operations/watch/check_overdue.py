"""A run that did not come is a finding too, stored with its obligation in one write (P10, P12)."""

from __future__ import annotations

from collections.abc import Mapping

from change_control.scope import Scope
from change_control.watch.obligation import FindingKind
from change_control.watch.review import ReviewState
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import MONITOR
from governance.operations.watch.monitor_status import Watch, next_due_us, watches
from governance.operations.watch.raised import raise_finding
from governance.operations.watch.watched_before import OVERDUE
from governance.registry.records import Finding, Review
from governance.storage.ports import Reader, Unit


class CheckOverdue(Request):
    """Every monitor, or those of one model."""

    model: str | None = None


class OverdueLine(Result):
    """A monitor whose run did not come, with what that obliges to."""

    monitor: str
    version: str
    release: str
    due_us: int
    finding: str
    review: str
    hold: str | None


class OverdueMonitors(Result):
    """What was raised now; what waits for a decision already is not raised twice."""

    raised: list[OverdueLine]


def check_overdue(deployment: Deployment, actor: Actor, request: CheckOverdue) -> OverdueMonitors:
    """Raise what is overdue, on a person's demand."""
    from governance.operations.watch.run_monitor import RUNNERS

    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(RUNNERS, scope, act="run monitors")
    raised = raise_overdue(deployment, model=request.model, demanded_by=actor.person)
    return OverdueMonitors(raised=raised)


def raise_overdue(
    deployment: Deployment, *, model: str | None = None, demanded_by: str | None = None
) -> list[OverdueLine]:
    """Raise a finding for each monitor that owes a run.

    The clock does, so no person acts; but who had it looked at is kept in the entry.
    """
    notes = {} if demanded_by is None else {"demanded_by": demanded_by}

    with deployment.reader() as reader:
        now_us = deployment.clock.now_us()
        if not any(_is_owed(reader, one, now_us) for one in watches(reader, model=model)):
            return []

    def write(unit: Unit) -> list[OverdueLine]:
        late = [one for one in watches(unit, model=model) if _is_owed(unit, one, unit.now_us)]
        return [_raise(unit, one, notes) for one in late]

    return deployment.pen.commit(write)


def _is_owed(reader: Reader, watch: Watch, now_us: int) -> bool:
    """Whether the run is late and nothing says so yet; after a decision, a month later again."""
    if now_us <= watch.due_us:
        return False
    for finding in reader.find(
        Finding, version=watch.release.version, rule=f"{OVERDUE}{watch.monitor}"
    ):
        review = reader.require(Review, finding.review)
        about = canonical.loads(reader.blob(review.subject_digest))
        if not isinstance(about, dict) or about.get("scope") != watch.release.scope:
            continue
        if review.state != ReviewState.DECIDED.value:
            return False
        if now_us <= next_due_us(watch.plan, after_us=finding.raised_us):
            return False
    return True


def _raise(unit: Unit, watch: Watch, notes: Mapping[str, str]) -> OverdueLine:
    digest = unit.put_blob(
        canonical.dumps(
            {
                "format": "overdue-report/1",
                "model": watch.release.model,
                "version": watch.release.version,
                "release": watch.release.id,
                "scope": watch.release.scope,
                "monitor": watch.monitor,
                "plan": watch.document.id,
                "last_run": watch.last.id if watch.last else None,
                "due_us": watch.due_us,
                "found_us": unit.now_us,
                "reason": f"No run of {watch.monitor} came by the time it was due.",
            }
        ),
        media_type="application/json",
    )
    raised = raise_finding(
        unit,
        watch.plan,
        watch.release,
        monitor=watch.monitor,
        kind=FindingKind.OVERDUE,
        run=watch.last.id if watch.last else "",
        digest=digest,
    )
    unit.record(kind="monitor.overdue", actor=MONITOR.person, add=raised.records, notes=dict(notes))
    return OverdueLine(
        monitor=watch.monitor,
        version=watch.release.version,
        release=watch.release.id,
        due_us=watch.due_us,
        finding=raised.finding.id,
        review=raised.review.id,
        hold=raised.hold.id if raised.hold else None,
    )


CHECK_OVERDUE = Operation(
    name="monitor.check_overdue",
    request=CheckOverdue,
    kinds=("monitor.overdue",),
    run=check_overdue,
    repeated="raises nothing that waits for a decision already",
)
