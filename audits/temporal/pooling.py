"""Several sites' estimates as one: mean, heterogeneity, what a new site may expect, shrinkage.

Definition: site i has y_i with known variance v_i around its own theta_i, and the theta_i vary
    around mu with variance tau^2.
Formula: Q = sum w (y - mu_F)^2, w = 1/v. DerSimonian-Laird: tau^2 = max(0, (Q - (k - 1)) / (sum w -
    sum w^2 / sum w)). Paule-Mandel: the tau^2 at which sum (y - mu)^2/(v + tau^2) = k - 1.
    I^2 = max(0, (Q - (k - 1))/Q). Mean: weights 1/(v + tau^2); Hartung-Knapp-Sidik-Jonkman
    variance, never below the plain one, t with k - 1 degrees. New site: mu -/+ t(k - 2)
    sqrt(tau^2 + se^2). Shrunken: B_i = (k - 3)/(k - 1) v_i/(v_i + tau^2), theta_i = (1 - B_i) y_i +
    B_i mu, s_i^2 = v_i (1 - (k - 1)/k B_i) + 2/(k - 3) B_i^2 r_i (y_i - mu)^2, r_i = (vm + tau^2)/
    (v_i + tau^2), vm the mean variance, tau^2 by Paule-Mandel.
Source: DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188; Paule and Mandel
    (1982), Journal of Research of the National Bureau of Standards 87, 377-385; Hartung and Knapp
    (2001), Statistics in Medicine 20, 3875-3889, with the floor of Roever, Knapp and Friede (2015),
    BMC Medical Research Methodology 15, 99; Higgins and Thompson (2002), Statistics in Medicine 21,
    1539-1558; Higgins, Thompson and Spiegelhalter (2009), Journal of the Royal Statistical Society
    A 172, 137-159 (new site); Morris (1983), Journal of the American Statistical Association 78,
    47-55 (shrinkage).
Assumptions: sites are independent, their variances known, theta normal; on the logit scale for
    shares and areas.
Failure modes: with few sites tau^2 is a guess: fewer than two give no mean, three no new site, four
    no shrinkage. A site's own interval remains the one that needs no other site.
Cost: linear in the sites; a root by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from audits.errors import PoolingRefused
from audits.estimate import Estimate, undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Scale: TypeAlias = Literal["identity", "logit", "log"]
Heterogeneity: TypeAlias = Literal["DL", "PM"]

SITES_FOR_MEAN: Final = 2
SITES_FOR_NEW: Final = 3
SITES_TO_SHRINK: Final = 4
POOLED: Final = {
    "DL": "random effects, DerSimonian-Laird, Hartung-Knapp with floor, v1",
    "PM": "random effects, Paule-Mandel, Hartung-Knapp with floor, v1",
}
SHRUNKEN: Final = "empirical Bayes, Morris, Paule-Mandel, v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """The mean over sites, the interval of a new site, and how much sites differ.

    `tau2` is on the pooling scale; `i2` is a share. `left_out` are the populations without an
    interval, which cannot be weighed.
    """

    mean: Estimate
    new_site: Estimate
    tau2: float | None
    i2: float | None
    q: float | None
    sites: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combined:
    """The same on the pooling scale: mean, its standard error, Q, tau^2, I^2."""

    mean: float
    se: float
    q: float
    tau2: float
    i2: float


def combine(y: Floats, v: Floats, *, method: Heterogeneity) -> Combined:
    """Return mean and heterogeneity of effects `y` (k >= 2) with variances `v` (k, positive)."""
    if y.shape != v.shape or y.size < SITES_FOR_MEAN or not (v > 0).all():
        raise _refused("at least two effects, each with a positive variance, are pooled")
    if method not in POOLED:
        raise _refused(f"{method!r} is not a method for heterogeneity")
    q, _ = _dispersion(y, v, 0.0)
    tau2 = _dersimonian_laird(q, v) if method == "DL" else _paule_mandel(y, v)
    spread, mean = _dispersion(y, v, tau2)
    floor = max(1.0, spread / (y.size - 1))
    return Combined(
        mean=mean,
        se=math.sqrt(floor / float((1 / (v + tau2)).sum())),
        q=q,
        tau2=tau2,
        i2=max(0.0, (q - (y.size - 1)) / q) if q > 0 else 0.0,
    )


def pool(
    estimates: Sequence[Estimate],
    *,
    level: float,
    scale: Scale = "logit",
    method: Heterogeneity = "PM",
) -> Pooled:
    """Return the mean of one measure over sites, and what a new site may expect.

    Raises PoolingRefused where the estimates are of several measures.
    """
    from scipy.special import stdtrit

    _one_measure(estimates)
    used, y, v = effects(estimates, scale=scale)
    first, k = estimates[0], len(used)
    found = combine(y, v, method=method) if k >= SITES_FOR_MEAN else None
    named = POOLED[method]
    if found is None:
        mean = _none(
            first, population="sites", have=k, need=SITES_FOR_MEAN, level=level, method=named
        )
    else:
        mean = _estimate(
            first,
            population="sites",
            middle=found.mean,
            reach=float(stdtrit(k - 1, (1 + level) / 2)) * found.se,
            n=k,
            level=level,
            method=named,
            scale=scale,
        )
    if found is None or k < SITES_FOR_NEW:
        new = _none(
            first, population="new site", have=k, need=SITES_FOR_NEW, level=level, method=named
        )
    else:
        wide = math.hypot(found.se, math.sqrt(found.tau2))
        new = _estimate(
            first,
            population="new site",
            middle=found.mean,
            reach=float(stdtrit(k - 2, (1 + level) / 2)) * wide,
            n=k,
            level=level,
            method="prediction interval, " + named,
            scale=scale,
        )
    return Pooled(
        mean=mean,
        new_site=new,
        tau2=None if found is None else found.tau2,
        i2=None if found is None else found.i2,
        q=None if found is None else found.q,
        sites=k,
        left_out=tuple(one.population for one in estimates if one not in used),
    )


def shrink(y: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (shrunken effects, their standard errors, shrinkage B), each (k); k is at least 4."""
    import numpy as np

    k = y.size
    if k < SITES_TO_SHRINK:
        raise _refused(f"{k} sites are too few to shrink; {SITES_TO_SHRINK} are needed")
    found = combine(y, v, method="PM")
    b = (k - 3) / (k - 1) * v / (v + found.tau2)
    away = y - found.mean
    ratio = (v.mean() + found.tau2) / (v + found.tau2)
    variance = v * (1 - (k - 1) / k * b) + 2 / (k - 3) * b**2 * ratio * away**2
    return found.mean + (1 - b) * away, np.sqrt(variance), b


