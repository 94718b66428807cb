"""A finding and a monitor's run: what fired, when, and what it obliges to (P10)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from governance.operations.watch.monitor_status import states
from governance.operations.watch.watched_before import OVERDUE
from governance.registry.records import Finding, Hold, MonitorRun, Review
from governance.reports.monitor_report import MonitorReport, read_monitor
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchView:
    """One run with its report, and the finding, review and hold that it led to, if any.

    `run` is None where the finding is that none has come (P12).
    """

    run: MonitorRun | None
    report: MonitorReport | None
    finding: Finding | None
    review: Review | None
    hold: Hold | None
    late: bool
    reason: str
    planted: bool
    model: str
    version: str


def run_view(reader: Reader, name: str, *, now_us: int) -> WatchView:
    """Return one monitor run, or raise NotFound."""
    run = reader.require(MonitorRun, name)
    findings = reader.find(Finding, monitor_run=name, rule=run.monitor)
    return _view(reader, run, findings[0] if findings else None, now_us=now_us)


def finding_view(reader: Reader, name: str, *, now_us: int) -> WatchView:
    """Return one finding with its run, or raise NotFound."""
    finding = reader.require(Finding, name)
    if finding.rule.startswith(OVERDUE):
        return _silence(reader, finding)
    run = reader.require(MonitorRun, finding.monitor_run)
    return _view(reader, run, finding, now_us=now_us)


def _view(reader: Reader, run: MonitorRun, finding: Finding | None, *, now_us: int) -> WatchView:
    record = json.loads(reader.blob(run.digest))
    report = read_monitor(record)
    return WatchView(
        run=run,
        report=report,
        finding=finding,
        review=reader.get(Review, finding.review) if finding else None,
        hold=reader.get(Hold, finding.hold) if finding and finding.hold else None,
        late=any(one.overdue and one.last_run == run.id for one in states(reader, now_us=now_us)),
        reason=report.reason if report else "",
        planted=bool(record.get("about", {}).get("planted")),
        model=run.model,
        version=run.version,
    )


def _silence(reader: Reader, finding: Finding) -> WatchView:
    review = reader.require(Review, finding.review)
    return WatchView(
        run=None,
        report=None,
        finding=finding,
        review=review,
        hold=reader.get(Hold, finding.hold) if finding.hold else None,
        late=False,
        reason=str(json.loads(reader.blob(review.subject_digest))["reason"]),
        planted=False,
        model=finding.model,
        version=finding.version,
    )
