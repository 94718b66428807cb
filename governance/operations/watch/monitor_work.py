"""The computation of a monitor run: bytes in, bytes out, in whichever process computes.

The trigger is calibrated on the stable period that the plan names, with the plan's seed, on paths
as long as the months that its rate is declared for: a path's steps are of the same kind as those of
the released path that it judges. It is then run over the months since
the forecast origin whose outcomes are known for every series, or since the month that people have
decided upon. What is compared with the outcomes are the paths of the released artifact itself, not
a refit. The report names what decided: the instant that makes months mature, the deliveries, the
month after which the sums begin.

A report is permanent and the bodies of outcomes are erasable, so it repeats only what it compared:
values of the watched population's own series in the compared months, never another word (P13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from audits.estimate import Json, decimal_text
from audits.forecasting.conformal import ConformalSpread
from audits.forecasting.rolling_origin import Forecaster, PathForecast, evaluate
from audits.forecasting.trigger import (
    Stable,
    Trigger,
    TriggerRun,
    calibrate_trigger,
    monthly_errors,
    run_trigger,
)
from audits.sources.series import Month, MonthlySeries, Panel
from change_control.watch.monitoring import (
    Monitor,
    MonitoringPlan,
    mature_us,
    monitoring_plan_from_record,
)
from governance.errors import GovernanceError
from governance.ledger.core import canonical
from governance.operations.change.panel_blob import panel_from_record


class PopulationUnknown(GovernanceError):
    """A monitor names a population that the dataset does not hold."""

    code = "monitor.population_unknown"
    http_status = 422


class StablePeriodUnseen(GovernanceError):
    """The stable period of a monitor reaches past the forecast origin (P9)."""

    code = "monitor.stable_period_unseen"
    http_status = 422


FORMAT: Final = "monitor-report/1"
_NOT_REPORTED: Final = frozenset({"outcomes", "restart_after"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One released version to be watched: what it learnt from, what it says, what happened."""

    about: Mapping[str, Json]
    plan: MonitoringPlan
    history: Panel
    table: Mapping[str, Json]
    outcomes: Mapping[tuple[str, Month], float]
    now_us: int
    # Monitor -> the month that people have decided upon: the sums begin anew after it.
    restart_after: Mapping[str, Month] = field(default_factory=dict)


def watch(*, panel: bytes, artifact: bytes, plan: bytes, job: bytes) -> list[bytes]:
    """Return one report a monitor of the plan, in the plan's order, as canonical bytes."""
    from models.forecasting.method import conformal_spread, point_forecaster

    asked = _mapping(canonical.loads(job))
    task = Task(
        about={name: value for name, value in asked.items() if name not in _NOT_REPORTED},
        plan=monitoring_plan_from_record(canonical.loads(plan)),
        history=panel_from_record(canonical.loads(panel)),
        table=_mapping(canonical.loads(artifact)),
        outcomes=_latest(asked["outcomes"]),
        now_us=int(str(asked["now_us"])),
        restart_after={
            monitor: Month.parse(str(month))
            for monitor, month in _mapping(asked["restart_after"]).items()
        },
    )
    point = point_forecaster()
    spread = conformal_spread(task.history, point)
    return [_watched(task, monitor, point, spread) for monitor in task.plan.monitors]


def _watched(task: Task, monitor: Monitor, point: Forecaster, spread: ConformalSpread) -> bytes:
    series = _population(task.history, monitor.population)
    months = _months(series, task)
    trigger = _calibrated(series, monitor, point, spread)
    seen = _errors(series, task, months, monitor, spread)
    restart = task.restart_after.get(monitor.id, series.end)
    errors = {month: error for month, error in seen.items() if month > restart}
    run = run_trigger(
        trigger,
        errors,
        minimum_months=monitor.trigger.minimum_months,
        already=len(seen) - len(errors),
    )
    return canonical.dumps(_report(task, monitor, trigger, run, series=series, months=months))


def _population(history: Panel, population: str) -> Panel:
    """Return the series that a monitor watches: one by its key, a group, or all of them."""
    chosen = tuple(one for one in history.series if population in {"all", one.key, one.group})
    if not chosen:
        raise PopulationUnknown(
            f"the dataset has no series or group {population}",
            next_step="register a monitoring plan whose populations the dataset holds",
        )
    return Panel(series=chosen)


