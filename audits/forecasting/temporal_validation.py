"""Temporal validation of a forecaster under a protocol and criteria fixed beforehand (P4, P9).

Definition: model and baseline forecast from the same origins; their errors become estimates, the
    estimates meet the criteria, and the groups are compared. The report holds all of it, with the
    tables behind every chart.
Formula: see `rolling_origin`, `forecast_metrics`, `block_jackknife`, `conformal` and `groups`.
Source: Tashman (2000), International Journal of Forecasting 16(4), 437-450; the house rules on
    estimates and verdicts (P8).
Assumptions: the caller opens the panel once for a frozen protocol; this function cannot know.
Failure modes: several criteria multiply the chance that one fails by luck; estimates by step, by
    origin and by series describe, they do not decide. Reuse of one panel for many versions fits the
    versions to it: openings are budgeted elsewhere.
Cost: forecaster and baseline once for each origin and calibration origin; the statistics take well
    under two seconds for 12 series, 5 origins and 12 months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audits.criteria import Criterion, Judgement, judge, overall
from audits.errors import CalibrationTooSmall, ProtocolMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text, undefined
from audits.forecasting.conformal import BANDS, LEVELS, ConformalSpread, Shape, nested_conformal
from audits.forecasting.forecast_metrics import DEFAULT_LEVEL, METRICS, forecast_estimates
from audits.forecasting.groups import GroupComparison, NoSubgroup, compare_groups
from audits.forecasting.rolling_origin import Forecaster, RollingErrors, evaluate, origins
from audits.sources.series import Month, Panel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA = "temporal-report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalProtocol:
    """How the validation is run; frozen in the plan before the test data are opened (P4).

    With `calibration_origins` > 0, as many earlier origins (`calibration_step` apart, ending
    `calibration_step` before the first origin) calibrate conformal intervals for `coverages`, each
    origin from outcomes known at that origin and, with `calibration_window`, at most so many months
    old; with 0 the forecasters' own quantiles are judged.
    `seed` is the seed of the generator handed to `run`, recorded so that the run can be repeated.
    """

    origins: int
    horizon: int
    step: int
    seed: int
    replicates: int = 1000
    metrics: tuple[str, ...] = METRICS
    level: float = DEFAULT_LEVEL
    calibration_origins: int = 0
    calibration_step: int = 12
    coverages: tuple[str, ...] = LEVELS
    bands: tuple[int, ...] = BANDS
    shape: Shape = "signed"
    by_series: bool = False
    calibration_window: int | None = None

    def __post_init__(self) -> None:
        fault = ""
        if min(self.origins, self.horizon, self.step, self.calibration_step) < 1:
            fault = "origins, horizon and steps must be at least 1"
        elif self.calibration_origins < 0:
            fault = "calibration_origins is never negative"
        elif self.calibration_window is not None and self.calibration_window < 1:
            fault = "calibration_window is at least 1 month"
        elif not self.metrics or len(set(self.metrics)) != len(self.metrics):
            fault = "metrics are named once each, and at least one is"
        elif set(self.metrics) - set(METRICS):
            fault = f"unknown metrics {', '.join(sorted(set(self.metrics) - set(METRICS)))}"
        elif not 0 < self.level < 1:
            fault = "the level lies strictly between 0 and 1"
        if fault:
            raise ProtocolMalformed(
                fault, next_step="Correct the protocol before the plan is frozen."
            )

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain."""
        return {
            "origins": self.origins,
            "horizon": self.horizon,
            "step": self.step,
            "seed": self.seed,
            "replicates": self.replicates,
            "metrics": list(self.metrics),
            "level": decimal_text(self.level, digits=RECORD_DIGITS),
            "calibration_origins": self.calibration_origins,
            "calibration_step": self.calibration_step,
            "coverages": list(self.coverages),
            "bands": list(self.bands),
            "shape": self.shape,
            "by_series": self.by_series,
            "calibration_window": self.calibration_window,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One forecaster's errors at the evaluated origins and what they amount to."""

    errors: RollingErrors
    spreads: tuple[ConformalSpread, ...]
    estimates: tuple[Estimate, ...]
    by_step: tuple[Estimate, ...]
    by_origin: tuple[Estimate, ...]
    by_series: tuple[Estimate, ...]

    def as_record(self) -> dict[str, Json]:
        """Return estimates, tables and forecast paths in the JSON domain."""
        return {
            "estimates": _records(self.estimates),
            "by_step": _records(self.by_step),
            "by_origin": _records(self.by_origin),
            "by_series": _records(self.by_series),
            "spreads": [one.as_record() for one in self.spreads],
            "forecasts": self.errors.as_table(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalReport:
    """The outcome of one temporal validation, complete enough to draw every chart from."""

    protocol: TemporalProtocol
    criteria: tuple[Criterion, ...]
    series: tuple[tuple[str, str | None, Month, Month], ...]
    origins: tuple[Month, ...]
    calibration: tuple[Month, ...]
    model: Scored
    baseline: Scored
    groups: GroupComparison | NoSubgroup
    judgements: tuple[Judgement, ...]
    verdict: Verdict

    def as_record(self) -> dict[str, Json]:
        """Return the report in the JSON domain; the same run gives the same record."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol.as_record(),
            "criteria": [one.as_record() for one in self.criteria],
            "series": [
                {"key": key, "group": group, "start": str(start), "end": str(end)}
                for key, group, start, end in self.series
            ],
            "origins": [str(one) for one in self.origins],
            "calibration_origins": [str(one) for one in self.calibration],
            "model": self.model.as_record(),
            "baseline": self.baseline.as_record(),
            "groups": self.groups.as_record(),
            "judgements": [one.as_record() for one in self.judgements],
            "verdict": self.verdict.value,
        }


def run(
    panel: Panel,
    *,
    forecaster: Forecaster,
    baseline: Forecaster,
    protocol: TemporalProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
) -> TemporalReport:
    """Return the report of `forecaster` beside `baseline` on `panel`.

    `rng` is a fresh generator seeded with `protocol.seed`. Raises ProtocolMalformed where a
    criterion names a metric outside the protocol, before anything is forecast; CalibrationTooSmall
    where an origin has too few earlier outcomes for its intervals.
    """
    _check_criteria(criteria, protocol)
    tested, earlier = _origins(panel, protocol)
    theirs, their_spreads = _errors(panel, baseline, protocol, tested, earlier)
    ours, our_spreads = _errors(panel, forecaster, protocol, tested, earlier)
    model = _score(ours, our_spreads, protocol, baseline=theirs)
    reference = _score(theirs, their_spreads, protocol, baseline=theirs)
    groups = compare_groups(
        ours,
        metrics=protocol.metrics,
        replicates=protocol.replicates,
        rng=rng,
        baseline=theirs,
        level=protocol.level,
    )
    judgements = _judge(criteria, model.estimates, groups, protocol)
    return TemporalReport(
        protocol=protocol,
        criteria=tuple(criteria),
        series=tuple((one.key, one.group, one.start, one.end) for one in panel.series),
        origins=tested,
        calibration=earlier,
        model=model,
        baseline=reference,
        groups=groups,
        judgements=judgements,
        verdict=overall(judgements),
    )


def _check_criteria(criteria: Sequence[Criterion], protocol: TemporalProtocol) -> None:
    names = [one.id for one in criteria]
    strange = sorted({one.metric for one in criteria} - set(protocol.metrics))
    if strange or len(set(names)) != len(names):
        raise ProtocolMalformed(
            f"the protocol does not measure {', '.join(strange)}"
            if strange
            else "two criteria share an id",
            next_step="Correct protocol and criteria before the plan is frozen.",
        )


def _origins(
    panel: Panel, protocol: TemporalProtocol
) -> tuple[tuple[Month, ...], tuple[Month, ...]]:
    tested = origins(panel, count=protocol.origins, horizon=protocol.horizon, step=protocol.step)
    if protocol.calibration_origins == 0:
        return tested, ()
    earlier = origins(
        panel,
        count=protocol.calibration_origins,
        horizon=protocol.horizon,
        step=protocol.calibration_step,
        last=tested[0].plus(-protocol.calibration_step),
    )
    return tested, earlier


def _errors(
    panel: Panel,
    forecaster: Forecaster,
    protocol: TemporalProtocol,
    tested: tuple[Month, ...],
    earlier: tuple[Month, ...],
) -> tuple[RollingErrors, tuple[ConformalSpread, ...]]:
    errors = evaluate(
        panel, forecaster=forecaster, origins=(*earlier, *tested), horizon=protocol.horizon
    )
    if not earlier:
        return errors, ()
    nested = nested_conformal(
        errors,
        protocol.coverages,
        bands=protocol.bands,
        shape=protocol.shape,
        by_series=protocol.by_series,
        evaluated=tested,
        window_months=protocol.calibration_window,
    )
    if nested.uncalibrated or nested.errors is None:
        raise CalibrationTooSmall(
            f"too few outcomes were known at {', '.join(str(one) for one in nested.uncalibrated)} "
            "to calibrate the intervals",
            next_step="Use more calibration origins, fewer bands or a lower coverage.",
        )
    return nested.errors, nested.spreads


def _score(
    errors: RollingErrors,
    spreads: tuple[ConformalSpread, ...],
    protocol: TemporalProtocol,
    *,
    baseline: RollingErrors,
) -> Scored:
    def estimates(population: str, cells: NDArray[np.bool_] | None = None) -> tuple[Estimate, ...]:
        return forecast_estimates(
            errors,
            metrics=protocol.metrics,
            baseline=baseline,
            population=population,
            level=protocol.level,
            cells=cells,
        )

    steps = range(errors.horizon)
    return Scored(
        errors=errors,
        spreads=spreads,
        estimates=estimates("all"),
        by_step=tuple(
            one for h in steps for one in estimates(f"step {h + 1}", _cells(errors, step=h))
        ),
        by_origin=tuple(
            one
            for o, month in enumerate(errors.origins)
            for one in estimates(f"origin {month}", _cells(errors, origin=o))
        ),
        by_series=tuple(
            one
            for s, key in enumerate(errors.keys)
            for one in forecast_estimates(
                errors.select(series=[s]),
                metrics=protocol.metrics,
                baseline=baseline.select(series=[s]),
                population=f"series {key}",
                level=protocol.level,
            )
        ),
    )


def _cells(
    errors: RollingErrors, *, step: int | None = None, origin: int | None = None
) -> NDArray[np.bool_]:
    import numpy as np

    cells = np.zeros((len(errors.origins), errors.horizon), dtype=np.bool_)
    cells[slice(None) if origin is None else origin, slice(None) if step is None else step] = True
    return cells


def _judge(
    criteria: Sequence[Criterion],
    estimates: tuple[Estimate, ...],
    groups: GroupComparison | NoSubgroup,
    protocol: TemporalProtocol,
) -> tuple[Judgement, ...]:
    grouped = (
        (*groups.estimates, *groups.differences) if isinstance(groups, GroupComparison) else ()
    )
    found = {(one.metric, one.population): one for one in (*estimates, *grouped)}
    return tuple(
        judge(one, found.get((one.metric, one.population)) or _absent(one, groups, protocol))
        for one in criteria
    )


def _absent(
    criterion: Criterion, groups: GroupComparison | NoSubgroup, protocol: TemporalProtocol
) -> Estimate:
    """Return the undefined estimate of a population that the panel does not hold (P8)."""
    reason = groups.reason if isinstance(groups, NoSubgroup) else "the panel has no such group"
    return undefined(
        metric=criterion.metric,
        population=criterion.population,
        note=reason,
        level=protocol.level,
        n=0,
        unit="origin",
        method="none",
    )


def _records(estimates: Sequence[Estimate]) -> list[Json]:
    return [one.as_record() for one in estimates]
