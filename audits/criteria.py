"""Acceptance criteria fixed before the results, and the verdict an estimate earns under them.

Definition: a criterion names a metric, a population, a direction with its floor, how the interval
    is read, and the smallest n that may decide.
Formula: let v be the value and [l, u] the interval.
    The floor is met when v <= f (at_most f), v >= f (at_least f), a <= v <= b (within [a, b]).
    point: meeting the floor suffices.
    excludes_baseline: additionally u < baseline (at_most) or l > baseline (at_least).
    margin: additionally the whole interval stays within `margin` of the floor on the wrong side:
        u <= f + margin, l >= f - margin, or a - margin <= l and u <= b + margin.
    superior and non_inferior read a difference, model minus comparator, at_least: more is better.
    superior: l > margin (at_least) or u < -margin (at_most); non_inferior: l > -margin or
        u < margin. The value on the wrong side of that limit is `fail`.
    Missing the floor is `fail`. Meeting it while the interval does not settle the matter is
    `insufficient`: more data could decide either way. So is, whatever the value, too small an n,
    too few events, too wide an interval.
Source: ICH E9 section 3.3.2 (margins are stated beforehand, the interval decides); ICH E10 section
    1.5.1 (choosing the margin of non-inferiority); P4 and P8.
Assumptions: the estimate's interval was built for the stated unit of independence.
Failure modes: many criteria judged at once raise the chance that one passes by luck; a plan states
    its multiplicity rule (`intervals.multiplicity`). `overall` is conservative: every criterion
    must pass. Non-inferior is not equal: the reason says where the whole interval is worse.
Cost: constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from audits.errors import CriterionMalformed, EstimateMismatch
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text

Direction: TypeAlias = Literal["at_most", "at_least", "within"]
Reading: TypeAlias = Literal["point", "excludes_baseline", "margin", "superior", "non_inferior"]
Pairing: TypeAlias = Literal["paired", "unpaired"]

READINGS: Final[tuple[Reading, ...]] = (
    "point",
    "excludes_baseline",
    "margin",
    "superior",
    "non_inferior",
)
COMPARATIVE: Final[tuple[Reading, ...]] = ("superior", "non_inferior")
GAP: Final = " minus "
"""What the population of a difference has in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One floor a version has to meet.

    `at_most` and `at_least` use `floor`; `within` uses `low` and `high`. `baseline` belongs to the
    reading `excludes_baseline`, `margin` (>= 0) to the reading `margin`. The comparative readings
    take margin, `comparator` and `pairing` (paired: both on the same subjects) and no limit; their
    population is a difference, "a minus b". `minimum_events` and `maximum_width` go with any
    reading.
    """

    id: str
    metric: str
    direction: Direction
    population: str = "all"
    floor: float | None = None
    low: float | None = None
    high: float | None = None
    reading: Reading = "point"
    baseline: float | None = None
    margin: float | None = None
    minimum_n: int = 1
    comparator: str | None = None
    pairing: Pairing | None = None
    minimum_events: int | None = None
    maximum_width: float | None = None

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise CriterionMalformed(
                f"criterion {self.id!r}: {fault}",
                next_step="Correct the criterion before the plan is frozen.",
            )

    def _fault(self) -> str:
        if not self.id or not self.metric or not self.population:
            return "id, metric and population must not be empty"
        numbers = (self.floor, self.low, self.high, self.baseline, self.margin, self.maximum_width)
        if not all(x is None or math.isfinite(x) for x in numbers):
            return "limits must be finite"
        if self.minimum_n < 1:
            return "minimum_n must be at least 1"
        if self.minimum_events is not None and self.minimum_events < 1:
            return "minimum_events must be at least 1"
        if self.maximum_width is not None and self.maximum_width <= 0:
            return "maximum_width must be above 0"
        if self.reading not in READINGS:
            return f"unknown reading {self.reading!r}"
        if self.reading in COMPARATIVE:
            return self._fault_of_comparison()
        return self._fault_of_direction() or self._fault_of_reading()

    def _fault_of_comparison(self) -> str:
        if self.direction not in ("at_most", "at_least"):
            return f"`{self.direction}` has no better side to compare on"
        if any(x is not None for x in (self.floor, self.low, self.high, self.baseline)):
            return f"`{self.reading}` takes a margin, not floor, low, high or baseline"
        if self.margin is None or self.margin < 0:
            return f"`{self.reading}` takes a margin that is not negative"
        if self.reading == "non_inferior" and self.margin == 0:
            return "non-inferiority without a margin is superiority"
        if not self.comparator or self.pairing not in ("paired", "unpaired"):
            return f"`{self.reading}` names its comparator, and whether it is paired or unpaired"
        if GAP not in self.population:
            return f"`{self.reading}` reads a difference: the population is `a minus b`"
        return ""

    def _fault_of_direction(self) -> str:
        if self.direction not in ("at_most", "at_least", "within"):
            return f"unknown direction {self.direction!r}"
        if self.direction == "within":
            if self.floor is not None or self.low is None or self.high is None:
                return "`within` takes low and high, not floor"
            return "low must not exceed high" if self.low > self.high else ""
        if self.floor is None or self.low is not None or self.high is not None:
            return f"`{self.direction}` takes floor, not low and high"
        return ""

    def _fault_of_reading(self) -> str:
        if self.comparator is not None or self.pairing is not None:
            return "a comparator goes with the readings `superior` and `non_inferior`"
        if (self.reading == "excludes_baseline") != (self.baseline is not None):
            return "a baseline goes with the reading `excludes_baseline`, and only with it"
        if (self.reading == "margin") != (self.margin is not None):
            return "a margin goes with the reading `margin`, and only with it"
        if self.reading == "excludes_baseline" and self.direction == "within":
            return "`within` has no better side, so no baseline to exclude"
        if self.margin is not None and self.margin < 0:
            return "a margin is never negative"
        return ""

    def as_record(self) -> dict[str, Json]:
        """Return the criterion in the JSON domain, limits as decimal text."""
        limits = {
            "floor": self.floor,
            "low": self.low,
            "high": self.high,
            "baseline": self.baseline,
            "margin": self.margin,
        }
        record: dict[str, Json] = {
            "id": self.id,
            "metric": self.metric,
            "population": self.population,
            "direction": self.direction,
            "reading": self.reading,
            "minimum_n": self.minimum_n,
        }
        for name, x in limits.items():
            record[name] = None if x is None else decimal_text(x, digits=RECORD_DIGITS)
        return record | self._additions()

    def _additions(self) -> dict[str, Json]:
        """Return what criteria may say since later: absent where not said, so records stay."""
        width = self.maximum_width
        said: dict[str, Json] = {
            "comparator": self.comparator,
            "pairing": self.pairing,
            "minimum_events": self.minimum_events,
            "maximum_width": None if width is None else decimal_text(width, digits=RECORD_DIGITS),
        }
        return {name: x for name, x in said.items() if x is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one criterion, with the sentence that explains it."""

    criterion: str
    verdict: Verdict
    reason: str
    estimate: Estimate

    def as_record(self) -> dict[str, Json]:
        """Return the judgement in the JSON domain."""
        return {
            "criterion": self.criterion,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "estimate": self.estimate.as_record(),
        }


