"""Metrics of monthly forecasts, each an estimate whose n is the number of independent blocks.

Definition and formula (a = actual, m = median, s, o, h = series, origin, step; sums over cells):
    mase            mean of |m - a| / scale(s, o)
    rmsse           mean over (s, o) of sqrt(mean over h of (m - a)^2 / scale_squared(s, o))
    wape            sum |m - a| / sum a
    pinball         mean over cells and quantile levels p of rho_p(a - q_p) / scale(s, o), with
                    rho_p(u) = max(p u, (p - 1) u)
    coverage_80/95  share of cells with q_low <= a <= q_high
    bias            sum (m - a) / sum a; positive = too much was forecast
    under_forecast  sum max(a - m, 0) / sum a: the share of demand that the forecast left unserved
    skill_wape      1 - wape / wape of the baseline on the same cells
Source: Hyndman and Koehler (2006), International Journal of Forecasting 22(4), 679-688, section 2.4
    (MASE); Makridakis, Spiliotis and Assimakopoulos (2022), International Journal of Forecasting
    38(4), 1325-1336 and 1365-1385 (RMSSE, scaled pinball loss; their scale is the lag-1 difference,
    ours the lag-12 difference of that origin's training window); Kolassa and Schutz (2007),
    Foresight 6, 40-43 (WAPE, there MAD/mean).
Assumptions: totals of the actuals are positive; see `block_jackknife` for the intervals.
Failure modes: one zero scale makes mase, rmsse and pinball undefined for the whole population, with
    the series named: leaving it out would change what is measured (P8). Interval coverage pooled
    over series can hide one series that is never covered; the per-series table shows it.
Cost: (blocks + 1) passes over the cells for each metric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import ForecastMalformed, ProtocolMalformed
from audits.estimate import Estimate
from audits.forecasting.block_jackknife import Blocks, Jackknife, blocks_of, estimate_of, jackknife
from audits.forecasting.rolling_origin import RollingErrors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]

DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    """How one metric is computed on masked cells, its possible range, and why it may not exist."""

    compute: Callable[[RollingErrors, Mask], float | None]
    bounds: tuple[float, float]
    missing: Callable[[RollingErrors], str]


def forecast_estimates(
    errors: RollingErrors,
    *,
    metrics: Sequence[str],
    baseline: RollingErrors | None = None,
    population: str = "all",
    level: float = DEFAULT_LEVEL,
    cells: Mask | None = None,
) -> tuple[Estimate, ...]:
    """Return one estimate for each named metric, in the order asked.

    `skill_wape` compares with `baseline` on the same cells and is undefined without one. `cells`
    restricts to part of the (origin, step) grid. Raises ProtocolMalformed for an unknown metric.
    """
    blocks = blocks_of(errors) if cells is None else blocks_of(errors).within(cells)
    return tuple(
        _estimate(errors, name, baseline, blocks, population=population, level=level)
        for name in metrics
    )


def _estimate(
    errors: RollingErrors,
    metric: str,
    baseline: RollingErrors | None,
    blocks: Blocks,
    *,
    population: str,
    level: float,
) -> Estimate:
    knife = metric_jackknife(errors, metric, baseline=baseline, blocks=blocks)
    note = why_undefined(errors, metric, baseline=baseline)
    if knife.value is not None:
        note = describe(errors, cells=blocks.cells)
    return estimate_of(
        knife,
        blocks,
        metric=metric,
        population=population,
        level=level,
        bounds=bounds_of(metric),
        note=note,
    )


def metric_jackknife(
    errors: RollingErrors, metric: str, *, baseline: RollingErrors | None, blocks: Blocks
) -> Jackknife:
    """Return the value of `metric` and the influence of each block."""
    return jackknife(lambda mask: metric_value(errors, metric, mask, baseline=baseline), blocks)


def metric_value(
    errors: RollingErrors, metric: str, mask: Mask, *, baseline: RollingErrors | None = None
) -> float | None:
    """Return `metric` on the (origin, step) cells of `mask`; None where it is undefined."""
    if metric == SKILL:
        return _skill(errors, baseline, mask)
    return _known(metric).compute(errors, mask)


def bounds_of(metric: str) -> tuple[float, float]:
    """Return the range the metric cannot leave, to which intervals are cut."""
    return (float("-inf"), 1.0) if metric == SKILL else _known(metric).bounds


def why_undefined(
    errors: RollingErrors, metric: str, *, baseline: RollingErrors | None = None
) -> str:
    """Return the sentence saying why `metric` has no value on `errors`; empty where it has one."""
    if metric != SKILL:
        return _known(metric).missing(errors)
    if baseline is None:
        return "there is no baseline to compare with"
    _same_cells(errors, baseline)
    perfect = not (abs(baseline.median - baseline.actual) > 0).any()
    return "the baseline makes no error" if perfect else _no_demand(errors)


def describe(errors: RollingErrors, *, cells: int | None = None) -> str:
    """Return the words that say how many errors stand behind an estimate.

    `cells` counts the (origin, step) cells used, by default all of them.
    """
    used = len(errors.origins) * errors.horizon if cells is None else cells
    return f"{used * len(errors.keys)} monthly errors of {len(errors.keys)} series"


def interval_levels(coverage: str) -> tuple[str, str]:
    """Return the two quantile levels of a central interval: "0.8" gives ("0.1", "0.9")."""
    tail = (1 - Decimal(coverage)) / 2
    return f"{tail.normalize():f}", f"{(1 - tail).normalize():f}"


def inside(errors: RollingErrors, coverage: str) -> Mask:
    """Return for every (series, origin, step) whether the interval held the outcome."""
    low, high = interval_levels(coverage)
    absent = sorted({low, high} - set(errors.quantiles))
    if absent:
        raise ForecastMalformed(
            f"the forecasts have no quantile {absent[0]}",
            next_step="Let the forecaster give both limits of the interval.",
        )
    actual = errors.actual
    return (errors.quantiles[low] <= actual) & (actual <= errors.quantiles[high])


# --- the formulas; each takes the errors and a mask over the (origin, step) grid -----------------


def _mase(errors: RollingErrors, mask: Mask) -> float | None:
    if not (errors.scale > 0).all():
        return None
    return _mean(abs(errors.median - errors.actual) / errors.scale[:, :, None], mask)


def _rmsse(errors: RollingErrors, mask: Mask) -> float | None:
    import numpy as np

    if not (errors.scale_squared > 0).all():
        return None
    used = mask.any(axis=1)
    squares = np.square(errors.median - errors.actual) / errors.scale_squared[:, :, None]
    by_path = (squares * mask).sum(axis=2)[:, used] / mask.sum(axis=1)[used]
    return float(np.sqrt(by_path).mean()) if used.any() else None


def _pinball(errors: RollingErrors, mask: Mask) -> float | None:
    import numpy as np

    if not errors.quantiles or not (errors.scale > 0).all():
        return None
    total = np.zeros_like(errors.actual)
    for level, path in errors.quantiles.items():
        p, gap = float(level), errors.actual - path
        total += np.maximum(p * gap, (p - 1.0) * gap)
    return _mean(total / (len(errors.quantiles) * errors.scale[:, :, None]), mask)


def _wape(errors: RollingErrors, mask: Mask) -> float | None:
    return _share(abs(errors.median - errors.actual), errors, mask)


def _bias(errors: RollingErrors, mask: Mask) -> float | None:
    return _share(errors.median - errors.actual, errors, mask)


def _under_forecast(errors: RollingErrors, mask: Mask) -> float | None:
    return _share((errors.actual - errors.median).clip(min=0.0), errors, mask)


def _coverage(coverage: str) -> Callable[[RollingErrors, Mask], float | None]:
    def compute(errors: RollingErrors, mask: Mask) -> float | None:
        if _no_limits(coverage)(errors):
            return None
        return _mean(inside(errors, coverage).astype(float), mask)

    return compute


def _skill(errors: RollingErrors, baseline: RollingErrors | None, mask: Mask) -> float | None:
    if baseline is None:
        return None
    _same_cells(errors, baseline)
    ours, theirs = _wape(errors, mask), _wape(baseline, mask)
    return None if ours is None or not theirs else 1.0 - ours / theirs


def _mean(cells: Floats, mask: Mask) -> float | None:
    return float(cells[:, mask].mean()) if mask.any() else None


def _share(cells: Floats, errors: RollingErrors, mask: Mask) -> float | None:
    demand = float(errors.actual[:, mask].sum())
    return float(cells[:, mask].sum()) / demand if demand > 0 else None


def _same_cells(errors: RollingErrors, baseline: RollingErrors) -> None:
    import numpy as np

    same = (errors.keys, errors.origins) == (baseline.keys, baseline.origins)
    if not same or not np.array_equal(errors.actual, baseline.actual):
        raise ProtocolMalformed(
            "model and baseline were not evaluated on the same series, origins and outcomes",
            next_step="Evaluate both with the same panel, origins and horizon.",
        )


# --- why a metric may not exist ------------------------------------------------------------------


def _no_demand(errors: RollingErrors) -> str:
    return "" if errors.actual.sum() > 0 else "the actual values do not add up to more than zero"


def _no_scale(errors: RollingErrors) -> str:
    flat = [
        key for key, row in zip(errors.keys, errors.scale, strict=True) if not (row > 0.0).all()
    ]
    return f"the training history of {', '.join(flat)} has a seasonal scale of zero" if flat else ""


def _no_quantiles(errors: RollingErrors) -> str:
    return _no_scale(errors) if errors.quantiles else "the forecasts have no quantiles"


def _no_limits(coverage: str) -> Callable[[RollingErrors], str]:
    def missing(errors: RollingErrors) -> str:
        absent = sorted(set(interval_levels(coverage)) - set(errors.quantiles))
        return f"the forecasts have no quantile {absent[0]}" if absent else ""

    return missing


_POSITIVE = (0.0, float("inf"))

_TABLE = {
    "mase": _Metric(compute=_mase, bounds=_POSITIVE, missing=_no_scale),
    "rmsse": _Metric(compute=_rmsse, bounds=_POSITIVE, missing=_no_scale),
    "wape": _Metric(compute=_wape, bounds=_POSITIVE, missing=_no_demand),
    "pinball": _Metric(compute=_pinball, bounds=_POSITIVE, missing=_no_quantiles),
    "coverage_80": _Metric(compute=_coverage("0.8"), bounds=(0.0, 1.0), missing=_no_limits("0.8")),
    "coverage_95": _Metric(
        compute=_coverage("0.95"), bounds=(0.0, 1.0), missing=_no_limits("0.95")
    ),
    "bias": _Metric(compute=_bias, bounds=(float("-inf"), float("inf")), missing=_no_demand),
    "under_forecast": _Metric(compute=_under_forecast, bounds=_POSITIVE, missing=_no_demand),
}

SKILL = "skill_wape"
METRICS = (*_TABLE, SKILL)
"""Every metric of this file, in the order reports show them."""


def _known(metric: str) -> _Metric:
    if metric not in _TABLE:
        raise ProtocolMalformed(
            f"there is no forecast metric {metric!r}",
            next_step=f"Choose from {', '.join(METRICS)}.",
        )
    return _TABLE[metric]
