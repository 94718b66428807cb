"""How well doses and concentrations are predicted, one occasion ahead, and where they end up.

Definition: the prequential error of an occasion is what was predicted before it minus what was then
    measured. Bias and precision are relative to the measured value; time in range is the share of
    time spent inside the target, each occasion weighted by the time it stands for; over- and
    under-dosing are the shares of recommended doses above and below limits around the dose that
    turned out right, which differ on the two sides because the two harms do.
Formula: e = (predicted - measured)/measured. MPE = mean e, MAPE = mean |e|, RMSPE = sqrt(mean e^2),
    P20 = share |e| <= 0.2 (or the share named). Time in range = sum t [low <= x <= high]/sum t.
    Overdosed: dose > right (1 + upper), underdosed: dose < right (1 - lower). Intervals: influence
    by subject, t quantile of G - 1 degrees; shares by subject (`audits.intervals.clustered`), and
    the share of time with the same limits of its effective size p(1 - p)/se^2, at most the
    occasions.
Source: Dawid (1984), Journal of the Royal Statistical Society A 147(2), 278-292 (prequential);
    Sheiner and Beal (1981), Journal of Pharmacokinetics and Biopharmaceutics 9(4), 503-512 (bias
    and precision); Rosendaal, Cannegieter, van der Meer and Briet (1993), Thrombosis and
    Haemostasis 69(3), 236-239 (time in range).
Assumptions: each prediction was made before its measurement was known; measured values are
    positive; subjects are independent, occasions of one are not.
Failure modes: a model that saw the measurement has no prequential error; this function cannot know.
    Measurements are taken when trouble is suspected, so time in range from few of them is biased.
    Fewer than ten subjects: value without interval.
Cost: one pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed, SampleMalformed
from audits.estimate import Estimate, decimal_text
from audits.intervals.proportion import FEW_EVENTS
from audits.performance.influence import (
    MINIMUM_CLUSTERS,
    measured,
    nothing,
    quantile,
    share_estimate,
    standard_error,
    too_few,
)
from audits.performance.rows import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

METHOD: Final = "prequential error, influence by subject, t, v1"
METHOD_TIME: Final = "time in range, Wilson (beta where few) with effective size by subject, v1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Occasions:
    """Occasions (n): `predicted` before and `measured` after, both > 0, of the `subject` (n)."""

    predicted: Floats
    measured: Floats
    subject: Ints
    unit: str = "patient"
    population: str = "all"

    def __post_init__(self) -> None:
        import numpy as np

        same = self.predicted.shape == self.measured.shape == self.subject.shape
        if not same or self.subject.ndim != 1:
            raise _malformed("predicted, measured and subject have one entry an occasion")
        if not (np.isfinite(self.predicted).all() and np.isfinite(self.measured).all()):
            raise _malformed("predicted and measured values are finite")
        if self.measured.size and self.measured.min() <= 0:
            raise _malformed("an error relative to a measured value needs one above zero")


def prequential_error(
    occasions: Occasions, *, within: float = 0.2, level: float
) -> tuple[Estimate, ...]:
    """Return MPE, MAPE, RMSPE and the share of occasions with an error of at most `within`."""
    import numpy as np

    at = decimal_text(within)
    names = ("mpe", "mape", "rmspe")
    rows = _rows(occasions.subject, occasions.unit, occasions.population)
    if not rows.n:
        why = "there is no occasion"
        return tuple(
            nothing(rows, metric=name, why=why, level=level, method=METHOD)
            for name in (*names, f"error_within@{at}")
        )
    error = (occasions.predicted - occasions.measured) / occasions.measured
    square = float((error**2).mean())
    root = math.sqrt(square)
    parts = (
        (float(error.mean()), error - error.mean()),
        (float(np.abs(error).mean()), np.abs(error) - np.abs(error).mean()),
        (root, (error**2 - square) / (2 * root) if root else error * 0.0),
    )
    found = [
        measured(
            rows,
            metric=name,
            value=value,
            influence=influence / rows.n,
            level=level,
            method=METHOD,
            df=max(1, rows.subjects - 1),
            bounds=(-1.0 if name == "mpe" else 0.0, math.inf),
        )
        for name, (value, influence) in zip(names, parts, strict=True)
    ]
    close = share_estimate(
        rows,
        metric=f"error_within@{at}",
        hit=np.abs(error) <= within,
        base=np.ones(rows.n, dtype=np.bool_),
        level=level,
    )
    return (*found, close)


def time_in_range(
    values: Floats,
    *,
    hours: Floats,
    subject: Ints,
    low: float,
    high: float,
    level: float,
    unit: str = "patient",
    population: str = "all",
) -> Estimate:
    """Return the share of the time `hours` (n, > 0) that `values` (n) spend in [low, high]."""
    import numpy as np

    if not low < high:
        raise ProtocolMalformed(
            f"the range from {low} to {high} holds nothing",
            next_step="Name a lower limit below the upper one.",
        )
    if not values.shape == hours.shape == subject.shape or values.ndim != 1:
        raise _malformed("values, hours and subject have one entry an occasion")
    if hours.size and not (hours > 0).all():
        raise _malformed("an occasion stands for some time")
    rows = _rows(subject, unit, population)
    if not rows.n:
        why = "there is no occasion"
        return nothing(rows, metric="time_in_range", why=why, level=level, method=METHOD_TIME)
    inside = ((values >= low) & (values <= high)).astype(np.float64)
    value = float(hours @ inside) / float(hours.sum())
    influence = hours * (inside - value) / hours.sum()
    se = standard_error(influence, rows.subject, subjects=rows.subjects, active=rows.subjects)
    note = too_few(rows.subjects, MINIMUM_CLUSTERS)
    limits: tuple[float, float] | tuple[None, None] = (None, None)
    if not note:
        size = _effective_size(value, se, rows=rows.n, clusters=rows.subjects)
        limits = _effective_wilson(value, size, level=level, df=rows.subjects - 1)
    return Estimate(
        metric="time_in_range",
        value=value,
        low=limits[0],
        high=limits[1],
        level=level,
        n=rows.subjects,
        unit=unit,
        method=METHOD_TIME,
        source="sample",
        population=population,
        note=note,
    )


def dose_error(
    dose: Floats,
    *,
    right: Floats,
    subject: Ints,
    upper: float,
    lower: float,
    level: float,
    unit: str = "patient",
    population: str = "all",
) -> tuple[Estimate, Estimate]:
    """Return the shares overdosed and underdosed; limits are relative: 0.1 is ten per cent.

    `dose` (n) is what was recommended, `right` (n, > 0) what turned out right.
    """
    if not (upper >= 0 and 0 <= lower < 1):
        raise ProtocolMalformed(
            f"limits of {upper} above and {lower} below are not shares of a dose",
            next_step="Name an upper limit of at least 0 and a lower one from 0 to below 1.",
        )
    if not dose.shape == right.shape == subject.shape or dose.ndim != 1:
        raise _malformed("dose, right dose and subject have one entry a row")
    if right.size and not (right > 0).all():
        raise _malformed("a right dose is above zero")
    import numpy as np

    rows = _rows(subject, unit, population)
    base = np.ones(rows.n, dtype=np.bool_)
    over = share_estimate(
        rows, metric="overdosed", hit=dose > right * (1 + upper), base=base, level=level
    )
    under = share_estimate(
        rows, metric="underdosed", hit=dose < right * (1 - lower), base=base, level=level
    )
    return over, under


def _effective_wilson(
    value: float, effective: float, *, level: float, df: int | None = None
) -> tuple[float, float]:
    """Return Wilson's limits of the share `value` of `effective` (not whole) independent rows.

    Exact (beta) limits where fewer than FEW_EVENTS effective rows have it, or have it not.
    """
    z = quantile(level)
    size = effective * (z / quantile(level, df=df)) ** 2
    if min(value, 1 - value) * size < FEW_EVENTS:
        return _beta_limits(value * size, (1 - value) * size, tail=(1 - level) / 2)
    centre = (value + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size)
    half *= math.sqrt(value * (1 - value) / size + z * z / (4 * size * size))
    return centre - half, centre + half


def _effective_size(value: float, se: float, *, rows: int, clusters: int) -> float:
    """Return how many independent rows would give the share `value` the standard error `se`."""
    if value in (0.0, 1.0) or se == 0.0:
        return float(clusters)
    return min(float(rows), value * (1 - value) / (se * se))


def _beta_limits(hits: float, misses: float, *, tail: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = 0.0 if hits == 0 else float(betaincinv(hits, misses + 1, tail))
    return low, 1.0 if misses == 0 else float(betaincinv(hits + 1, misses, 1 - tail))


def _rows(subject: Ints, unit: str, population: str) -> Rows:
    import numpy as np

    return Rows(
        label=np.zeros(subject.size, dtype=np.bool_),
        score=np.zeros(subject.size),
        identity=subject,
        unit=unit,
        population=population,
    )


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Correct the table of occasions.")