def shrunken(
    estimates: Sequence[Estimate], *, level: float, scale: Scale = "logit"
) -> tuple[Estimate, ...]:
    """Return each site's estimate drawn towards the mean of all, with its interval, in order.

    A site without an interval, or fewer than four with one, gives undefined estimates (P8).
    """
    from statistics import NormalDist

    _one_measure(estimates)
    used, y, v = effects(estimates, scale=scale)
    if len(used) < SITES_TO_SHRINK:
        return tuple(
            _none(
                one,
                population=one.population,
                have=len(used),
                need=SITES_TO_SHRINK,
                level=level,
                method=SHRUNKEN,
            )
            for one in estimates
        )
    drawn, se, b = shrink(y, v)
    z = NormalDist().inv_cdf((1 + level) / 2)
    place = {id(one): index for index, one in enumerate(used)}
    found = []
    for one in estimates:
        at = place.get(id(one))
        if at is None:
            found.append(_left_out(one, level))
            continue
        reach = z * float(se[at])
        note = f"drawn {float(b[at]):.0%} of the way to the mean of {len(used)} sites"
        found.append(
            _estimate(
                one,
                population=one.population,
                middle=float(drawn[at]),
                reach=reach,
                n=one.n,
                level=level,
                method=SHRUNKEN,
                scale=scale,
                unit=one.unit,
                note=note,
            )
        )
    return tuple(found)


