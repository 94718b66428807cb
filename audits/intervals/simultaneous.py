"""Limits that hold for many comparisons at once: max-t from shared replicates, Sidak, Bonferroni.

Definition: k differences (or logarithms of ratios) are estimated from the same rows. The limits
    hold all k truths together with the stated confidence, so that looking at many gaps does not
    find one by luck.
Formula: s(k) is the standard deviation of replicate column k; T(r) = max over k of
    |replicate(r, k) - point(k)| / s(k); c = the smallest T of which a share `level` is not above
    it; limits point -/+ c s. With u(k) independent units behind comparison k, c becomes
    sqrt(u/(u - 1)) times the t quantile (u - 1 degrees) of the confidence that c has in a normal
    distribution. Sidak: level^(1/k) for each of k; Bonferroni: 1 - (1 - level)/k.
    `simultaneous_limits`: of K comparisons m are read from replicates at level^(m/K) together, each
    of the others by its own limits at level^(1/K); the product is `level`.
Source: Romano and Wolf (2005), Journal of the American Statistical Association 100, 94-108, section
    4 (studentised maxima from shared resamples); Hothorn, Bretz and Westfall (2008), Biometrical
    Journal 50(3), 346-363; Sidak (1967), Journal of the American Statistical Association 62,
    626-633.
Assumptions: replicates of all comparisons come from the same resamples (one draw a row for all), by
    subject where rows repeat; each comparison is roughly normal. Ratios are given as logarithms.
Failure modes: rare events make the normal shape wrong: below 10 events a side hand the comparison
    to `fallback` with `few`. A comparison that is undefined in the data or in any one resample has
    no limits and takes no part in T (P8): undefined is neither zero nor a gap. Replicates that do
    not differ give no limits. Sidak and Bonferroni are wide where comparisons share a group.
Cost: replicates x comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import IntervalMalformed
from audits.intervals.bootstrap import MINIMUM_EVENTS, MINIMUM_UNITS, check_replicates, normal_cdf
from audits.intervals.proportion import check_level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

MAX_T: Final = "bootstrap max-t limits, v1"
SIDAK: Final = "limits at the Šidák level, v1"
NONE: Final = "no limits, v1"
FEW_EVENTS_OF_GAP: Final = MINIMUM_EVENTS
"""Events, or non-events, below which a side of a gap is too skewed for max-t."""

Fallback: TypeAlias = Callable[[int, float], "tuple[float, float] | None"]
"""(comparison, level) -> its own limits at that level, or None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """Limits of k comparisons, NaN where there are none and `notes` says why.

    `critical` is the common multiple of the standard errors, NaN where max-t served nobody;
    `methods` names the method behind each comparison.
    """

    low: Floats
    high: Floats
    critical: float
    notes: tuple[str, ...]
    methods: tuple[str, ...]


def sidak_level(level: float, comparisons: int) -> float:
    """Return the confidence each of `comparisons` needs so that all hold with `level`."""
    _check_comparisons(level, comparisons)
    return float(level ** (1 / comparisons))


def bonferroni_level(level: float, comparisons: int) -> float:
    """Return the same without the assumption behind Sidak's; a little wider."""
    _check_comparisons(level, comparisons)
    return 1 - (1 - level) / comparisons


def max_t(point: Floats, replicates: Floats, *, level: float, units: Ints | None = None) -> Limits:
    """Return simultaneous limits of `point` (k) from `replicates` (R, k); NaN means undefined.

    `units` (k): the independent units behind each comparison, the smaller group's. Raises
    IntervalMalformed where shapes differ or R is too small for the level.
    """
    return simultaneous_limits(point, replicates, level=level, units=units)


def simultaneous_limits(
    point: Floats,
    replicates: Floats,
    *,
    level: float,
    units: Ints | None = None,
    few: Bools | None = None,
    fallback: Fallback | None = None,
) -> Limits:
    """Return max-t limits, and those of `fallback` where max-t has none or `few` (k) says so.

    Arguments and errors as `max_t`.
    """
    import numpy as np

    check_level(level)
    _check_shapes(point, replicates, level=level)
    scale = _scales(replicates)
    notes = _why_none(point, replicates, scale=scale, units=units)
    served = np.array([not note for note in notes], dtype=bool)
    if few is not None:
        served &= ~few
    share = served.sum() / point.size if fallback is not None and served.any() else 1.0
    critical = _critical(point, replicates, scale, served, level=level**share)
    reach = np.where(served, _with_units(critical, units, point.size) * scale, np.nan)
    low, high = point - reach, point + reach
    methods = [MAX_T if one else NONE for one in served]
    for k in np.flatnonzero(~served & np.isfinite(point)):
        own = None if fallback is None else fallback(int(k), sidak_level(level, point.size))
        if own is not None:
            (low[k], high[k]), methods[k], notes[k] = own, SIDAK, ""
        elif not notes[k]:
            notes[k] = "too few events"
    return Limits(low=low, high=high, critical=critical, notes=tuple(notes), methods=tuple(methods))


def _scales(replicates: Floats) -> Floats:
    """Return the standard deviation of each column, NaN where a replicate is undefined."""
    import numpy as np

    spread: Floats = np.where(np.isfinite(replicates), replicates, np.nan).std(axis=0, ddof=1)
    return spread


def _why_none(point: Floats, replicates: Floats, *, scale: Floats, units: Ints | None) -> list[str]:
    import numpy as np

    missing = (~np.isfinite(replicates)).sum(axis=0)
    notes = []
    for k in range(point.size):
        if not math.isfinite(point[k]):
            notes.append("undefined")
        elif missing[k]:
            notes.append(f"undefined in {missing[k]} of {len(replicates)} resamples")
        elif not scale[k] > 0:
            notes.append("the resamples do not differ")
        elif units is not None and units[k] < MINIMUM_UNITS:
            notes.append(f"{units[k]} independent units are fewer than {MINIMUM_UNITS}")
        else:
            notes.append("")
    return notes


def _critical(
    point: Floats, replicates: Floats, scale: Floats, served: Bools, *, level: float
) -> float:
    import numpy as np

    if not served.any():
        return math.nan
    distance = np.abs(replicates[:, served] - point[served])
    largest = np.sort((distance / scale[served]).max(axis=1))
    rank = math.ceil((largest.size + 1) * level - 1e-9)
    return float(largest[min(rank, largest.size) - 1])


def _with_units(critical: float, units: Ints | None, comparisons: int) -> Floats:
    """Return the multiple of each comparison: larger where few units stand behind it."""
    import numpy as np
    from scipy import special

    if units is None or math.isnan(critical):
        return np.full(comparisons, critical)
    degrees = np.maximum(units, 2) - 1.0
    wider: Floats = special.stdtrit(degrees, normal_cdf(critical)) * np.sqrt(
        (degrees + 1) / degrees
    )
    larger: Floats = np.maximum(wider, critical)
    return larger


def _check_shapes(point: Floats, replicates: Floats, *, level: float) -> None:
    if point.ndim != 1 or point.size == 0 or replicates.shape[1:] != point.shape:
        raise IntervalMalformed(
            f"replicates of shape {replicates.shape} do not fit {point.shape} comparisons",
            next_step="Give one column of replicates a comparison.",
        )
    check_replicates(len(replicates), level=level)


def _check_comparisons(level: float, comparisons: int) -> None:
    check_level(level)
    if comparisons < 1:
        raise IntervalMalformed(
            f"{comparisons} comparisons cannot hold together",
            next_step="Count the comparisons that are looked at.",
        )
