"""When each monitor ran last, what it said, whether it is overdue: silence is a finding (P12).

There is one rule of lateness, and it is here: a monitor owes a run a month and the plan's grace
after the release began or after its last run. Days are counted by the clock on the wall, because a
run that did not come is silence today, however old the data are that it would have read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from change_control.change.documents import DocumentKind
from change_control.release.release import ReleaseMode, ReleaseState
from change_control.watch.monitoring import MonitoringPlan, monitoring_plan_from_record
from governance.clock import DAY_US
from governance.deployment import Deployment
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import document_in_force
from governance.operations.watch.watched_before import runs_over
from governance.registry.records import Document, MonitorRun, Release
from governance.storage.ports import Reader

MONTH_DAYS = 31


class MonitorStatusRequest(Request):
    """Every monitor."""


class MonitorState(Result):
    """One monitor of one active release and its last run; None where it has never run."""

    model: str
    version: str
    release: str
    scope: str
    monitor: str
    last_run: str | None
    last_run_us: int | None
    through_month: str | None
    verdict: str | None
    next_due_us: int
    overdue: bool


class MonitorStates(Result):
    """Monitors of every active release."""

    monitors: list[MonitorState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A monitor of the plan in force over an active release."""

    release: Release
    document: Document
    plan: MonitoringPlan
    monitor: str
    last: MonitorRun | None
    due_us: int


def plan_of(reader: Reader, document: Document) -> MonitoringPlan:
    """Return the monitoring plan that the document holds."""
    return monitoring_plan_from_record(canonical.loads(reader.blob(document.digest)))


def next_due_us(plan: MonitoringPlan, *, after_us: int) -> int:
    """Return when the run after this instant is overdue, in UTC microseconds (P12)."""
    return after_us + (MONTH_DAYS + plan.cadence.grace_days) * DAY_US


def watches(reader: Reader, *, model: str | None = None) -> Iterator[Watch]:
    """Yield every monitor of the plan in force over every version in full release."""
    full = {"state": ReleaseState.ACTIVE.value, "mode": ReleaseMode.FULL.value}
    for release in reader.find(Release, **full):
        document = document_in_force(reader, kind=DocumentKind.MONITORING, model=release.model)
        if document is None or model not in {None, release.model}:
            continue
        plan = plan_of(reader, document)
        for monitor in plan.monitors:
            last = _last(reader, release, monitor.id)
            yield Watch(
                release=release,
                document=document,
                plan=plan,
                monitor=monitor.id,
                last=last,
                due_us=last.next_due_us if last else next_due_us(plan, after_us=release.from_us),
            )


def _last(reader: Reader, release: Release, monitor: str) -> MonitorRun | None:
    """Return the last run since the release began: an earlier release's run is not its own."""
    runs = [r for r in runs_over(reader, release, monitor) if r.run_us >= release.from_us]
    return runs[-1] if runs else None


def monitor_status(
    deployment: Deployment, actor: Actor, _request: MonitorStatusRequest
) -> MonitorStates:
    """Return the state of every monitor."""
    del actor
    with deployment.reader() as reader:
        return MonitorStates(monitors=states(reader, now_us=deployment.clock.now_us()))


def states(reader: Reader, *, now_us: int) -> list[MonitorState]:
    """Return the state of every monitor of every active release."""
    return [
        MonitorState(
            model=one.release.model,
            version=one.release.version,
            release=one.release.id,
            scope=one.release.scope,
            monitor=one.monitor,
            last_run=one.last.id if one.last else None,
            last_run_us=one.last.run_us if one.last else None,
            through_month=one.last.through_month if one.last else None,
            verdict=one.last.verdict if one.last else None,
            next_due_us=one.due_us,
            overdue=now_us > one.due_us,
        )
        for one in watches(reader)
    ]


MONITOR_STATUS = Operation(
    name="monitor.status",
    request=MonitorStatusRequest,
    kinds=(),
    run=monitor_status,
    repeated="reads only",
)
