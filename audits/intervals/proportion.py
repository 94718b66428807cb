"""Limits for one proportion: Wilson's score interval, Clopper-Pearson, Jeffreys.

Definition: x of n independent units have a property; the interval holds the share p in the
    population with a stated confidence.
Formula: z = normal quantile of (1 + level)/2, a = 1 - level, B(q; s, t) = beta quantile.
    Wilson: (x + z^2/2 -/+ z sqrt(x (n - x)/n + z^2/4)) / (n + z^2).
    Clopper-Pearson: B(a/2; x, n - x + 1) to B(1 - a/2; x + 1, n - x).
    Jeffreys: B(a/2; x + 1/2, n - x + 1/2) to B(1 - a/2; the same).
    At x = 0 the lower limit is 0, at x = n the upper limit is 1.
    `proportion_estimate` reads the exact (Clopper-Pearson) limits where x or n - x is below
    FEW_EVENTS, whichever method is named: there the other two cover too rarely.
Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212; Clopper and
    Pearson (1934), Biometrika 26(4), 404-413; Brown, Cai and DasGupta (2001), Statistical Science
    16(2), 101-133, sections 3 and 4.
Assumptions: the units are independent and n was not chosen by looking at x. Where rows repeat
    subjects, `clustered` is the method.
Failure modes: Wilson alone covers as little as 79 % (at 95 %) for one rare event: hence
    FEW_EVENTS. Coverage still moves with the lattice of x: at 95 % the least over all p, for n to
    120, is 91.9 % (n = 36; exact sums); at 90 % a share of .1 in n = 100 is held 87 % of the time.
    Clopper-Pearson never covers less than stated, and is wide; a margin that must hold is read
    from it.
Cost: constant.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

from audits.errors import IntervalMalformed
from audits.estimate import Estimate, undefined

ProportionMethod: TypeAlias = Literal["wilson", "clopper-pearson", "jeffreys"]

FEW_EVENTS: Final = 5
"""Below this many events, or non-events, only the exact limits keep their level."""

METHODS: Final[dict[ProportionMethod, str]] = {
    "wilson": "Wilson score interval, exact limits below 5 events or non-events, v1",
    "clopper-pearson": "Clopper-Pearson interval, v1",
    "jeffreys": "Jeffreys interval, exact limits below 5 events or non-events, v1",
}


def wilson(successes: int, n: int, *, level: float) -> tuple[float, float]:
    """Return Wilson's score limits of `successes` of `n`.

    Raises IntervalMalformed for counts that contradict each other, n = 0 or a level outside (0, 1).
    """
    check_counts(successes, n, level=level)
    z = normal_quantile((1 + level) / 2)
    centre = successes + z * z / 2
    reach = z * math.sqrt(successes * (n - successes) / n + z * z / 4)
    low = 0.0 if successes == 0 else (centre - reach) / (n + z * z)
    high = 1.0 if successes == n else (centre + reach) / (n + z * z)
    return low, high


def clopper_pearson(successes: int, n: int, *, level: float) -> tuple[float, float]:
    """Return the exact limits of `successes` of `n`; errors as `wilson`."""
    check_counts(successes, n, level=level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else _beta_quantile(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else _beta_quantile(1 - tail, successes + 1, n - successes)
    return low, high


def jeffreys(successes: int, n: int, *, level: float) -> tuple[float, float]:
    """Return the equal-tailed limits under Jeffreys' prior; errors as `wilson`."""
    check_counts(successes, n, level=level)
    tail = (1 - level) / 2
    shape = (successes + 0.5, n - successes + 0.5)
    low = 0.0 if successes == 0 else _beta_quantile(tail, *shape)
    high = 1.0 if successes == n else _beta_quantile(1 - tail, *shape)
    return low, high


def proportion_limits(
    successes: int, n: int, *, level: float, method: ProportionMethod = "wilson"
) -> tuple[float, float]:
    """Return the limits that `proportion_estimate` gives: exact ones where events are few."""
    if method == "clopper-pearson" or min(successes, n - successes) < FEW_EVENTS:
        return clopper_pearson(successes, n, level=level)
    return (wilson if method == "wilson" else jeffreys)(successes, n, level=level)


def proportion_estimate(
    *,
    metric: str,
    successes: int,
    n: int,
    level: float,
    unit: str,
    population: str = "all",
    method: ProportionMethod = "wilson",
    source: str = "tally",
) -> Estimate:
    """Return the share `successes` of `n` with its limits; n = 0 is undefined, never zero (P8).

    The note says where few events made the limits exact. `events` of the estimate is the smaller
    of successes and failures, the count that limits what can be learnt. Errors as `wilson`.
    """
    if method not in METHODS:
        raise IntervalMalformed(
            f"unknown method {method!r}", next_step=f"Use one of {', '.join(METHODS)}."
        )
    if n == 0 and successes == 0:
        return undefined(
            metric=metric,
            population=population,
            level=level,
            n=0,
            unit=unit,
            method=METHODS[method],
            source=source,
            events=0,
            note="nobody is in the denominator",
        )
    low, high = proportion_limits(successes, n, level=level, method=method)
    events = min(successes, n - successes)
    exact = method != "clopper-pearson" and events < FEW_EVENTS
    return Estimate(
        metric=metric,
        population=population,
        value=successes / n,
        low=low,
        high=high,
        level=level,
        n=n,
        events=events,
        unit=unit,
        method=METHODS[method],
        source=source,
        note=f"exact limits: {events} events or non-events" if exact else "",
    )


def normal_quantile(probability: float) -> float:
    """Return the standard normal quantile of a probability in (0, 1)."""
    return NormalDist().inv_cdf(probability)


def check_level(level: float) -> None:
    """Raise IntervalMalformed where `level` does not lie strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise IntervalMalformed(
            f"a level of {level} is no confidence", next_step="Give a level such as 0.95."
        )


def check_counts(successes: int, n: int, *, level: float) -> None:
    """Raise IntervalMalformed unless 0 <= successes <= n, n >= 1 and 0 < level < 1."""
    check_level(level)
    if not (n >= 1 and 0 <= successes <= n):
        raise IntervalMalformed(
            f"{successes} of {n} is no share",
            next_step="Count the property among the units counted in n.",
        )


def _beta_quantile(probability: float, a: float, b: float) -> float:
    from scipy import special

    return float(special.betaincinv(a, b, probability))