def _calibrated(
    series: Panel, monitor: Monitor, point: Forecaster, spread: ConformalSpread
) -> Trigger:
    """Calibrate on paths of the declared length, so that each stable month is seen once."""
    import numpy as np

    numbers = monitor.trigger
    first = Month.parse(str(numbers.stable.first_month))
    if first.plus(numbers.stable.months - 1) > series.end:
        raise StablePeriodUnseen(
            f"the stable period of {monitor.id} goes on after {series.end}, where the data end",
            next_step="register a monitoring plan whose stable period ends by the forecast origin",
        )
    starts = tuple(
        first.plus(months - 1) for months in range(0, numbers.stable.months, numbers.months)
    )
    errors = evaluate(series, forecaster=point, origins=starts, horizon=numbers.months)
    stable = monthly_errors(errors, spread, coverage=str(numbers.interval_coverage))
    return calibrate_trigger(
        Stable.of(stable, expected_block=numbers.expected_block_months),
        false_alarm_rate=float(numbers.false_alarm_rate),
        months=numbers.months,
        replicates=numbers.replicates,
        rng=np.random.default_rng(numbers.seed),
        reference=float(numbers.reference),
    )


def _latest(rows: Json) -> dict[tuple[str, Month], float]:
    """Return the value that counts for each series and month: the one recorded last."""
    found: dict[tuple[str, Month], float] = {}
    for row in rows if isinstance(rows, list) else []:
        one = _mapping(row)
        found[str(one["series"]), Month.parse(str(one["month"]))] = float(str(one["value"]))
    return found


def _months(series: Panel, task: Task) -> list[Month]:
    """Return the months after the origin, without a gap, that are mature for every series (P9)."""
    months: list[Month] = []
    month = series.end.plus(1)
    while (
        all((key, month) in task.outcomes for key in series.keys)
        and mature_us(task.plan, month) <= task.now_us
    ):
        months.append(month)
        month = month.plus(1)
    return months


def _errors(
    series: Panel, task: Task, months: list[Month], monitor: Monitor, spread: ConformalSpread
) -> dict[Month, float]:
    reach = min(len(months), int(str(task.table["horizon"])))
    if reach == 0:
        return {}
    seen = Panel(series=tuple(_extended(one, task.outcomes, months) for one in series.series))
    errors = evaluate(
        seen, forecaster=_served(task.table, series.end), origins=(series.end,), horizon=reach
    )
    return monthly_errors(errors, spread, coverage=str(monitor.trigger.interval_coverage))


def _extended(
    one: MonthlySeries, outcomes: Mapping[tuple[str, Month], float], months: list[Month]
) -> MonthlySeries:
    later = tuple(outcomes[one.key, month] for month in months)
    return MonthlySeries(
        key=one.key, start=one.start, values=(*one.values, *later), group=one.group
    )


def _served(table: Mapping[str, Json], origin: Month) -> Forecaster:
    """Return the released artifact as a forecaster: it says what it said at release."""
    rows = _mapping(table["series"])

    def forecaster(panel: Panel, horizon: int) -> dict[str, PathForecast]:
        return {
            key: PathForecast(
                key=key,
                origin=origin,
                median=_floats(_mapping(rows[key])["median"])[:horizon],
                quantiles={
                    level: _floats(path)[:horizon]
                    for level, path in _mapping(_mapping(rows[key])["quantiles"]).items()
                    if level != "0.5"
                },
            )
            for key in panel.keys
        }

    return forecaster


def _report(
    task: Task,
    monitor: Monitor,
    trigger: Trigger,
    run: TriggerRun,
    *,
    series: Panel,
    months: list[Month],
) -> dict[str, Json]:
    restart = task.restart_after.get(monitor.id)
    return {
        "format": FORMAT,
        "about": {**task.about, "monitor": monitor.id},
        "population": monitor.population,
        "origin": task.table["origin"],
        "through_month": str(months[-1]) if months else task.table["origin"],
        "restart_after": str(restart) if restart else None,
        "trigger": trigger.as_record(),
        "run": run.as_record(),
        "fired_at": str(run.fired_at) if run.fired_at else None,
        "verdict": run.verdict.value,
        "outcomes": [
            {
                "series": key,
                "month": str(month),
                "value": decimal_text(task.outcomes[key, month]),
            }
            for key in series.keys
            for month in months
        ],
        "forecasts": {
            key: {"median": _mapping(row)["median"], "quantiles": _mapping(row)["quantiles"]}
            for key, row in _mapping(task.table["series"]).items()
        },
    }


def _mapping(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise RuntimeError("a monitor's job is made of objects")
    return value


def _floats(path: Json) -> tuple[float, ...]:
    return tuple(float(str(value)) for value in path) if isinstance(path, list) else ()