def judge(criterion: Criterion, estimate: Estimate) -> Judgement:
    """Return the verdict `estimate` earns under `criterion`.

    Raises EstimateMismatch where the estimate is about another metric or population.
    """
    if (criterion.metric, criterion.population) != (estimate.metric, estimate.population):
        raise EstimateMismatch(
            f"criterion {criterion.id!r} is about {criterion.metric} of {criterion.population}, "
            f"the estimate about {estimate.metric} of {estimate.population}",
            next_step="Pair each criterion with the estimate it names.",
        )
    verdict, reason = _decide(criterion, estimate)
    return Judgement(criterion=criterion.id, verdict=verdict, reason=reason, estimate=estimate)


def overall(judgements: Iterable[Judgement]) -> Verdict:
    """Return fail if any failed, else insufficient if any was or there are none, else pass."""
    verdicts = [judgement.verdict for judgement in judgements]
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    if not verdicts or Verdict.INSUFFICIENT in verdicts:
        return Verdict.INSUFFICIENT
    return Verdict.PASS


def _decide(criterion: Criterion, estimate: Estimate) -> tuple[Verdict, str]:
    if estimate.value is None:
        return Verdict.INSUFFICIENT, f"The estimate is undefined: {estimate.note}."
    too_little = _too_little(criterion, estimate)
    if too_little:
        return Verdict.INSUFFICIENT, too_little
    value = decimal_text(estimate.value, digits=RECORD_DIGITS)
    if not _meets(criterion, estimate.value):
        return Verdict.FAIL, f"The value {value} misses {_limit(criterion)}."
    if criterion.reading == "point":
        return Verdict.PASS, f"The value {value} meets {_limit(criterion)}."
    if estimate.low is None or estimate.high is None:
        missing = f"but there is no interval: {estimate.note}."
        return Verdict.INSUFFICIENT, f"The value {value} meets {_limit(criterion)}, {missing}"
    if criterion.reading in COMPARATIVE:
        return _read_comparison(criterion, value=value, low=estimate.low, high=estimate.high)
    return _read_interval(criterion, value=value, low=estimate.low, high=estimate.high)


