"""Performance by window of time, and whether it has a trend.

Definition: a measure in consecutive windows of an instant, and the slope of its values over time.
    Three tests: weighted least squares on estimates with intervals; Cochran-Armitage on counts of
    events; Mann-Kendall with Theil-Sen's slope on values alone.
Formula: least squares: w = 1/se^2, b = sum w (x - xw) y / sum w (x - xw)^2, var b = f / sum w
    (x - xw)^2, f = max(1, Q/(k - 2)), Q the weighted residual sum of squares, t with k - 2 degrees.
    Cochran-Armitage: z = sum (r - n p)(x - xn) / sqrt(p (1 - p) sum n (x - xn)^2); slope by least
    squares on shares, its interval from the binomial variances of the windows. Mann-Kendall:
    S = sum over i < j of sign(y_j - y_i), exact p without ties up to 33 windows.
Source: weighted regression whose dispersion is never below one: Baker and Jackson
    (2013), Research Synthesis Methods 4, 144-152; Cochran (1954), Biometrics 10, 417-451; Armitage
    (1955), Biometrics 11, 375-386; Mann (1945), Econometrica 13, 245-259; Sen (1968), Journal of
    the American Statistical Association 63, 1379-1389.
Assumptions: windows are independent: a subject stands in one. Standard errors are read from the
    interval's width as if it were normal.
Failure modes: three windows give one degree of freedom, and ranks of three or four no 95 %
    interval: the slope then has none, nor has one of shares that are all 0 or 1. A drop and
    recovery has no trend. Windows with too few events are shown as insufficient and do not enter;
    the trend says how many.
Cost: the measure once a window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, Json, decimal_text, undefined
from audits.sources.sample import MISSING_TIME
from audits.temporal.strata import Metric, measured, standard_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]

WINDOWS_MIN: Final = 3
LEAST_SQUARES: Final = "weighted least squares, dispersion >= 1, t, v1"
COCHRAN_ARMITAGE: Final = "Cochran-Armitage, v1"
MANN_KENDALL: Final = "Mann-Kendall, Theil-Sen slope, v1"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Instants from `since` on and before `until`, with a name."""

    since: int
    until: int
    name: str

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise _malformed(f"window {self.name!r} ends before it begins")

    @property
    def middle(self) -> float:
        """The position of the window on the axis of time."""
        return (self.since + self.until) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The slope a unit of time with its interval, the p-value of no trend, the windows used."""

    slope: Estimate
    p: float | None
    windows: int
    left_out: int

    def as_record(self) -> dict[str, Json]:
        """Return the trend in the JSON domain."""
        return {
            "slope": self.slope.as_record(),
            "p": None if self.p is None else decimal_text(self.p, digits=6),
            "windows": self.windows,
            "left_out": self.left_out,
        }


def windows_between(bounds: Sequence[int]) -> tuple[Window, ...]:
    """Return the windows between consecutive `bounds`, named by them."""
    if len(bounds) < 2 or list(bounds) != sorted(set(bounds)):
        raise _malformed("bounds of windows are at least two, in order, and named once each")
    return tuple(Window(since, until, f"{since} to {until}") for since, until in pairwise(bounds))


def performance_by_window(
    sample: Sample,
    *,
    time: str,
    windows: Sequence[Window],
    metric: Metric,
    name: str,
    level: float,
    minimum_events: int,
) -> tuple[Estimate, ...]:
    """Return the measure `name` in each window, in the order given; population `window=…`.

    Raises ProtocolMalformed where windows overlap or the sample has no such instant.
    """
    if time not in sample.times:
        raise _malformed(f"the sample has no instant {time!r}")
    ordered = sorted(windows)
    if any(one.until > two.since for one, two in pairwise(ordered)):
        raise _malformed("windows overlap: a row would count twice")
    at = sample.times[time]
    dated = at != MISSING_TIME
    return tuple(
        measured(
            sample,
            dated & (at >= window.since) & (at < window.until),
            metric=metric,
            name=name,
            population=f"window={window.name}",
            level=level,
            minimum_events=minimum_events,
        )
        for window in windows
    )


def weighted_trend(
    estimates: Sequence[Estimate], positions: Sequence[float], *, level: float, per: str
) -> Trend:
    """Return the trend of estimates at `positions`; those without an interval are left out."""
    import numpy as np
    from scipy.special import stdtr, stdtrit

    if len(estimates) != len(positions):
        raise _malformed("every window has a position")
    name = estimates[0].metric if estimates else "measure"
    usable = [
        (float(x), one.value, width)
        for x, one in zip(positions, estimates, strict=True)
        if one.value is not None and (width := standard_error(one)) is not None
    ]
    left = len(estimates) - len(usable)
    if len(usable) < WINDOWS_MIN:
        return _no_trend(name, len(usable), left, level=level, per=per, method=LEAST_SQUARES)
    x, y, se = np.array(usable, dtype=np.float64).T
    weight: Floats = 1 / se**2
    centred = x - float(weight @ x) / float(weight.sum())
    precision = float(weight @ centred**2)
    if precision == 0.0:
        raise _malformed("windows stand at different positions")
    slope = float(weight @ (centred * y)) / precision
    residual = y - float(weight @ y) / float(weight.sum()) - slope * centred
    df = x.size - 2
    spread = (max(1.0, float(weight @ residual**2) / df) / precision) ** 0.5
    reach = float(stdtrit(df, (1 + level) / 2)) * spread
    return Trend(
        slope=_slope(
            name,
            (slope - reach, slope, slope + reach),
            windows=x.size,
            level=level,
            per=per,
            method=LEAST_SQUARES,
        ),
        p=float(2 * stdtr(df, -abs(slope) / spread)),
        windows=x.size,
        left_out=left,
    )


def cochran_armitage(
    events: Sequence[int],
    n: Sequence[int],
    positions: Sequence[float],
    *,
    name: str,
    level: float,
    per: str,
) -> Trend:
    """Return the trend of the shares events/n at `positions`; windows without rows are left out."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    hits, rows, at = (np.array(column, dtype=float) for column in (events, n, positions))
    if not hits.shape == rows.shape == at.shape or (hits < 0).any() or (hits > rows).any():
        raise _malformed("every window has events, rows that hold them, and a position")
    used = rows > 0
    hits, rows, at = hits[used], rows[used], at[used]
    left = int((~used).sum())
    if hits.size < WINDOWS_MIN or hits.sum() in (0.0, rows.sum()):
        return _no_trend(name, hits.size, left, level=level, per=per, method=COCHRAN_ARMITAGE)
    pooled = hits.sum() / rows.sum()
    centred = at - rows @ at / rows.sum()
    width = float(rows @ centred**2)
    if width == 0.0:
        raise _malformed("windows stand at different positions")
    z = float((hits - rows * pooled) @ centred) / (pooled * (1 - pooled) * width) ** 0.5
    share = hits / rows
    slope = float((rows * centred) @ share) / width
    spread = float(((centred / width) ** 2) @ (rows * share * (1 - share))) ** 0.5
    reach = float(ndtri((1 + level) / 2)) * spread
    return Trend(
        slope=_slope(
            name,
            (slope - reach, slope, slope + reach),
            windows=hits.size,
            level=level,
            per=per,
            method=COCHRAN_ARMITAGE,
            unbounded="" if spread else "every window's share is 0 or 1, so none has a spread",
        ),
        p=float(2 * ndtr(-abs(z))),
        windows=hits.size,
        left_out=left,
    )


