"""A monitoring trigger for forecast error whose false-alarm rate is declared, then calibrated.

Definition: z(t) is the mean over series (and origins) of the signed log error of month t divided by
    the calibrated half-width of its interval at that horizon. A two-sided CUSUM accumulates z and
    fires when it passes a limit; the limit is chosen so that a stable process fires within the
    declared number of months with the declared probability.
Formula: x(t) = (z(t) - centre) / scale, with the mean and standard deviation of the stable months;
    up(t) = max(0, up(t-1) + x(t) - k), down(t) = max(0, down(t-1) - x(t) - k), both from 0; fires
    when max(up, down) > limit. The limit: see `control_limit`.
Source: Page (1954), Biometrika 41(1/2), 100-115 (CUSUM); its limit as in `control_limit`.
Assumptions: the stable months are consecutive and representative of what is to come.
Failure modes: a stable period too short to contain slow swings makes the true rate exceed the
    declared one; the estimate's range shows how far the rate varies with the stable sample. Strong
    persistence raises the limit and delays detection. An all-clear after more than the declared
    months means nothing and is called insufficient. One bad month alone need not fire.
Cost: linear in the months of a run; calibration as in `control_limit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import TriggerMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text
from audits.forecasting.conformal import ConformalSpread, log_errors
from audits.forecasting.control_limit import CusumSettings, calibrated_limit, moments
from audits.forecasting.forecast_metrics import interval_levels
from audits.forecasting.rolling_origin import RollingErrors
from audits.sources.series import Month

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

KIND = "cusum"
METHOD = "two-sided CUSUM, double stationary bootstrap limit, v1"
REFERENCE = 0.5
"""k of the CUSUM: half the shift, in stable standard deviations, that it finds soonest."""
EXPECTED_BLOCK = 6
MINIMUM_STABLE_MONTHS = 48
MINIMUM_REPLICATES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    """The monthly statistic over a period accepted as stable, in consecutive months.

    `expected_block` is the mean length in months of the resampled blocks. Longer blocks keep more
    of the persistence of errors, but leave fewer different blocks to draw from.
    """

    start: Month
    values: tuple[float, ...]
    expected_block: int = EXPECTED_BLOCK

    def __post_init__(self) -> None:
        import math

        n = len(self.values)
        fault = ""
        if n < MINIMUM_STABLE_MONTHS:
            fault = f"{n} stable months are fewer than {MINIMUM_STABLE_MONTHS}"
        elif not all(math.isfinite(x) for x in self.values):
            fault = "a stable month has no finite statistic"
        elif not 1 <= self.expected_block <= n // 2:
            fault = f"the expected block must lie between 1 and {n // 2} months"
        elif min(self.values) == max(self.values):
            fault = "the stable months do not vary"
        if fault:
            raise TriggerMalformed(fault, next_step="Give a longer stable period.")

    @classmethod
    def of(
        cls, errors_by_month: Mapping[Month, float], *, expected_block: int = EXPECTED_BLOCK
    ) -> Stable:
        """Return the stable period of a mapping whose months have no gap."""
        months = _consecutive(errors_by_month)
        if not months:
            raise TriggerMalformed("there is no stable month", next_step="Give a stable period.")
        return cls(
            start=months[0],
            values=tuple(errors_by_month[month] for month in months),
            expected_block=expected_block,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A calibrated trigger; its numbers are rounded as recorded: the record is the trigger."""

    kind: str
    reference: float
    limit: float
    centre: float
    scale: float
    months: int
    declared_rate: float
    expected_block: int
    stable_start: Month
    stable_months: int
    false_alarm: Estimate

    def __post_init__(self) -> None:
        if self.kind != KIND or self.limit <= 0 or self.scale <= 0 or self.months < 1:
            raise TriggerMalformed(
                f"a trigger of kind {self.kind!r} with limit {self.limit}, scale {self.scale} and "
                f"{self.months} months cannot run",
                next_step="Calibrate the trigger with `calibrate_trigger`.",
            )

    def as_record(self) -> dict[str, Json]:
        """Return the trigger in the JSON domain."""
        return {
            "kind": self.kind,
            "method": METHOD,
            "reference": _text(self.reference),
            "limit": _text(self.limit),
            "centre": _text(self.centre),
            "scale": _text(self.scale),
            "months": self.months,
            "declared_rate": _text(self.declared_rate),
            "expected_block": self.expected_block,
            "stable_start": str(self.stable_start),
            "stable_months": self.stable_months,
            "false_alarm": self.false_alarm.as_record(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStep:
    """One month of a run: the standardised error and both sums after it."""

    month: Month
    standardised: float
    up: float
    down: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRun:
    """What a trigger made of the months so far; `fail` means it fired."""

    path: tuple[TriggerStep, ...]
    fired_at: Month | None
    direction: str
    statistic: Estimate
    limit: float
    verdict: Verdict
    reason: str

    def as_record(self) -> dict[str, Json]:
        """Return the run in the JSON domain."""
        return {
            "path": [
                {
                    "month": str(one.month),
                    "standardised": _text(one.standardised),
                    "up": _text(one.up),
                    "down": _text(one.down),
                }
                for one in self.path
            ],
            "fired_at": None if self.fired_at is None else str(self.fired_at),
            "direction": self.direction,
            "statistic": self.statistic.as_record(),
            "limit": _text(self.limit),
            "verdict": self.verdict.value,
            "reason": self.reason,
        }


def monthly_errors(
    errors: RollingErrors, spread: ConformalSpread, *, coverage: str = "0.8"
) -> dict[Month, float]:
    """Return z by calendar month: positive = more was needed than forecast.

    Every (series, origin, step) cell of a month counts once. Raises TriggerMalformed where a
    calibrated interval has no width to divide by.
    """
    scores = log_errors(errors)
    low, high = interval_levels(coverage)
    found: dict[Month, list[float]] = {}
    for s, key in enumerate(errors.keys):
        for step in range(errors.horizon):
            half = (spread.offset(key, step, high) - spread.offset(key, step, low)) / 2
            if half <= 0:
                raise TriggerMalformed(
                    f"the interval of {key!r} at step {step + 1} has no width",
                    next_step="Calibrate the spread on errors that vary.",
                )
            for o in range(len(errors.origins)):
                found.setdefault(errors.month(o, step), []).append(float(scores[s, o, step]) / half)
    return {month: sum(found[month]) / len(found[month]) for month in sorted(found)}


def calibrate_trigger(
    stable: Stable,
    *,
    false_alarm_rate: float,
    months: int,
    replicates: int,
    rng: np.random.Generator,
    reference: float = REFERENCE,
) -> Trigger:
    """Return the trigger that fires within `months` stable months with `false_alarm_rate`.

    Its `false_alarm` estimate is the mean rate of triggers learnt from stable samples of the same
    length, with the range of those rates. Raises TriggerMalformed for settings out of range.
    """
    import numpy as np

    _check(false_alarm_rate, months, replicates, reference)
    values = np.array(stable.values)
    settings = CusumSettings(
        rate=false_alarm_rate,
        months=months,
        reference=reference,
        expected_block=stable.expected_block,
    )
    found = calibrated_limit(values, settings, replicates=replicates, rng=rng)
    centre, scale = moments(values[None, :])
    return Trigger(
        kind=KIND,
        reference=_rounded(reference),
        limit=_rounded(found.limit),
        centre=_rounded(centre[0]),
        scale=_rounded(scale[0]),
        months=months,
        declared_rate=_rounded(false_alarm_rate),
        expected_block=stable.expected_block,
        stable_start=stable.start,
        stable_months=len(values),
        false_alarm=_false_alarm(found.rates, stable, months),
    )


def run_trigger(
    trigger: Trigger,
    errors_by_month: Mapping[Month, float],
    *,
    minimum_months: int = 1,
    already: int = 0,
) -> TriggerRun:
    """Return the run of `trigger` over consecutive months, in time order.

    `already` months of the same forecast lie before the first one, where the sums begin anew.
    Fired = fail. Otherwise fewer than `minimum_months`, or an all-clear beyond the declared months
    of the forecast = insufficient (P8). Raises TriggerMalformed for a gap: a month without an
    outcome must be explained, not skipped (P12).
    """
    import math

    months = _consecutive(errors_by_month)
    up = down = 0.0
    path: list[TriggerStep] = []
    for month in months:
        z = errors_by_month[month]
        if not math.isfinite(z):
            raise TriggerMalformed(
                f"the error of {month} is not finite", next_step="Correct that month's statistic."
            )
        x = (z - trigger.centre) / trigger.scale
        up, down = max(0.0, up + x - trigger.reference), max(0.0, down - x - trigger.reference)
        path.append(TriggerStep(month=month, standardised=x, up=up, down=down))
    fired = next((one for one in path if max(one.up, one.down) > trigger.limit), None)
    verdict, reason = _verdict(trigger, path, fired, minimum=minimum_months, already=already)
    return TriggerRun(
        path=tuple(path),
        fired_at=None if fired is None else fired.month,
        direction="" if fired is None else ("under" if fired.up > fired.down else "over"),
        statistic=_statistic(path),
        limit=trigger.limit,
        verdict=verdict,
        reason=reason,
    )


def _verdict(
    trigger: Trigger,
    path: list[TriggerStep],
    fired: TriggerStep | None,
    *,
    minimum: int,
    already: int,
) -> tuple[Verdict, str]:
    limit = _text(trigger.limit)
    if fired is not None:
        side = "too little" if fired.up > fired.down else "too much"
        return Verdict.FAIL, f"In {fired.month} the sum of {side} forecast passed {limit}."
    if not path:
        return Verdict.INSUFFICIENT, "No outcome has arrived yet."
    if len(path) < minimum:
        return Verdict.INSUFFICIENT, f"{len(path)} months are fewer than the {minimum} needed."
    months = already + len(path)
    if months > trigger.months:
        return (
            Verdict.INSUFFICIENT,
            f"{months} months exceed the {trigger.months} the limit was calibrated for.",
        )
    return Verdict.PASS, f"After {len(path)} months neither sum has passed {limit}."


def _statistic(path: list[TriggerStep]) -> Estimate:
    value = max(path[-1].up, path[-1].down) if path else None
    note = "no outcome yet" if value is None else "a control statistic has a limit, no interval"
    return Estimate(
        metric="cusum",
        value=value,
        low=None,
        high=None,
        level=0.95,
        n=len(path),
        unit="month",
        method=METHOD,
        note=note,
    )


def _false_alarm(rates: Floats, stable: Stable, months: int) -> Estimate:
    import numpy as np

    low, high = np.quantile(rates, [0.025, 0.975])
    return Estimate(
        metric="false_alarm_rate",
        value=float(rates.mean()),
        low=float(low),
        high=float(high),
        level=0.95,
        n=len(stable.values),
        unit="month",
        method=METHOD,
        note=f"within {months} months; the range is over stable samples of this length",
    )


def _check(rate: float, months: int, replicates: int, reference: float) -> None:
    fault = ""
    if not 0.0 < rate < 1.0:
        fault = "a false-alarm rate lies strictly between 0 and 1"
    elif months < 1:
        fault = "the declared period has at least one month"
    elif replicates < MINIMUM_REPLICATES or replicates * rate < 10:
        fault = f"{replicates} replicates cannot fix the tail of a rate of {rate}"
    elif reference < 0:
        fault = "the reference of a CUSUM is never negative"
    if fault:
        raise TriggerMalformed(fault, next_step="Correct the monitoring plan.")


def _consecutive(errors_by_month: Mapping[Month, float]) -> list[Month]:
    months = sorted(errors_by_month)
    for before, after in pairwise(months):
        if after.minus(before) != 1:
            raise TriggerMalformed(
                f"there is no month between {before} and {after} in the errors",
                next_step="Add the missing months, or record why they have no outcome.",
            )
    return months


def _rounded(x: float) -> float:
    return float(_text(x))


def _text(x: float) -> str:
    return decimal_text(float(x), digits=RECORD_DIGITS)
