"""Panels, forecasters and error arrays that tests build by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from audits.forecasting.rolling_origin import Forecaster, PathForecast, RollingErrors
from audits.sources.series import Month, MonthlySeries, Panel

Floats = NDArray[np.float64]
START = Month(2000, 1)


def series(key: str, values: list[float], *, group: str | None = None) -> MonthlySeries:
    return MonthlySeries(key=key, start=START, values=tuple(values), group=group)


def seasonal_panel(*, months: int = 120, groups: Mapping[str, str | None] | None = None) -> Panel:
    """Four seasonal series with a slow trend; no randomness."""
    members = groups or {"a": "one", "b": "one", "c": "two", "d": "two"}
    return Panel(
        series=tuple(
            series(
                key,
                [
                    100.0 * (i + 1) + 20.0 * np.sin(2 * np.pi * t / 12 + i) + 0.5 * t + (t * t % 7)
                    for t in range(months)
                ],
                group=group,
            )
            for i, (key, group) in enumerate(members.items())
        )
    )


def flat_forecaster(
    middle: Callable[[MonthlySeries], float] = lambda one: one.values[-1],
    *,
    spread: Mapping[str, float] | None = None,
) -> Forecaster:
    """A forecaster that repeats one number a series, with quantiles at the given factors."""
    factors = {"0.025": 0.8, "0.1": 0.9, "0.9": 1.1, "0.975": 1.2} if spread is None else spread

    def forecast(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        return {
            one.key: PathForecast(
                key=one.key,
                origin=one.end,
                median=(middle(one),) * horizon,
                quantiles={p: (middle(one) * x,) * horizon for p, x in factors.items()},
            )
            for one in panel.series
        }

    return forecast


def errors_of(
    actual: Floats,
    median: Floats,
    *,
    scale: Floats | None = None,
    quantiles: Mapping[str, Floats] | None = None,
    groups: tuple[str | None, ...] | None = None,
    step: int | None = None,
) -> RollingErrors:
    """Errors from arrays (series, origin, step), origins `step` (default: horizon) apart."""
    count, origins, horizon = actual.shape
    unit = np.ones((count, origins)) if scale is None else scale
    return RollingErrors(
        keys=tuple(f"s{i:04d}" for i in range(count)),
        groups=(None,) * count if groups is None else groups,
        origins=tuple(START.plus(i * (step or horizon)) for i in range(origins)),
        horizon=horizon,
        actual=actual.copy(),
        median=median.copy(),
        quantiles={} if quantiles is None else {p: x.copy() for p, x in quantiles.items()},
        scale=unit.copy(),
        scale_squared=np.square(unit),
    )


def autocorrelated(
    rng: np.random.Generator, *, shape: tuple[int, int, int], rho: float, common: float
) -> Floats:
    """Unit-variance AR(1) paths (repeat, series, month) with a share `common` of shared shocks."""
    repeats, _, months = shape
    shocks = np.sqrt(1 - common) * rng.standard_normal(shape)
    shocks += np.sqrt(common) * rng.standard_normal((repeats, 1, months))
    paths = np.empty(shape)
    paths[:, :, 0] = shocks[:, :, 0]
    for t in range(1, months):
        paths[:, :, t] = rho * paths[:, :, t - 1] + np.sqrt(1 - rho**2) * shocks[:, :, t]
    return paths


def simulated_errors(
    rng: np.random.Generator, *, repeats: int, count: int = 8, rho: float = 0.5, origins: int = 5
) -> list[RollingErrors]:
    """Seasonal demand with autocorrelated level, forecast by last year's month, `repeats` times."""
    history, horizon = 60, 12
    months = history + origins * horizon
    level = autocorrelated(rng, shape=(repeats, count, months), rho=rho, common=0.4)
    season = 0.3 * np.sin(2 * np.pi * np.arange(months) / 12)
    demand = 1000.0 * np.exp(season + 0.1 * level)
    starts = [history + o * horizon for o in range(origins)]
    result = []
    for one in demand:
        actual = np.stack([one[:, t : t + horizon] for t in starts], axis=1)
        median = np.stack([one[:, t - horizon : t] for t in starts], axis=1)
        scale = np.stack(
            [abs(one[:, 12:t] - one[:, : t - 12]).mean(axis=1) for t in starts], axis=1
        )
        result.append(errors_of(actual, median, scale=scale))
    return result