def mann_kendall(
    values: Sequence[float | None], positions: Sequence[float], *, name: str, level: float, per: str
) -> Trend:
    """Return the rank trend of values at `positions`; None is left out."""
    import numpy as np
    from scipy.stats import kendalltau, theilslopes

    if len(values) != len(positions):
        raise _malformed("every window has a position")
    pairs = [(x, y) for x, y in zip(positions, values, strict=True) if y is not None]
    left = len(values) - len(pairs)
    if len(pairs) < WINDOWS_MIN:
        return _no_trend(name, len(pairs), left, level=level, per=per, method=MANN_KENDALL)
    x, y = (np.array(column) for column in zip(*pairs, strict=True))
    if np.unique(x).size < x.size:
        raise _malformed("windows stand at different positions")
    if np.unique(y).size == 1:
        return Trend(
            slope=_slope(
                name,
                (0.0, 0.0, 0.0),
                windows=x.size,
                level=level,
                per=per,
                method=MANN_KENDALL,
                unbounded="all values are equal, so ranks say nothing of the spread",
            ),
            p=1.0,
            windows=x.size,
            left_out=left,
        )
    slope, _, low, high = (float(one) for one in theilslopes(y, x, alpha=level))
    # The widest interval of Sen, from the least to the largest slope, misses 2 of k! orders.
    widest = 1 - 2 / math.factorial(x.size)
    few = f"{x.size} windows bound a slope at {decimal_text(widest, digits=3)} at most"
    return Trend(
        slope=_slope(
            name,
            (low, slope, high),
            windows=x.size,
            level=level,
            per=per,
            method=MANN_KENDALL,
            unbounded=few if widest < level else "",
        ),
        p=float(kendalltau(x, y).pvalue),
        windows=x.size,
        left_out=left,
    )


def _slope(
    name: str,
    limits: tuple[float, float, float],
    *,
    windows: int,
    level: float,
    per: str,
    method: str,
    unbounded: str = "",
) -> Estimate:
    """Return the slope from (low, value, high); `unbounded` says why it has no interval."""
    low, value, high = limits
    return Estimate(
        metric=f"trend of {name}",
        value=value,
        low=None if unbounded else low,
        high=None if unbounded else high,
        level=level,
        n=windows,
        unit="window",
        method=method,
        source="sample",
        note=f"change per {per}{f'; no interval: {unbounded}' if unbounded else ''}",
    )


def _no_trend(name: str, k: int, left: int, *, level: float, per: str, method: str) -> Trend:
    slope = undefined(
        metric=f"trend of {name}",
        note=f"insufficient: {k} usable windows, {WINDOWS_MIN} with both outcomes are needed for "
        f"a change per {per}",
        level=level,
        n=k,
        unit="window",
        method=method,
        source="sample",
    )
    return Trend(slope=slope, p=None, windows=k, left_out=left)


def _malformed(fault: str) -> ProtocolMalformed:
    return ProtocolMalformed(fault, next_step="Correct the windows of the protocol.")
