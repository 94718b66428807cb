"""Calibration of probabilities: in the large, by a logistic line, and as a flexible curve.

Definition: with l = log(p/(1 - p)) of the stated probability p. In the large: the intercept a of
    logit P(y = 1) = a + l, zero where as many events come as were stated. The line: intercept and
    slope of logit P(y = 1) = a + b l; b < 1 means that extremes are overstated. The curve: the same
    with a restricted cubic spline of l in place of b l.
Formula: maximum likelihood by Newton's method; the influence of a row is A^-1 x (y - P) with A the
    observed information, so that sums by subject give the cluster-robust sandwich. Intervals: t
    quantile of (subjects of the rarer class) - (parameters) degrees. Observed/expected: log scale.
    Spline: four knots at the 5, 35, 65 and 95 % points of l (three at 10, 50, 90 below
    SPLINE_EVENTS subjects of the rarer class), linear beyond the outer knots; the band is
    pointwise.
Source: Cox (1958), Biometrika 45(3/4), 562-565; Miller, Langefeld, Tierney, Hui and McDonald
    (1993), Medical Decision Making 13(1), 49-58; Van Calster et al. (2016), Journal of Clinical
    Epidemiology 74, 167-176 (levels of calibration); Liang and Zeger (1986), Biometrika 73(1),
    13-22; Harrell, Regression Modeling Strategies, section 2.4.5 (knots).
Assumptions: as in `influence`; probabilities of 0 and 1 are read as EDGE and 1 - EDGE.
Failure modes: a line that is right on average hides a bend, so read the curve. Separation has no
    finite slope: undefined. Fewer than MINIMUM_EVENTS subjects of the rarer class: value without
    interval. The band holds point by point, not for the whole curve.
Cost: a dozen passes over the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate
from audits.performance.brier import Bins, bins_of, probabilities
from audits.performance.influence import (
    RARER,
    by_subject,
    measured,
    nothing,
    one_class,
    quantile,
    share_estimate,
    too_few,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

METHOD: Final = "logistic recalibration, sandwich by subject, t, v1"
METHOD_RATIO: Final = "observed over expected, log, influence by subject, t, v1"
MINIMUM_EVENTS: Final = 20
"""Subjects of each class below which the interval no longer covered its level in simulation."""
SPLINE_EVENTS: Final = 100
EDGE: Final = 1e-6
STEPS: Final = 60
KNOTS: Final = ((0.10, 0.50, 0.90), (0.05, 0.35, 0.65, 0.95))


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A logistic fit: `beta` (k) and the influences of the rows on it (n, k)."""

    beta: Floats
    influence: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The flexible curve on a grid of stated probabilities (g), with its pointwise band."""

    stated: Floats
    observed: Floats
    low: Floats
    high: Floats


def calibration(rows: Rows, *, level: float) -> tuple[Estimate, ...]:
    """Return calibration in the large, observed/expected, intercept and slope."""
    probabilities(rows)
    names = ("calibration_in_the_large", "calibration_intercept", "calibration_slope")
    if why := one_class(rows):
        return tuple(
            nothing(rows, metric=name, why=why, level=level, method=METHOD)
            for name in (*names, "observed_expected_ratio")
        )
    import numpy as np

    stated = logit(rows.score)
    ones = np.ones((rows.n, 1))
    large = logistic(ones, rows.label, offset=stated)
    line = None
    if np.ptp(stated) > 0:
        line = logistic(np.column_stack((ones, stated)), rows.label)
    found = [
        _coefficient(rows, name, fit, place, level=level)
        for name, fit, place in zip(names, (large, line, line), (0, 0, 1), strict=True)
    ]
    return (*found, _ratio(rows, level=level))


def flexible_curve(rows: Rows, *, level: float, points: int = 50) -> Curve | str:
    """Return the flexible calibration curve with its band, or why there is none.

    The grid runs over the central 98 % of the stated probabilities.
    """
    import numpy as np

    probabilities(rows)
    why = one_class(rows) or too_few(rows.rarer, MINIMUM_EVENTS, RARER)
    if why:
        return why
    stated = logit(rows.score)
    knots = np.unique(np.quantile(stated, KNOTS[rows.rarer >= SPLINE_EVENTS]))
    if knots.size < 3:
        return "the stated probabilities have too few different values for a curve"
    fit = logistic(_spline(stated, knots), rows.label)
    if fit is None:
        return "the outcome is separated, so the curve has no finite height"
    ends = np.quantile(stated, (0.01, 0.99))
    grid = np.linspace(ends[0], ends[1], points)
    design = _spline(grid, knots)
    sums = np.column_stack(
        [by_subject(column, rows.subject, subjects=rows.subjects) for column in fit.influence.T]
    )
    covariance = rows.subjects / (rows.subjects - 1) * (sums.T @ sums)
    centre = design @ fit.beta
    spread = np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design))
    half = quantile(level, df=rows.rarer - knots.size) * spread
    return Curve(
        stated=expit(grid),
        observed=expit(centre),
        low=expit(centre - half),
        high=expit(centre + half),
    )


def binned_curve(rows: Rows, *, bins: int, level: float) -> tuple[Bins, tuple[Estimate, ...]]:
    """Return bins of nearly equal size and the share of positives in each, with its interval."""
    probabilities(rows)
    found = bins_of(rows, bins=bins)
    return found, tuple(
        share_estimate(
            rows, metric=f"outcome_in_bin@{k + 1}", hit=rows.label, base=found.bin == k, level=level
        )
        for k in range(found.size.size)
    )


def logistic(
    design: Floats, label: NDArray[np.bool_], *, offset: Floats | None = None
) -> Fit | None:
    """Return the maximum-likelihood fit of `label` (n) on `design` (n, k); None if it diverges."""
    import numpy as np

    shift = np.zeros(label.size) if offset is None else offset
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        fitted = expit(design @ beta + shift)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        gradient = design.T @ (label - fitted)
        if not np.linalg.cond(information) < 1e12:
            return None
        step = np.linalg.solve(information, gradient)
        largest = float(np.abs(step).max())
        # a step is at most 4 on the logit scale of the design, so that Newton does not overshoot
        beta = beta + step * min(1.0, 4.0 / max(largest, 1e-300))
        if largest <= 1e-11 * max(1.0, float(np.abs(beta).max())):
            inverse = np.linalg.inv(information)
            return Fit(beta=beta, influence=(design * (label - fitted)[:, None]) @ inverse)
    return None


def logit(probability: Floats) -> Floats:
    """Return log(p/(1 - p)), with p cut to EDGE and 1 - EDGE."""
    import numpy as np

    inside = np.clip(probability, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def expit(x: Floats) -> Floats:
    """Return 1/(1 + exp(-x)) without overflow."""
    import numpy as np

    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)))


def _spline(x: Floats, knots: Floats) -> Floats:
    """Return the design (n, knots) of a restricted cubic spline: 1, x, and the bent columns."""
    import numpy as np

    def cubed(knot: float) -> Floats:
        return np.asarray(np.maximum(x - knot, 0.0) ** 3)

    last, before = float(knots[-1]), float(knots[-2])
    scale = (last - float(knots[0])) ** 2
    columns = [np.ones_like(x), x]
    for knot in knots[:-2]:
        bent = cubed(float(knot)) - cubed(before) * (last - knot) / (last - before)
        columns.append((bent + cubed(last) * (before - knot) / (last - before)) / scale)
    return np.column_stack(columns)


def _coefficient(rows: Rows, metric: str, fit: Fit | None, place: int, *, level: float) -> Estimate:
    if fit is None:
        why = "the stated probabilities do not differ, or they separate the outcome"
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD)
    return measured(
        rows,
        metric=metric,
        value=float(fit.beta[place]),
        influence=fit.influence[:, place],
        level=level,
        method=METHOD,
        df=max(1, rows.rarer - fit.beta.size),
        short=too_few(rows.rarer, MINIMUM_EVENTS, RARER),
    )


def _ratio(rows: Rows, *, level: float) -> Estimate:
    metric, expected = "observed_expected_ratio", float(rows.score.sum())
    if not math.isfinite(rows.positives / max(expected, 1e-300)) or expected < EDGE:
        why = "no event was expected at all"
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_RATIO)
    value = rows.positives / expected
    return measured(
        rows,
        metric=metric,
        value=value,
        influence=(rows.label - value * rows.score) / expected,
        level=level,
        method=METHOD_RATIO,
        scale="log",
        df=max(1, rows.rarer - 1),
        short=too_few(rows.rarer, MINIMUM_EVENTS, RARER),
    )
