"""Run the monitors of the plan in force up to a ledger position, in one write (P10, P12).

Where a trigger fires, the report, the finding, the review with owner and due time, and the hold
are one entry: none of them can exist without the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from audits.estimate import Json
from change_control import lifecycle
from change_control.change.documents import DocumentKind
from change_control.release.hold import HOLD, HoldCommand, HoldFacts, HoldState
from change_control.release.release import ReleaseMode, ReleaseState
from change_control.roles import Role
from change_control.scope import Scope
from change_control.watch import obligation
from change_control.watch.monitoring import (
    Monitor,
    MonitoringPlan,
    monitoring_plan_from_record,
)
from change_control.watch.obligation import FindingKind, Obligation, obligation_of
from change_control.watch.review import ReviewKind, ReviewState
from governance.adapters.model_store import read_artifact
from governance.clock import DAY_US
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.operation import Operation, Request, Result
from governance.operations.rules import MONITOR, require_in_force
from governance.operations.watch.known_outcomes import outcomes_for
from governance.operations.watch.monitor_work import watch
from governance.registry.records import (
    Dataset,
    Document,
    Finding,
    Hold,
    MonitorRun,
    Record,
    Release,
    Review,
    Version,
)
from governance.storage.ports import Reader, Unit

_RUNNERS = frozenset({Role.MODEL_OWNER, Role.REVIEWER, Role.SAFETY_OFFICER})
MONTH_DAYS = 31


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


def run_monitor(deployment: Deployment, actor: Actor, request: RunMonitor) -> MonitorRuns:
    """Run every monitor of the plan over every version in full release."""
    scope = Scope(organisation=deployment.home.config.organisation)
    actor.require(_RUNNERS, scope, act="run monitors")
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
        size, _root = deployment.ledger.head()
    return [
        Watched(
            release=release,
            plan=document,
            monitor=monitor,
            content=content,
            through_seq=size - 1,
        )
        for release, inputs in jobs
        for monitor, content in zip(
            plan.monitors, deployment.compute.run(watch, **inputs), strict=True
        )
    ]


def plan_of(reader: Reader, document: Document) -> MonitoringPlan:
    """Return the monitoring plan that the document holds."""
    return monitoring_plan_from_record(canonical.loads(reader.blob(document.digest)))


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
    batches: list[Json] = [*sorted({row.batch for row in outcomes})]
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
                "artifact_sha256": version.digest,
                "dataset_sha256": dataset.digest,
                "batches": batches,
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
        next_due_us=unit.now_us + _grace_days(unit, watched) * DAY_US,
    )
    raised = _raised(unit, run, watched) if fired and _is_new(unit, watched) else None
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
        through_month=run.through_month,
        fired_at=str(report["fired_at"]) if fired else None,
        finding=raised.finding.id if raised else None,
        review=raised.review.id if raised else None,
        hold=raised.hold.id if raised and raised.hold else None,
        due_us=raised.review.due_us if raised else None,
        digest=run.digest,
    )


def _grace_days(reader: Reader, watched: Watched) -> int:
    return MONTH_DAYS + plan_of(reader, watched.plan).cadence.grace_days


def _is_new(reader: Reader, watched: Watched) -> bool:
    """Whether this monitor has no undecided finding on this version already."""
    return not any(
        reader.require(Review, finding.review).state != ReviewState.DECIDED.value
        for finding in reader.find(
            Finding, version=watched.release.version, rule=watched.monitor.id
        )
    )


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


def _raised(unit: Unit, run: MonitorRun, watched: Watched) -> Raised:
    owed = obligation_of(
        plan_of(unit, watched.plan),
        obligation.Finding(
            monitor=watched.monitor.id,
            kind=FindingKind.TRIGGERED,
            scope=Scope.parse(watched.release.scope),
        ),
        now_us=unit.now_us,
    )
    finding_id = unit.next_id(Finding, prefix="F")
    review_id = unit.next_id(Review, prefix="R")
    hold = _hold(unit, run, owed, review_id)
    return Raised(
        finding=Finding(
            id=finding_id,
            model=run.model,
            version=run.version,
            rule=run.monitor,
            monitor_run=run.id,
            review=review_id,
            hold=hold.id if hold else None,
            raised_us=unit.now_us,
        ),
        review=Review(
            id=review_id,
            kind=ReviewKind.FINDING.value,
            model=run.model,
            subject_type="finding",
            subject=finding_id,
            subject_digest=run.digest,
            state=ReviewState.OPEN.value,
            owner_role=owed.owner_role.value,
            opened_by=MONITOR.person,
            opened_us=unit.now_us,
            due_us=owed.due_us,
            blocks_release=owed.blocks_release,
            reason_code=f"monitor.{run.monitor}",
            decision=None,
            first_signer=None,
            decided_us=None,
        ),
        hold=hold,
    )


def _hold(unit: Unit, run: MonitorRun, owed: Obligation, review: str) -> Hold | None:
    if owed.hold is None:
        return None
    step = lifecycle.advance(HOLD, None, HoldCommand.PLACE, actor=MONITOR, facts=HoldFacts())
    return Hold(
        id=unit.next_id(Hold, prefix="H"),
        model=run.model,
        version=run.version,
        scope=str(owed.hold),
        cause=f"monitor.{run.monitor}",
        review=review,
        placed_by=MONITOR.person,
        placed_us=unit.now_us,
        state=HoldState(step.state).value,
        first_signer=None,
        lifted_us=None,
    )


RUN_MONITOR = Operation(
    name="monitor.run",
    request=RunMonitor,
    kinds=("monitor.ran",),
    run=run_monitor,
    repeated="records another run; an undecided finding is not raised twice",
)
