"""A finding and a monitor's run: what fired, when, and what it obliges to (P10)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from governance.registry.records import Finding, Hold, MonitorRun, Review
from governance.reports.monitor_report import MonitorReport, read_monitor
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchView:
    """One run with its report, and the finding, review and hold that it led to, if any."""

    run: MonitorRun
    report: MonitorReport | None
    finding: Finding | None
    review: Review | None
    hold: Hold | None
    late: bool


def run_view(reader: Reader, name: str, *, now_us: int) -> WatchView:
    """Return one monitor run, or raise NotFound."""
    run = reader.require(MonitorRun, name)
    finding = next(iter(reader.find(Finding, monitor_run=name)), None)
    return _view(reader, run, finding, now_us=now_us)


def finding_view(reader: Reader, name: str, *, now_us: int) -> WatchView:
    """Return one finding with its run, or raise NotFound."""
    finding = reader.require(Finding, name)
    run = reader.require(MonitorRun, finding.monitor_run)
    return _view(reader, run, finding, now_us=now_us)


def _view(reader: Reader, run: MonitorRun, finding: Finding | None, *, now_us: int) -> WatchView:
    last = reader.find(MonitorRun, model=run.model, monitor=run.monitor)[-1]
    return WatchView(
        run=run,
        report=read_monitor(json.loads(reader.blob(run.digest))),
        finding=finding,
        review=reader.get(Review, finding.review) if finding else None,
        hold=reader.get(Hold, finding.hold) if finding and finding.hold else None,
        late=last.id == run.id and run.next_due_us < now_us,
    )
