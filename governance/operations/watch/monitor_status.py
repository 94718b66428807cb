"""When each monitor ran last, what it said, whether it is overdue: silence is a finding (P12)."""

from __future__ import annotations

from change_control.release.release import ReleaseState
from governance.deployment import Deployment
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.registry.records import MonitorRun, Release
from governance.storage.ports import Reader


class MonitorStatusRequest(Request):
    """Every monitor."""


class MonitorState(Result):
    """One released version and its last run; None where it has never been watched."""

    model: str
    version: str
    release: str
    monitor: str | None
    last_run: str | None
    last_run_us: int | None
    through_month: str | None
    verdict: str | None
    next_due_us: int | None
    overdue: bool


class MonitorStates(Result):
    """Monitors of every active release."""

    monitors: list[MonitorState]


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
        _state(reader, release, now_us)
        for release in reader.find(Release, state=ReleaseState.ACTIVE.value)
    ]


def _state(reader: Reader, release: Release, now_us: int) -> MonitorState:
    runs = reader.find(MonitorRun, version=release.version)
    last = runs[-1] if runs else None
    return MonitorState(
        model=release.model,
        version=release.version,
        release=release.id,
        monitor=last.monitor if last else None,
        last_run=last.id if last else None,
        last_run_us=last.run_us if last else None,
        through_month=last.through_month if last else None,
        verdict=last.verdict if last else None,
        next_due_us=last.next_due_us if last else None,
        overdue=last is not None and now_us > last.next_due_us,
    )


MONITOR_STATUS = Operation(
    name="monitor.status",
    request=MonitorStatusRequest,
    kinds=(),
    run=monitor_status,
    repeated="reads only",
)
