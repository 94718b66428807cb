"""What a monitor did before over the same version in the same place: its runs and its findings.

A monitor watches one release, so its runs over the same version elsewhere are another story. Where
a run was made stands in its report.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.sources.series import Month
from change_control.watch.review import ReviewCommand, ReviewState
from governance.ledger.core import canonical
from governance.registry.records import Finding, MonitorRun, Release, Review
from governance.storage.ports import Reader

OVERDUE = "overdue."
"""What the rule of a finding about silence begins with; the monitor's id follows."""

_STARTS_ANEW = frozenset({ReviewCommand.REINSTATE.value, ReviewCommand.CLOSE.value})


def report_of(reader: Reader, run: MonitorRun) -> dict[str, object]:
    """Return the report of a run."""
    report = canonical.loads(reader.blob(run.digest))
    if not isinstance(report, dict):
        raise RuntimeError("a monitor wrote a report that is not an object")
    return dict(report)


def runs_over(reader: Reader, release: Release, monitor: str) -> list[MonitorRun]:
    """Return the monitor's runs over this release's version in its scope, oldest first."""
    return [
        run
        for run in reader.find(MonitorRun, version=release.version, monitor=monitor)
        if _scope_of(reader, run) == release.scope
    ]


def _scope_of(reader: Reader, run: MonitorRun) -> str | None:
    about = report_of(reader, run).get("about")
    return str(about["scope"]) if isinstance(about, dict) and "scope" in about else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding of a trigger with its run's months and its review."""

    finding: Finding
    review: Review
    through_month: str
    fired_at: str

    @property
    def is_decided(self) -> bool:
        """Whether somebody has decided upon it."""
        return self.review.state == ReviewState.DECIDED.value


def found_before(reader: Reader, release: Release, monitor: str) -> list[Found]:
    """Return what the monitor's trigger found over this version in this scope, oldest first."""
    runs = {run.id: run for run in runs_over(reader, release, monitor)}
    return [
        Found(
            finding=finding,
            review=reader.require(Review, finding.review),
            through_month=runs[finding.monitor_run].through_month,
            fired_at=str(report_of(reader, runs[finding.monitor_run])["fired_at"]),
        )
        for finding in reader.find(Finding, version=release.version, rule=monitor)
        if finding.monitor_run in runs
    ]


def restart_after(reader: Reader, release: Release, monitor: str) -> str | None:
    """Return the month up to which people have decided that the model goes on, if they have.

    A reinstatement, or closing where nothing was suspended, is a decision about the months that
    the finding had seen: the sums begin anew after them, or the next run would undo it.
    """
    months = [
        Month.parse(found.through_month)
        for found in found_before(reader, release, monitor)
        if found.is_decided and found.review.decision in _STARTS_ANEW
    ]
    return str(max(months)) if months else None


def is_new(reader: Reader, release: Release, monitor: str, *, fired_at: str) -> bool:
    """Whether nothing of this monitor waits for a decision, and nobody decided on this month."""
    return all(
        found.is_decided and found.fired_at != fired_at
        for found in found_before(reader, release, monitor)
    )
