"""Sample size and power of a criterion, before data are opened.

Definition: the power is the chance that the criterion passes when an assumption is true; the
    required n is the smallest from which it stays at or above a target.
Formula: a share is judged for every count x that can come out, as it will be judged, and the
    binomial chances of those that pass are added. Other metrics: with z the quantile of (1 + level)
    /2 (for a mean that of t, n - 1 degrees), b the limit that the interval has to exclude and f the
    floor, the estimate passes from max(f, b + z se0) on (at_least; at_most and within alike), and
    the power is the normal chance of that under value and se1. See `assumptions` for se0, se1.
Source: Chow, Shao and Wang (2008), Sample Size Calculations in Clinical Research, 2nd edition,
    chapters 3 and 4; A'Hern (2001), Statistics in Medicine 20, 859-866 (exact binomial); Hanley and
    McNeil (1982), Radiology 143, 29-36, table III.
Assumptions: as stated in the assumption; the criterion is read at `level`, which a multiplicity
    rule makes higher than .95.
Failure modes: the exact power of a share moves up and down with n: from the required n on, it was
    seen not to fall below the target for the next LOOK_AHEAD n. minimum_events is kept by the
    expected number (of a share exactly), and not looked at for means. No n up to
    `limit` is refused, never rounded (P8).
Cost: share: some 16 sqrt(n p (1 - p)) judgements an n; others constant; the search halves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audits.criteria import COMPARATIVE, Criterion, judge
from audits.errors import SampleSizeRefused
from audits.estimate import RECORD_DIGITS, Json, Verdict, decimal_text
from audits.intervals.assumptions import (
    Assumption,
    AurocAssumed,
    AurocDifferenceAssumed,
    MeanAssumed,
    NormalAssumption,
    ShareAssumed,
    ShareDifferenceAssumed,
    chance_between,
)
from audits.intervals.proportion import (
    ProportionMethod,
    check_level,
    normal_quantile,
    proportion_estimate,
)

LOOK_AHEAD: Final = 60
LIMIT: Final = 10_000_000
EXACT_LIMIT: Final = 20_000
"""Beyond this n the sums of a share take minutes; a share that needs more has a normal twin."""
NEGLIGIBLE: Final = 9.0
"""Standard deviations beyond which a count does not come out (chance below 1e-18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The chance that `criterion` passes with n units if `assumption` is true."""

    criterion: str
    value: float
    n: int
    level: float
    method: str
    assumption: Assumption

    def as_record(self) -> dict[str, Json]:
        """Return the power in the JSON domain."""
        return {
            "criterion": self.criterion,
            "power": decimal_text(self.value, digits=RECORD_DIGITS),
            "n": self.n,
            "level": decimal_text(self.level, digits=RECORD_DIGITS),
            "method": self.method,
            "assumption": self.assumption.as_record(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """The n that a criterion needs: `groups` says how it divides, `power` what it attains."""

    n: int
    groups: dict[str, int]
    target: float
    power: Power

    def as_record(self) -> dict[str, Json]:
        """Return the sample size in the JSON domain."""
        groups: dict[str, Json] = dict(self.groups)
        return {
            "n": self.n,
            "groups": groups,
            "target": decimal_text(self.target, digits=RECORD_DIGITS),
            "power": self.power.as_record(),
        }


def power_at(
    criterion: Criterion,
    assumption: Assumption,
    *,
    n: int,
    level: float = 0.95,
    method: ProportionMethod = "wilson",
) -> Power:
    """Return the power with n units; `method` is the interval of a share.

    Raises SampleSizeRefused where n is below 2 or too large for exact sums.
    """
    check_level(level)
    if n < 2:
        raise SampleSizeRefused(f"n = {n} decides nothing", next_step="Ask for at least 2 units.")
    if isinstance(assumption, ShareAssumed):
        value = _exact(criterion, assumption, n=n, level=level, method=method)
    else:
        value = _normal(criterion, assumption, n=n, level=level)
    return Power(
        criterion=criterion.id,
        value=value,
        n=n,
        level=level,
        method=assumption.method,
        assumption=assumption,
    )


def required_n(
    criterion: Criterion,
    assumption: Assumption,
    *,
    power: float = 0.8,
    level: float = 0.95,
    method: ProportionMethod = "wilson",
    limit: int | None = None,
) -> SampleSize:
    """Return the smallest n from which the power stays at `power` or above.

    Raises SampleSizeRefused where no n up to `limit` reaches it: the assumption then lies too near
    the limit that the criterion has to exclude, or beyond it.
    """
    if not 0.0 < power < 1.0:
        raise SampleSizeRefused(
            f"a power of {power} cannot be asked for", next_step="Ask for a power such as 0.8."
        )
    exact = isinstance(assumption, ShareAssumed)
    most = limit or (EXACT_LIMIT if exact else LIMIT)

    def reaches(n: int) -> bool:
        found = power_at(criterion, assumption, n=n, level=level, method=method)
        return found.value >= power

    n = _smallest(reaches, start=max(2, criterion.minimum_n), most=most)
    if n is None:
        raise SampleSizeRefused(
            f"no n up to {most} gives {criterion.id!r} the power {power}",
            next_step="Assume a better value, widen the margin, or ask for less power.",
        )
    if exact:
        n = _steady(reaches, n, least=max(2, criterion.minimum_n))
    return SampleSize(
        n=n,
        groups=assumption.n_of_groups(n),
        target=power,
        power=power_at(criterion, assumption, n=n, level=level, method=method),
    )


def _smallest(reaches: Callable[[int], bool], *, start: int, most: int) -> int | None:
    """Return the n at which `reaches` turns true, by doubling and halving."""
    low, high = start - 1, start
    while not reaches(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _steady(reaches: Callable[[int], bool], n: int, *, least: int) -> int:
    """Return the smallest n near `n` after which none of the next LOOK_AHEAD falls short."""
    first = max(least, n - LOOK_AHEAD)
    last_short = first - 1
    at = first
    while at <= max(last_short, n) + LOOK_AHEAD:
        if not reaches(at):
            last_short = at
        at += 1
    return last_short + 1


def _exact(
    criterion: Criterion,
    assumption: ShareAssumed,
    *,
    n: int,
    level: float,
    method: ProportionMethod,
) -> float:
    import numpy as np
    from scipy import special

    units = math.floor(n / assumption.design_effect)
    if units > EXACT_LIMIT or units < 1:
        raise SampleSizeRefused(
            f"{units} independent units are not between 1 and {EXACT_LIMIT}",
            next_step="Assume a mean instead: at this size its normal approximation serves.",
        )
    p = assumption.value
    reach = NEGLIGIBLE * math.sqrt(units * p * (1 - p)) + NEGLIGIBLE
    first = max(0, math.floor(units * p - reach))
    last = min(units, math.ceil(units * p + reach))
    counts = np.array(
        [
            x
            for x in range(first, last + 1)
            if _passes(criterion, x, units=units, level=level, method=method)
        ]
    )
    if counts.size == 0:
        return 0.0
    log_chance = special.xlogy(counts, p) + special.xlog1py(units - counts, -p)
    log_chance -= special.betaln(counts + 1, units - counts + 1) + math.log(units + 1)
    return float(np.exp(log_chance).sum())


def _passes(
    criterion: Criterion, successes: int, *, units: int, level: float, method: ProportionMethod
) -> bool:
    found = proportion_estimate(
        metric=criterion.metric,
        population=criterion.population,
        successes=successes,
        n=units,
        level=level,
        unit="unit",
        method=method,
    )
    return judge(criterion, found).verdict is Verdict.PASS


def _normal(criterion: Criterion, assumption: NormalAssumption, *, n: int, level: float) -> float:
    if n < criterion.minimum_n or _too_few_events(criterion, assumption, n):
        return 0.0
    z = _reach(assumption, n=n, level=level)
    lower, upper = _limits(criterion)
    at_limit, true = assumption.errors(n, limit=lower if lower is not None else upper or 0.0)
    if criterion.maximum_width is not None and 2 * z * true > criterion.maximum_width:
        return 0.0
    low, high = _floors(criterion)
    if criterion.reading != "point":
        low = max(low, -math.inf if lower is None else lower + z * at_limit)
        high = min(high, math.inf if upper is None else upper - z * at_limit)
    return chance_between(low, high, mean=assumption.value, error=true)


def _limits(criterion: Criterion) -> tuple[float | None, float | None]:
    """Return what the interval has to exclude below and above."""
    margin = criterion.margin or 0.0
    if criterion.reading in COMPARATIVE:
        limit = margin if criterion.reading == "superior" else -margin
        return (limit, None) if criterion.direction == "at_least" else (None, -limit)
    if criterion.direction == "within":
        low, high = criterion.low or 0.0, criterion.high or 0.0
        return low - margin, high + margin
    if criterion.reading == "excludes_baseline":
        limit = criterion.baseline or 0.0
    else:
        limit = (criterion.floor or 0.0) - (
            margin if criterion.direction == "at_least" else -margin
        )
    return (limit, None) if criterion.direction == "at_least" else (None, limit)


def _floors(criterion: Criterion) -> tuple[float, float]:
    """Return between what the value itself has to lie."""
    if criterion.reading in COMPARATIVE:
        return -math.inf, math.inf
    if criterion.direction == "within":
        return criterion.low or 0.0, criterion.high or 0.0
    floor = criterion.floor or 0.0
    return (floor, math.inf) if criterion.direction == "at_least" else (-math.inf, floor)


def _reach(assumption: NormalAssumption, *, n: int, level: float) -> float:
    if not isinstance(assumption, MeanAssumed):
        return normal_quantile((1 + level) / 2)
    from scipy import special

    degrees = max(1, math.floor(n / assumption.design_effect) - 1)
    return float(special.stdtrit(degrees, (1 + level) / 2))


def _too_few_events(criterion: Criterion, assumption: NormalAssumption, n: int) -> bool:
    if criterion.minimum_events is None:
        return False
    groups = assumption.n_of_groups(n)
    if isinstance(assumption, AurocAssumed | AurocDifferenceAssumed):
        return min(groups.values()) < criterion.minimum_events
    if isinstance(assumption, ShareDifferenceAssumed):
        shares = {"first": assumption.first, "second": assumption.second}
        rarer = [min(p, 1 - p) * groups[name] for name, p in shares.items()]
        return min(rarer) < criterion.minimum_events
    return False