def effects(
    estimates: Sequence[Estimate], *, scale: Scale
) -> tuple[list[Estimate], Floats, Floats]:
    """Return the estimates that can be weighed, with values and variances (k) on `scale`.

    The variance is read from the interval on that scale. A limit or value at the end of the scale
    (an area of 1 on the logit) has no place on it and is left out.
    """
    from statistics import NormalDist

    import numpy as np

    used, values, variances = [], [], []
    for one in estimates:
        z = 2 * NormalDist().inv_cdf((1 + one.level) / 2)
        numbers = [_onto(x, scale) for x in (one.value, one.low, one.high)]
        y, low, high = numbers
        if y is None or low is None or high is None or high <= low:
            continue
        used.append(one)
        values.append(y)
        variances.append(((high - low) / z) ** 2)
    return used, np.array(values), np.array(variances)


def _dispersion(y: Floats, v: Floats, tau2: float) -> tuple[float, float]:
    weight = 1 / (v + tau2)
    mean = float(weight @ y / weight.sum())
    return float(weight @ (y - mean) ** 2), mean


def _dersimonian_laird(q: float, v: Floats) -> float:
    weight = 1 / v
    total = float(weight.sum())
    return max(0.0, (q - (v.size - 1)) / (total - float(weight @ weight) / total))


def _paule_mandel(y: Floats, v: Floats) -> float:
    """Find tau^2 by bisection: the generalised Q falls steadily in it."""
    target = y.size - 1
    if _dispersion(y, v, 0.0)[0] <= target:
        return 0.0
    low, high = 0.0, float(v.max()) + 1e-300
    while _dispersion(y, v, high)[0] > target:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _dispersion(y, v, middle)[0] > target else (low, middle)
    return (low + high) / 2


def _onto(x: float | None, scale: Scale) -> float | None:
    if x is None or scale == "identity":
        return x
    if x <= 0 or (scale == "logit" and x >= 1):
        return None
    return math.log(x / (1 - x)) if scale == "logit" else math.log(x)


def _back(x: float, scale: Scale) -> float:
    if scale == "logit":
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
    return math.exp(x) if scale == "log" else x


def _estimate(
    like: Estimate,
    *,
    population: str,
    middle: float,
    reach: float,
    n: int,
    level: float,
    method: str,
    scale: Scale,
    unit: str = "site",
    note: str = "",
) -> Estimate:
    return Estimate(
        metric=like.metric,
        population=population,
        value=_back(middle, scale),
        low=_back(middle - reach, scale),
        high=_back(middle + reach, scale),
        level=level,
        n=n,
        unit=unit,
        method=method,
        source="sample",
        note=note,
    )


def _none(
    like: Estimate, *, population: str, have: int, need: int, level: float, method: str
) -> Estimate:
    return undefined(
        metric=like.metric,
        population=population,
        note=f"insufficient: {have} sites have an interval, {need} are needed",
        level=level,
        n=have,
        unit="site",
        method=method,
        source="sample",
    )


def _left_out(one: Estimate, level: float) -> Estimate:
    return undefined(
        metric=one.metric,
        population=one.population,
        note="insufficient: the site's own estimate has no interval",
        level=level,
        n=one.n,
        unit=one.unit,
        method=SHRUNKEN,
        source="sample",
    )


def _one_measure(estimates: Sequence[Estimate]) -> None:
    if len({one.metric for one in estimates}) != 1:
        raise _refused("estimates of one measure are pooled, and at least one")


def _refused(fault: str) -> PoolingRefused:
    return PoolingRefused(fault, next_step="Pool estimates of one measure from independent sites.")
