"""Intervals from influences: what each row adds to a measure, summed over its subject.

Definition: the influence of a row is how far the estimate moves, to first order, because that row
    is there. Subjects are independent and rows of one subject are not, so influences are summed by
    subject before they are squared.
Formula: with S_g the sum of the influences of subject g, of G subjects, se^2 = G/(G - 1) * sum of
    S_g^2. The interval is v -/+ q se on the scale on which the estimate is closest to normal:
    identity, log (ratios), or logit (shares): g(v) -/+ q se g'(v), back-transformed. q is the
    normal quantile, or the t quantile with the degrees of freedom given.
Source: Huber (1981), Robust Statistics, section 1.4 (influence); Liang and Zeger (1986), Biometrika
    73(1), 13-22 (sums by cluster).
Assumptions: subjects are independent and enough that the sum of their influences is near normal.
Failure modes: few subjects with the rarer outcome: the linear term no longer carries the estimate.
    Every measure names a floor below which it shows its value without an interval.
Cost: one pass over the rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.intervals.clustered import ClusteredShare, clustered_estimate
from audits.intervals.proportion import proportion_estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

Scale: TypeAlias = Literal["identity", "log", "logit"]

MINIMUM_CLUSTERS: Final = 10
"""Subjects below which no interval is made from influences: a variance of fewer is a guess."""


MINIMUM_REPLICATES: Final = 20
EXPONENT_MAX: Final = 700.0
"""exp() of more than this is beyond floats."""
RARER: Final = "subjects of the rarer class"


def by_subject(values: Floats, subject: Ints, *, subjects: int) -> Floats:
    """Return the sums (subjects) of `values` (n) over `subject` (n codes)."""
    import numpy as np

    return np.bincount(subject, weights=values, minlength=subjects).astype(np.float64, copy=False)


def standard_error(influence: Floats, subject: Ints, *, subjects: int, active: int) -> float:
    """Return the standard error from row influences (n); `active` subjects can contribute."""
    if active < 2:
        return 0.0
    sums = by_subject(influence, subject, subjects=subjects)
    return math.sqrt(active / (active - 1) * float(sums @ sums))


def quantile(level: float, *, df: int | None = None) -> float:
    """Return the two-sided quantile of the normal distribution, or of t with `df` degrees."""
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    return float(ndtri(upper) if df is None else stdtrit(df, upper))


def limits(
    value: float, se: float, *, level: float, scale: Scale = "identity", df: int | None = None
) -> tuple[float, float]:
    """Return the limits of `value` with standard error `se` on `scale`.

    `value` lies inside the scale's range: above 0 for log, between 0 and 1 for logit. The upper
    limit is infinite where its logarithm is beyond floats.
    """
    q = quantile(level, df=df)
    if scale == "log":
        half = q * se / value
        high = value * math.exp(half) if half < EXPONENT_MAX else math.inf
        return value * math.exp(-half), high
    if scale == "logit":
        centre, half = math.log(value / (1 - value)), q * se / (value * (1 - value))
        return _expit(centre - half), _expit(centre + half)
    return value - q * se, value + q * se


def share_estimate(rows: Rows, *, metric: str, hit: Bools, base: Bools, level: float) -> Estimate:
    """Return the share of the rows `base` (n, bool) that are `hit` (n, bool).

    n counts the subjects behind `base`. One row a subject: Wilson; otherwise by subject. An empty
    base is undefined.
    """
    import numpy as np

    subject, hits = rows.subject[base], hit[base]
    if rows.subjects_with(base) == subject.size:
        return proportion_estimate(
            metric=metric,
            successes=int(hits.sum()),
            n=int(subject.size),
            level=level,
            unit=rows.unit,
            population=rows.population,
            source="sample",
        )
    share = ClusteredShare.of(
        np.bincount(subject[hits], minlength=rows.subjects),
        np.bincount(subject, minlength=rows.subjects),
    )
    return clustered_estimate(
        metric=metric, share=share, level=level, unit=rows.unit, population=rows.population
    )


def nothing(
    rows: Rows, *, metric: str, why: str, level: float, method: str, n: int | None = None
) -> Estimate:
    """Return the undefined estimate of a measure of `rows`, with the reason (P8)."""
    return Estimate(
        metric=metric,
        value=None,
        low=None,
        high=None,
        level=level,
        n=rows.subjects if n is None else n,
        unit=rows.unit,
        method=method,
        source="sample",
        population=rows.population,
        note=why,
    )


def too_few(have: int, least: int, what: str = "subjects") -> str:
    """Return why there is no interval where fewer than `least` carry it, or the empty text."""
    return "" if have >= least else f"{have} {what} are too few for an interval ({least} needed)"


def check_replicates(replicates: int) -> None:
    """Raise ProtocolMalformed for fewer resamples than a standard deviation needs."""
    if replicates < MINIMUM_REPLICATES:
        raise ProtocolMalformed(
            f"{replicates} resamples do not fix a standard deviation",
            next_step=f"Draw at least {MINIMUM_REPLICATES}; 1,000 is usual.",
        )


def one_class(rows: Rows) -> str:
    """Return why nothing can be told apart, or the empty text where both classes are there."""
    if rows.n == 0:
        return "there is no row with label and score"
    if rows.positives and rows.negatives:
        return ""
    return f"no row is {'negative' if rows.positives else 'positive'}"


def measured(
    rows: Rows,
    *,
    metric: str,
    value: float,
    influence: Floats,
    level: float,
    method: str,
    scale: Scale = "identity",
    df: int | None = None,
    bounds: tuple[float, float] | None = None,
    note: str = "",
    short: str = "",
    n: int | None = None,
) -> Estimate:
    """Return the estimate of a measure from its row influences (n); limits are cut to `bounds`.

    An interval that data cannot carry is left out with the reason: the caller's (`short`), or that
    influences do not differ.
    """
    se = standard_error(influence, rows.subject, subjects=rows.subjects, active=rows.subjects)
    low, high, why = None, None, short or too_few(rows.subjects, MINIMUM_CLUSTERS)
    if why:
        pass
    elif se == 0.0:
        why = "the rows do not differ, so they tell no uncertainty"
    else:
        low, high = limits(value, se, level=level, scale=scale, df=df)
        if bounds is not None:
            low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=rows.subjects if n is None else n,
        unit=rows.unit,
        method=method,
        source="sample",
        population=rows.population,
        note="; ".join(part for part in (why, note) if part),
    )


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
