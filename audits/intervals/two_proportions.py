"""Limits for the difference and the ratio of two independent proportions.

Definition: x1 of n1 and x2 of n2 independent units have a property; the interval holds p1 - p2 or
    p1 / p2.
Formula: z = normal quantile of (1 + level)/2; p^ observed shares; p~(t) the most likely shares
    under the restriction that difference or ratio equals t.
    Newcombe: with limits l, u of each share, d - sqrt((p1^ - l1)^2 + (u2 - p2^)^2) to
        d + sqrt((u1 - p1^)^2 + (p2^ - l2)^2), d = p1^ - p2^; l, u from Wilson (`newcombe`), from
        the limits of `proportion_estimate` or from any other interval (`mover_difference`).
    Miettinen-Nurminen: all t with (d - t)^2 <= z^2 V(t), V(t) = (p1~ (1 - p1~)/n1 +
        p2~ (1 - p2~)/n2) N/(N - 1), N = n1 + n2.
    Koopman: all t with (p1^ - t p2^)^2 <= z^2 (p1~ (1 - p1~)/n1 + t^2 p2~ (1 - p2~)/n2).
    Katz: exp(log(p1^/p2^) -/+ z sqrt(1/x1 - 1/n1 + 1/x2 - 1/n2)); undefined where x1 or x2 is 0.
Source: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10; Zou and Donner (2008),
    Statistics in Medicine 27, 1693-1702 (any limits); Miettinen and Nurminen (1985), Statistics in
    Medicine 4, 213-226; Koopman (1984), Biometrics 40, 513-517; Katz et al. (1978), Biometrics 34,
    469-474.
Assumptions: units are independent within and between the groups. Where rows repeat subjects, take
    `clustered` limits through `mover_difference`.
Failure modes: a group of nobody leaves difference and ratio undefined. A ratio over a group without
    events has no upper limit and is undefined, never infinite or zero (P8). Exact coverage is in
    docs/reference/coverage.md.
Cost: constant; the score limits search by halving.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from audits.errors import IntervalMalformed
from audits.estimate import Estimate, undefined
from audits.intervals.proportion import check_counts, normal_quantile, proportion_limits, wilson

DifferenceMethod: TypeAlias = Literal["newcombe", "miettinen-nurminen"]
RatioMethod: TypeAlias = Literal["koopman", "katz"]

DIFFERENCE_METHODS: Final[dict[DifferenceMethod, str]] = {
    "newcombe": "Newcombe hybrid score interval, exact limits below 5 events or non-events, v1",
    "miettinen-nurminen": "Miettinen-Nurminen score interval, v1",
}
RATIO_METHODS: Final[dict[RatioMethod, str]] = {
    "koopman": "Koopman score interval, v1",
    "katz": "Katz log interval, v1",
}
HALVINGS: Final = 60
"""Halvings of an interval of at most 2, or of a power of two: finer than double precision."""
LARGEST_RATIO_POWER: Final = 60
ROUNDING: Final = 1e-14
"""A distance below this is the rounding of two equal shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`successes` of `n` units of one group."""

    successes: int
    n: int

    @property
    def value(self) -> float:
        """Return the observed share; n is positive."""
        return self.successes / self.n

    @property
    def events(self) -> int:
        """Return the smaller of successes and failures."""
        return min(self.successes, self.n - self.successes)


def mover_difference(
    first: float,
    first_limits: tuple[float, float],
    second: float,
    second_limits: tuple[float, float],
) -> tuple[float, float]:
    """Return limits of `first` minus `second`, two independent values with limits of their own."""
    difference = first - second
    low = difference - math.hypot(first - first_limits[0], second_limits[1] - second)
    high = difference + math.hypot(first_limits[1] - first, second - second_limits[0])
    return low, high


def newcombe(first: Share, second: Share, *, level: float) -> tuple[float, float]:
    """Return Newcombe's limits of the difference, as published: from Wilson's limits.

    Raises IntervalMalformed for counts that contradict each other or a level outside (0, 1).
    """
    return mover_difference(
        first.value if first.n else 0.0,
        wilson(first.successes, first.n, level=level),
        second.value if second.n else 0.0,
        wilson(second.successes, second.n, level=level),
    )


def miettinen_nurminen(first: Share, second: Share, *, level: float) -> tuple[float, float]:
    """Return the score limits of the difference; errors as `newcombe`."""
    _check(first, second, level=level)
    z = normal_quantile((1 + level) / 2)

    def held(t: float) -> bool:
        return abs(difference_score(first, second, null=t)) <= z

    difference = first.value - second.value
    return _edge(difference, -1.0, held), _edge(difference, 1.0, held)


def difference_score(first: Share, second: Share, *, null: float) -> float:
    """Return the score statistic of "the difference is `null`", standard normal if it is.

    Infinite where the data exclude `null` for certain. Its one-sided p-value for a margin is that
    of Farrington and Manning's test, with the factor N/(N - 1).
    """
    n = first.n + second.n
    distance = first.value - second.value - null
    variance = _restricted_difference(first, second, null) * n / (n - 1)
    return _standardised(distance, variance)


def ratio_score(first: Share, second: Share, *, null: float) -> float:
    """Return the score statistic of "the ratio is `null`", as `difference_score`."""
    distance = first.value - null * second.value
    return _standardised(distance, _restricted_ratio(first, second, null))


def koopman(first: Share, second: Share, *, level: float) -> tuple[float, float]:
    """Return the score limits of the ratio; the upper one is infinite where the second has none.

    Raises IntervalMalformed as `newcombe`, and where neither group has an event.
    """
    _check(first, second, level=level)
    if first.successes == second.successes == 0:
        raise IntervalMalformed(
            "neither group has an event", next_step="A ratio needs an event in the second group."
        )
    z = normal_quantile((1 + level) / 2)

    def held(power: float) -> bool:
        return abs(ratio_score(first, second, null=2.0**power)) <= z

    middle = _middle(first, second)
    low = 0.0 if first.successes == 0 else 2.0 ** _edge(middle, -LARGEST_RATIO_POWER, held)
    high = math.inf if second.successes == 0 else 2.0 ** _edge(middle, LARGEST_RATIO_POWER, held)
    return low, high


def katz(first: Share, second: Share, *, level: float) -> tuple[float, float] | None:
    """Return the limits of the ratio on the logarithmic scale, or None where a count is zero."""
    _check(first, second, level=level)
    if first.successes == 0 or second.successes == 0:
        return None
    variance = 1 / first.successes - 1 / first.n + 1 / second.successes - 1 / second.n
    reach = normal_quantile((1 + level) / 2) * math.sqrt(variance)
    ratio = first.value / second.value
    return ratio * math.exp(-reach), ratio * math.exp(reach)


def difference_limits(
    first: Share, second: Share, *, level: float, method: DifferenceMethod = "newcombe"
) -> tuple[float, float]:
    """Return the limits that `difference_estimate` gives."""
    if method == "miettinen-nurminen":
        return miettinen_nurminen(first, second, level=level)
    _check(first, second, level=level)
    limits = (proportion_limits(one.successes, one.n, level=level) for one in (first, second))
    return mover_difference(first.value, next(limits), second.value, next(limits))


def difference_estimate(
    *,
    metric: str,
    first: Share,
    second: Share,
    level: float,
    unit: str,
    population: str,
    method: DifferenceMethod = "newcombe",
    source: str = "tally",
) -> Estimate:
    """Return first minus second with its limits; n counts the units of both.

    `events` is that of the group with fewer. A group of nobody leaves it undefined (P8).
    """
    named = _named(DIFFERENCE_METHODS, method)
    common = {"metric": metric, "population": population, "unit": unit, "source": source}
    note = _nobody(first, second)
    if note:
        return undefined(
            **common, level=level, n=first.n + second.n, method=named, events=0, note=note
        )
    low, high = difference_limits(first, second, level=level, method=method)
    return Estimate(
        **common,
        value=first.value - second.value,
        low=low,
        high=high,
        level=level,
        n=first.n + second.n,
        events=min(first.events, second.events),
        method=named,
        note=_sizes(first, second),
    )


def ratio_estimate(
    *,
    metric: str,
    first: Share,
    second: Share,
    level: float,
    unit: str,
    population: str,
    method: RatioMethod = "koopman",
    source: str = "tally",
) -> Estimate:
    """Return first over second with its limits; `events` is the smaller number of successes.

    Undefined where a group is of nobody or the second has no event; with Katz, where either has
    none (P8).
    """
    named = _named(RATIO_METHODS, method)
    common = {"metric": metric, "population": population, "unit": unit, "source": source}
    events = min(first.successes, second.successes)
    n = first.n + second.n
    note = _nobody(first, second)
    if not note and second.successes == 0:
        note = f"the second group has no event in {second.n}"
    limits = None if note else _ratio_limits(first, second, level=level, method=method)
    if limits is None:
        note = note or f"the first group has no event in {first.n}: the logarithm is undefined"
        return undefined(**common, level=level, n=n, method=named, events=events, note=note)
    return Estimate(
        **common,
        value=first.value / second.value,
        low=limits[0],
        high=limits[1],
        level=level,
        n=n,
        events=events,
        method=named,
        note=_sizes(first, second),
    )


def _ratio_limits(
    first: Share, second: Share, *, level: float, method: RatioMethod
) -> tuple[float, float] | None:
    return (koopman if method == "koopman" else katz)(first, second, level=level)


def _standardised(distance: float, variance: float) -> float:
    if abs(distance) < ROUNDING:
        return 0.0
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def _edge(inside: float, outside: float, held: Callable[[float], bool]) -> float:
    """Return where `held` ends between a point that is held and `outside`."""
    if held(outside):
        return outside
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if held(middle):
            inside = middle
        else:
            outside = middle
    return inside


def restricted_shares(p1: float, p2: float, *, theta: float, null: float) -> tuple[float, float]:
    """Return the most likely shares that differ by `null`, where p1 and p2 were observed.

    `theta` is n2/n1. The likelihood equation is a cubic with one root in the range (Farrington and
    Manning 1990, Statistics in Medicine 9, 1447-1454, appendix).
    """
    t = null
    a = 1 + theta
    b = -(1 + theta + p1 + theta * p2 + t * (theta + 2))
    c = t * t + t * (2 * p1 + theta + 1) + p1 + theta * p2
    d = -p1 * t * (1 + t)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max(0.0, b * b / (3 * a) ** 2 - c / (3 * a))), v)
    cosine = 1.0 if u == 0 else max(-1.0, min(1.0, v / u**3))
    angle = (math.pi + math.acos(cosine)) / 3
    r1 = min(1.0, max(0.0, 2 * u * math.cos(angle) - b / (3 * a)))
    return r1, min(1.0, max(0.0, r1 - t))


def _restricted_difference(first: Share, second: Share, t: float) -> float:
    """Return the variance of the difference under the most likely shares that differ by `t`."""
    r1, r2 = restricted_shares(first.value, second.value, theta=second.n / first.n, null=t)
    return r1 * (1 - r1) / first.n + r2 * (1 - r2) / second.n


def _restricted_ratio(first: Share, second: Share, t: float) -> float:
    """Return the variance of p1 - t p2 under the most likely shares with ratio `t`."""
    a = (first.n + second.n) * t
    b = -(first.n * t + first.successes + second.n + second.successes * t)
    c = first.successes + second.successes
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    r2 = min(1.0, 2 * c / (root - b))
    r1 = min(1.0, t * r2)
    return r1 * (1 - r1) / first.n + t * t * r2 * (1 - r2) / second.n


def _middle(first: Share, second: Share) -> float:
    """Return the binary logarithm of a ratio that is surely held."""
    if first.successes == 0:
        return -float(LARGEST_RATIO_POWER)
    if second.successes == 0:
        return float(LARGEST_RATIO_POWER)
    return math.log2(first.value / second.value)


def _check(first: Share, second: Share, *, level: float) -> None:
    for one in (first, second):
        check_counts(one.successes, one.n, level=level)


def _nobody(first: Share, second: Share) -> str:
    empty = [name for name, one in (("first", first), ("second", second)) if one.n == 0]
    return f"nobody is in the {' and the '.join(empty)} group" if empty else ""


def _sizes(first: Share, second: Share) -> str:
    return f"{first.successes} of {first.n} against {second.successes} of {second.n}"


def _named(methods: dict[DifferenceMethod, str] | dict[RatioMethod, str], method: str) -> str:
    found = {str(key): text for key, text in methods.items()}.get(method)
    if found is None:
        raise IntervalMalformed(
            f"unknown method {method!r}", next_step=f"Use one of {', '.join(methods)}."
        )
    return found