def _too_little(criterion: Criterion, estimate: Estimate) -> str:
    """Return why n, events or width do not let the estimate decide, or nothing."""
    if estimate.n < criterion.minimum_n:
        return f"n = {estimate.n} ({estimate.unit}) is below the required {criterion.minimum_n}."
    if criterion.minimum_events is not None:
        if estimate.events is None:
            return f"{criterion.minimum_events} events are required, and none were counted."
        if estimate.events < criterion.minimum_events:
            return f"{estimate.events} events are below the required {criterion.minimum_events}."
    if criterion.maximum_width is not None:
        most = decimal_text(criterion.maximum_width, digits=RECORD_DIGITS)
        if estimate.low is None or estimate.high is None:
            return f"An interval at most {most} wide is required, and there is none."
        width = estimate.high - estimate.low
        if width > criterion.maximum_width:
            wide = decimal_text(width, digits=RECORD_DIGITS)
            return f"The interval is {wide} wide, at most {most} is required."
    return ""


def _read_comparison(
    criterion: Criterion, *, value: str, low: float, high: float
) -> tuple[Verdict, str]:
    lower, upper = _bounds(criterion)
    interval = _interval_text(low, high)
    stands = f"{criterion.reading.replace('_', '-')} to {criterion.comparator}"
    limit = decimal_text(lower if lower is not None else upper or 0.0, digits=RECORD_DIGITS)
    settled = (lower is None or low > lower) and (upper is None or high < upper)
    if not settled:
        reason = f"The difference {value} would be {stands}, but the interval {interval} does not"
        return Verdict.INSUFFICIENT, f"{reason} exclude {limit}."
    reason = f"The difference {value} is {stands}: the interval {interval} excludes {limit}"
    worse = high < 0 if lower is not None else low > 0
    return Verdict.PASS, f"{reason}, though all of it is worse." if worse else f"{reason}."


def _interval_text(low: float, high: float) -> str:
    return f"[{decimal_text(low, digits=6)}, {decimal_text(high, digits=6)}]"


def _read_interval(
    criterion: Criterion, *, value: str, low: float, high: float
) -> tuple[Verdict, str]:
    interval = _interval_text(low, high)
    meets = f"The value {value} meets {_limit(criterion)}"
    if criterion.reading == "margin":
        settled, wrong, what = _clears_margin(criterion, low, high), False, "the margin"
    else:
        settled, wrong, what = _excludes_baseline(criterion, low, high)
    if settled:
        return Verdict.PASS, f"{meets} and the interval {interval} excludes {what}."
    if wrong:
        return Verdict.FAIL, f"{meets}, but the interval {interval} lies beyond {what}."
    return Verdict.INSUFFICIENT, f"{meets}, but the interval {interval} does not exclude {what}."


def _excludes_baseline(criterion: Criterion, low: float, high: float) -> tuple[bool, bool, str]:
    baseline = criterion.baseline
    if baseline is None:  # pragma: no cover - refused when the criterion is built
        raise RuntimeError("the reading excludes_baseline has a baseline")
    what = f"the baseline {decimal_text(baseline, digits=RECORD_DIGITS)}"
    if criterion.direction == "at_most":
        return high < baseline, low > baseline, what
    return low > baseline, high < baseline, what


def _clears_margin(criterion: Criterion, low: float, high: float) -> bool:
    margin = criterion.margin or 0.0
    lower, upper = _bounds(criterion)
    return (lower is None or low >= lower - margin) and (upper is None or high <= upper + margin)


def _meets(criterion: Criterion, value: float) -> bool:
    lower, upper = _bounds(criterion)
    return (lower is None or value >= lower) and (upper is None or value <= upper)


def _bounds(criterion: Criterion) -> tuple[float | None, float | None]:
    if criterion.reading in COMPARATIVE:
        margin = criterion.margin or 0.0
        limit = margin if criterion.reading == "superior" else -margin
        return (limit, None) if criterion.direction == "at_least" else (None, -limit)
    if criterion.direction == "within":
        return criterion.low, criterion.high
    return (None, criterion.floor) if criterion.direction == "at_most" else (criterion.floor, None)


def _limit(criterion: Criterion) -> str:
    lower, upper = _bounds(criterion)
    texts = [None if x is None else decimal_text(x, digits=RECORD_DIGITS) for x in (lower, upper)]
    if criterion.direction == "within":
        return f"the range {texts[0]} to {texts[1]}"
    return f"at most {texts[1]}" if criterion.direction == "at_most" else f"at least {texts[0]}"
