"""Run the monitors of the plan in force up to a ledger position, in one write (P10, P12).

Where a trigger fires, the report, the finding, the review with owner and due time, and the hold
are one entry: none of them can exist without the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.estimate import Json
from change_control.change.documents import DocumentKind
from change_control.release.release import ReleaseMode, ReleaseState
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch.monitoring import Monitor, MonitoringPlan
from change_control.watch.obligation import FindingKind
from governance.adapters.model_store import read_artifact
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import require_in_force
from governance.operations.watch.check_overdue import raise_overdue
from governance.operations.watch.known_outcomes import outcomes_for
from governance.operations.watch.monitor_status import next_due_us, plan_of
from governance.operations.watch.monitor_work import watch
from governance.operations.watch.raised import Raised, raise_finding
from governance.operations.watch.watched_before import is_new, restart_after
from governance.registry.records import (
    Dataset,
    Document,
    MonitorRun,
    OutcomeBatch,
    Release,
    Version,
)
from governance.storage.ports import Reader, Unit

RUNNERS = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.SAFETY_OFFICER})


class RunMonitor(Request):
    """A model whose released versions are to be watched; `through` stops at that month."""

    model: str
    through: str | None = None


class MonitorLine(Result):
    """One monitor's run over one released version."""

    run: str
    monitor: str
    version: str
    release: str
    verdict: str
    reason: str
    planted: bool
    through_month: str
    fired_at: str | None
    finding: str | None
    review: str | None
    hold: str | None
    due_us: int | None
    digest: str


class MonitorRuns(Result):
    """What this command ran."""

    runs: list[MonitorLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A report over one release, not yet on record."""

    release: Release
    plan: Document
    monitor: Monitor
    content: bytes
    through_seq: int

    @property
    def report(self) -> dict[str, object]:
        """The report's members."""
        report = canonical.loads(self.content)
        if not isinstance(report, dict):
            raise RuntimeError("a monitor wrote a report that is not an object")
        return dict(report)

    @property
    def reason(self) -> str:
        """The verdict in a sentence."""
        run = self.report.get("run")
        return str(run["reason"]) if isinstance(run, dict) else ""

    @property
    def planted(self) -> bool:
        """Whether a demonstration made up outcomes that were read."""
        about = self.report["about"]
        return isinstance(about, dict) and about.get("planted") is True


def run_monitor(deployment: Deployment, actor: Actor, request: RunMonitor) -> MonitorRuns:
    """Run every monitor of the plan over every version in full release."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(RUNNERS, scope, act="run monitors")
    raise_overdue(deployment, model=request.model)  # a run that comes late was silence before
    watched = _watch_all(deployment, request)
    lines = [
        deployment.pen.commit(lambda unit, one=one: _store(unit, actor, one))  # type: ignore[misc]
        for one in watched
    ]
    return MonitorRuns(runs=lines)


def _watch_all(deployment: Deployment, request: RunMonitor) -> list[Watched]:
    with deployment.reader() as reader:
        document = require_in_force(reader, kind=DocumentKind.MONITORING, model=request.model)
        plan = plan_of(reader, document)
        releases = reader.find(
            Release,
            model=request.model,
            state=ReleaseState.ACTIVE.value,
            mode=ReleaseMode.FULL.value,
        )
        if not releases:
            raise Conflict(
                f"{request.model} has no active release to watch",
                next_step="release a version first: `vigil change release`",
            )
        jobs = [
            (release, _inputs(reader, deployment, release, plan, request.through))
            for release in releases
        ]
        # The same state as the rows: what an entry recorded meanwhile was not read.
        through_seq = reader.last_seq()
    return [
        Watched(
            release=release,
            plan=document,
            monitor=monitor,
            content=content,
            through_seq=through_seq,
        )
        for release, inputs in jobs
        for monitor, content in zip(
            plan.monitors, deployment.compute.run(watch, **inputs), strict=True
        )
    ]


def _inputs(
    reader: Reader,
    deployment: Deployment,
    release: Release,
    plan: MonitoringPlan,
    through: str | None,
) -> dict[str, bytes]:
    version = reader.require(Version, release.version)
    dataset = reader.require(Dataset, version.dataset)
    outcomes = outcomes_for(reader, release, through=through)
    batches = [reader.require(OutcomeBatch, name) for name in {row.batch for row in outcomes}]
    listed: list[Json] = [
        {"batch": batch.id, "planted": batch.planted}
        for batch in sorted(batches, key=lambda batch: (batch.known_us, batch.id))
    ]
    restarts: dict[str, Json] = {
        monitor.id: month
        for monitor in plan.monitors
        if (month := restart_after(reader, release, monitor.id)) is not None
    }
    return {
        "panel": reader.blob(dataset.digest),
        "artifact": read_artifact(
            root=deployment.home.artifacts_dir, uri=version.artifact_uri, digest=version.digest
        ),
        "plan": canonical.dumps(plan.as_record()),
        "job": canonical.dumps(
            {
                "model": release.model,
                "version": version.id,
                "release": release.id,
                "scope": release.scope,
                "artifact_sha256": version.digest,
                "dataset_sha256": dataset.digest,
                "batches": listed,
                "planted": any(batch.planted for batch in batches),
                "restart_after": restarts,
                "now_us": deployment.clock.now_us(),
                "outcomes": [
                    {"series": row.series, "month": row.month, "value": row.value}
                    for row in outcomes
                ],
            }
        ),
    }


def _store(unit: Unit, actor: Actor, watched: Watched) -> MonitorLine:
    report = watched.report
    fired = report["fired_at"] is not None
    run = MonitorRun(
        id=unit.next_id(MonitorRun, prefix="M"),
        model=watched.release.model,
        version=watched.release.version,
        monitor=watched.monitor.id,
        plan=watched.plan.id,
        through_month=str(report["through_month"]),
        through_seq=watched.through_seq,
        digest=unit.put_blob(watched.content, media_type="application/json"),
        verdict=str(report["verdict"]),
        run_by=actor.person,
        run_us=unit.now_us,
        next_due_us=next_due_us(plan_of(unit, watched.plan), after_us=unit.now_us),
    )
    raised = _raised(unit, run, watched) if fired else None
    unit.record(
        kind="monitor.ran",
        actor=actor.person,
        add=[run, *(raised.records if raised else [])],
    )
    return MonitorLine(
        run=run.id,
        monitor=run.monitor,
        version=run.version,
        release=watched.release.id,
        verdict=run.verdict,
        reason=watched.reason,
        planted=watched.planted,
        through_month=run.through_month,
        fired_at=str(report["fired_at"]) if fired else None,
        finding=raised.finding.id if raised else None,
        review=raised.review.id if raised else None,
        hold=raised.hold.id if raised and raised.hold else None,
        due_us=raised.review.due_us if raised else None,
        digest=run.digest,
    )


def _raised(unit: Unit, run: MonitorRun, watched: Watched) -> Raised | None:
    """Return the finding of a run that fired, where it is a new one."""
    release, monitor = watched.release, watched.monitor.id
    if not is_new(unit, release, monitor, fired_at=str(watched.report["fired_at"])):
        return None
    return raise_finding(
        unit,
        plan_of(unit, watched.plan),
        release,
        monitor=monitor,
        kind=FindingKind.TRIGGERED,
        run=run.id,
        digest=run.digest,
    )


RUN_MONITOR = Operation(
    name="monitor.run",
    request=RunMonitor,
    kinds=("monitor.overdue", "monitor.ran"),
    run=run_monitor,
    repeated="records another run; what waits, or was decided for its month, is not raised",
)
