"""Acceptance criteria fixed before the results, and the verdict an estimate earns under them.

Definition: a criterion names a metric, a population, a direction with its floor, how the interval
    is read, and the smallest n that may decide.
Formula: let v be the value and [l, u] the interval.
    The floor is met when v <= f (at_most f), v >= f (at_least f), a <= v <= b (within [a, b]).
    point: meeting the floor suffices.
    excludes_baseline: additionally u < baseline (at_most) or l > baseline (at_least).
    margin: additionally the whole interval stays within `margin` of the floor on the wrong side:
        u <= f + margin, l >= f - margin, or a - margin <= l and u <= b + margin.
    Missing the floor is `fail`. Meeting it while the interval does not settle the matter is
    `insufficient`: more data could decide either way.
Source: ICH E9 section 3.3.2 (margins are stated beforehand, the interval decides); P4 and P8.
Assumptions: the estimate's interval was built for the stated unit of independence.
Failure modes: many criteria judged at once raise the chance that one fails by luck; a plan states
    its multiplicity rule. `overall` is conservative: every criterion must pass.
Cost: constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from audits.errors import CriterionMalformed, EstimateMismatch
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text

Direction: TypeAlias = Literal["at_most", "at_least", "within"]
Reading: TypeAlias = Literal["point", "excludes_baseline", "margin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One floor a version has to meet.

    `at_most` and `at_least` use `floor`; `within` uses `low` and `high`. `baseline` belongs to the
    reading `excludes_baseline`, `margin` (>= 0) to the reading `margin`.
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
        numbers = (self.floor, self.low, self.high, self.baseline, self.margin)
        if not all(x is None or math.isfinite(x) for x in numbers):
            return "limits must be finite"
        if self.minimum_n < 1:
            return "minimum_n must be at least 1"
        return self._fault_of_direction() or self._fault_of_reading()

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
        if self.reading not in ("point", "excludes_baseline", "margin"):
            return f"unknown reading {self.reading!r}"
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
        return record


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
    if estimate.n < criterion.minimum_n:
        return (
            Verdict.INSUFFICIENT,
            f"n = {estimate.n} ({estimate.unit}) is below the required {criterion.minimum_n}.",
        )
    value = decimal_text(estimate.value, digits=RECORD_DIGITS)
    if not _meets(criterion, estimate.value):
        return Verdict.FAIL, f"The value {value} misses {_limit(criterion)}."
    if criterion.reading == "point":
        return Verdict.PASS, f"The value {value} meets {_limit(criterion)}."
    if estimate.low is None or estimate.high is None:
        missing = f"but there is no interval: {estimate.note}."
        return Verdict.INSUFFICIENT, f"The value {value} meets {_limit(criterion)}, {missing}"
    return _read_interval(criterion, value=value, low=estimate.low, high=estimate.high)


def _read_interval(
    criterion: Criterion, *, value: str, low: float, high: float
) -> tuple[Verdict, str]:
    interval = f"[{decimal_text(low, digits=6)}, {decimal_text(high, digits=6)}]"
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
    if criterion.direction == "within":
        return criterion.low, criterion.high
    return (None, criterion.floor) if criterion.direction == "at_most" else (criterion.floor, None)


def _limit(criterion: Criterion) -> str:
    lower, upper = _bounds(criterion)
    texts = [None if x is None else decimal_text(x, digits=RECORD_DIGITS) for x in (lower, upper)]
    if criterion.direction == "within":
        return f"the range {texts[0]} to {texts[1]}"
    return f"at most {texts[1]}" if criterion.direction == "at_most" else f"at least {texts[0]}"
