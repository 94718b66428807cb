"""The currency of every audit: a value with its interval, its n and the method behind it.

Definition: an estimate names the metric, the population, the point value, a two-sided interval at
    a stated level, n, the unit of independence counted by n, and the method.
Formula: none; `decimal_text` writes a number with a stated count of significant digits.
Source: the house rule that no bare number leaves this package (P8).
Assumptions: numbers are finite. An undefined value is None with a note, never zero or NaN.
Failure modes: a value without an interval is allowed only with a note saying why there is none.
Cost: constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from audits.errors import EstimateMalformed

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

RECORD_DIGITS = 6
"""Significant digits in records: a rerun on another processor must give the same bytes."""


class Verdict(StrEnum):
    """What a machine decides; `review` is the word for what a person decides."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    FAIL = "fail"
    INSUFFICIENT = "insufficient"


def decimal_text(x: float, *, digits: int = 9) -> str:
    """Write `x` with at most `digits` significant digits: plain notation, no trailing zeros, no -0.

    Raises EstimateMalformed for NaN and infinities, which have no place in a record.
    """
    if not math.isfinite(x):
        raise EstimateMalformed(
            f"{x} is not a finite number",
            next_step="Report an undefined value as None with a note instead.",
        )
    text = format(Decimal(f"{float(x):.{digits}g}"), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with what is needed to believe it.

    `value` None means undefined, `note` says why, and no criterion passes on it (P8). `low` and
    `high` are both numbers or both None. `unit` is the unit of independence that `n` counts.
    `events`, where known, is the count that limits what can be learnt: the rarer outcome's.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    unit: str
    method: str
    source: str = "series"
    population: str = "all"
    note: str = ""
    events: int | None = None

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise EstimateMalformed(
                f"estimate of {self.metric!r} for {self.population!r}: {fault}",
                next_step="Build an undefined estimate with `undefined(...)` where data run out.",
            )

    def _fault(self) -> str:
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            return "value and limits must be finite or None"
        if (self.low is None) != (self.high is None):
            return "an interval has two limits or none"
        if self.low is not None and self.high is not None and self.low > self.high:
            return "the lower limit exceeds the upper limit"
        if self.value is None and self.low is not None:
            return "an undefined value has no interval"
        if self.low is None and not self.note:
            return "a missing value or interval needs a note saying why"
        if not 0.0 < self.level < 1.0:
            return "the level lies strictly between 0 and 1"
        if self.n < 0 or (self.events is not None and self.events < 0):
            return "n and events are never negative"
        return ""

    def as_record(self, *, digits: int = RECORD_DIGITS) -> dict[str, Json]:
        """Return the estimate in the JSON domain, numbers as decimal text; `events` where known."""
        record: dict[str, Json] = {
            "metric": self.metric,
            "population": self.population,
            "value": _text(self.value, digits=digits),
            "low": _text(self.low, digits=digits),
            "high": _text(self.high, digits=digits),
            "level": decimal_text(self.level, digits=digits),
            "n": self.n,
            "unit": self.unit,
            "method": self.method,
            "source": self.source,
            "note": self.note,
        }
        if self.events is not None:
            record["events"] = self.events
        return record


def undefined(
    *,
    metric: str,
    note: str,
    level: float,
    n: int,
    unit: str,
    method: str,
    population: str = "all",
    source: str = "series",
    events: int | None = None,
) -> Estimate:
    """Return an estimate that says why there is no number; it is shown, never dropped (P8)."""
    return Estimate(
        metric=metric,
        value=None,
        low=None,
        high=None,
        level=level,
        n=n,
        unit=unit,
        method=method,
        population=population,
        source=source,
        events=events,
        note=note,
    )


def _text(x: float | None, *, digits: int) -> str | None:
    return None if x is None else decimal_text(x, digits=digits)
