"""Several sites' estimates as one: mean, heterogeneity, what a new site may expect, shrinkage.

Definition: site i has y_i with known variance v_i around its own theta_i, and the theta_i vary
    around mu with variance tau^2.
Formula: Q = sum w (y - mu_F)^2, w = 1/v. DerSimonian-Laird: tau^2 = max(0, (Q - (k - 1)) / (sum w -
    sum w^2 / sum w)). Paule-Mandel: the tau^2 at which sum (y - mu)^2/(v + tau^2) = k - 1.
    I^2 = max(0, (Q - (k - 1))/Q). Mean: weights 1/(v + tau^2); Hartung-Knapp-Sidik-Jonkman
    variance, never below the plain one, t with k - 1 degrees. New site: quantiles of the mixture,
    over the tau^2 at which Q(tau^2) is each of 100 chi-square quantiles (k - 1), of t(k - 1) around
    mu(tau^2) with scale sqrt(tau^2 + se^2(tau^2)).
    Shrunken: B_i = (k - 3)/(k - 1) v_i/(v_i + tau^2), theta_i = (1 - B_i) y_i + B_i mu,
    s_i^2 = v_i (1 - (k - 1)/k B_i) + 2/(k - 3) B_i^2 r_i (y_i - mu)^2, r_i = (vm + tau^2)/(v_i +
    tau^2), vm the mean variance, tau^2 by Paule-Mandel.
Source: DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188; Paule and Mandel
    (1982), Journal of Research of the National Bureau of Standards 87, 377-385; Hartung and Knapp
    (2001), Statistics in Medicine 20, 3875-3889, with the floor of Roever, Knapp and Friede (2015),
    BMC Medical Research Methodology 15, 99; Higgins and Thompson (2002), Statistics in Medicine 21,
    1539-1558; Viechtbauer (2007), Statistics in Medicine 26, 37-52 (Q profile), and Nagashima, Noma
    and Furukawa (2019), Statistical Methods in Medical Research 28, 1689-1702 (new site); Morris
    (1983), Journal of the American Statistical Association 78, 47-55 (shrinkage).
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
DRAWS: Final = 100
"""Points of the confidence distribution of tau^2."""
POOLED: Final = {
    "DL": "random effects, DerSimonian-Laird, Hartung-Knapp with floor, v1",
    "PM": "random effects, Paule-Mandel, Hartung-Knapp with floor, v1",
}
NEW_SITE: Final = "prediction interval over the confidence distribution of tau2, v1"
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
        low, high = new_site(y, v, level=level)
        new = Estimate(
            metric=first.metric,
            population="new site",
            value=_back(found.mean, scale),
            low=_back(low, scale),
            high=_back(high, scale),
            level=level,
            n=k,
            unit="site",
            method=NEW_SITE,
            source="sample",
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


def new_site(y: Floats, v: Floats, *, level: float) -> tuple[float, float]:
    """Return the prediction limits of a new site's effect, from effects `y` (k >= 3) and `v` (k).

    Plugging in one tau^2 covered 85 % instead of 95 % in simulation, because tau^2 is often found
    to be zero when it is not. Here it is spread over what the generalised Q leaves open.
    """
    import numpy as np
    from scipy.special import chdtri, stdtr

    if y.size < SITES_FOR_NEW:
        raise _refused(f"{y.size} sites say nothing about a new one; {SITES_FOR_NEW} are needed")
    df = y.size - 1
    tau2 = _tau2_at(y, v, chdtri(df, (np.arange(DRAWS) + 0.5) / DRAWS))
    spread, mean = _profile(y, v, tau2)
    total = (1 / (v + tau2[:, None])).sum(axis=1)
    scale = np.sqrt(tau2 + np.maximum(1.0, spread / df) / total)

    def limit(tail: float) -> float:
        low, high = float((mean - 1e3 * scale).min()), float((mean + 1e3 * scale).max())
        for _ in range(60):
            at = (low + high) / 2
            below = float(stdtr(df, (at - mean) / scale).mean())
            low, high = (at, high) if below < tail else (low, at)
        return (low + high) / 2

    low = limit((1 - level) / 2)
    return low, max(low, limit((1 + level) / 2))


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
    import numpy as np

    q, mean = _profile(y, v, np.array([tau2]))
    return float(q[0]), float(mean[0])


def _profile(y: Floats, v: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    """Return the generalised Q and the mean (m) at each of `tau2` (m)."""
    weight = 1 / (v + tau2[:, None])
    mean = (weight * y).sum(axis=1) / weight.sum(axis=1)
    return (weight * (y - mean[:, None]) ** 2).sum(axis=1), mean


def _dersimonian_laird(q: float, v: Floats) -> float:
    weight = 1 / v
    total = float(weight.sum())
    return max(0.0, (q - (v.size - 1)) / (total - float(weight @ weight) / total))


def _paule_mandel(y: Floats, v: Floats) -> float:
    import numpy as np

    return float(_tau2_at(y, v, np.array([y.size - 1.0]))[0])


def _tau2_at(y: Floats, v: Floats, targets: Floats) -> Floats:
    """Return the tau^2 (m) at which the generalised Q is each of `targets` (m), by bisection.

    Q falls steadily in tau^2; where it starts below the target, tau^2 is zero.
    """
    import numpy as np

    zero = _profile(y, v, np.zeros_like(targets))[0] <= targets
    low, high = np.zeros_like(targets), np.full_like(targets, float(v.max()))
    while (short := ~zero & (_profile(y, v, high)[0] > targets)).any():
        high = np.where(short, high * 2, high)
    for _ in range(60):
        middle = (low + high) / 2
        above = _profile(y, v, middle)[0] > targets
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(zero, 0.0, (low + high) / 2)


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
