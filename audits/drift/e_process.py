"""Evidence against "the mean is at most the limit" that may be looked at after every value.

Definition: values in [0, 1] arrive one by one. A gambler bets against the limit m, at odds that are
    fair if the mean is m, and holds a capital whose expectation then never exceeds the 1 it began
    with. The monitor alarms when the capital has reached 1 / alpha.
Formula: capital(t) = mean over bets b of prod over i <= t of (1 + b (x(i) - m)), b the fixed shares
    `BETS` of 1 / m. Ville: the probability that it ever reaches 1 / alpha is at most alpha.
    Confidence sequence: all means u with max(K+(u), K-(u)) / 2 < 1 / alpha at every t so far, where
    K+-(u) = prod (1 +- l(i) (x(i) - u)), l(i) = sqrt(2 ln(2/alpha) / (v(i-1) i ln(i+1))), at most
    1/2 of 1/u or of 1/(1-u), v(i) = (1/4 + sum (x - running mean)^2) / (i + 1); the running mean
    begins at 1/2. Means are tried on `GRID` steps and the set is widened by one step.
Source: Waudby-Smith and Ramdas (2024), Journal of the Royal Statistical Society B 86(1), 1-27,
    sections 4.1 (hedged capital, predictable plug-in) and 4.4 (mixtures of bets); Ville (1939).
Assumptions: given the past, the mean of the next value is at most m (monitor), or is the same u
    (sequence). Values of one subject depend on each other: hand in one value a subject, or the mean
    of a window.
Failure modes: the bound is over the whole life of the monitor, not a year: a monitor that is begun
    anew has another alpha. A mean that lies below m at first takes capital away that a later rise
    has to win back: detection is later. No bound on the delay is given.
Cost: `BETS` multiplications a value; the sequence `GRID` ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import MonitorMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, Verdict, decimal_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

METHOD: Final = "betting e-process, mixture of fixed bets, v1"
SEQUENCE: Final = "hedged betting confidence sequence, predictable plug-in, v1"
BETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Shares of the greatest bet 1 / m: small ones find small rises, large ones large rises soon."""
GRID: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EProcess:
    """A monitor and its state; `step` returns the next. `log_capitals` has one entry a bet."""

    limit: float
    alpha: float
    n: int = 0
    log_capitals: tuple[float, ...] = (0.0,) * len(BETS)
    log_peak: float = 0.0
    alarm_at: int | None = None

    def __post_init__(self) -> None:
        if not (0.0 < self.limit < 1.0 and 0.0 < self.alpha < 1.0):
            raise _malformed("limit and alpha lie strictly between 0 and 1")
        if len(self.log_capitals) != len(BETS) or self.n < 0:
            raise _malformed("the state of the monitor has one capital a bet")

    @property
    def log_capital(self) -> float:
        """The logarithm of the capital, all bets together."""
        top = max(self.log_capitals)
        total = sum(math.exp(x - top) for x in self.log_capitals)
        return top + math.log(total / len(BETS))

    def step(self, value: float) -> EProcess:
        """Return the monitor after one more value. Raises MonitorMalformed outside [0, 1]."""
        _check(value)
        gain = value - self.limit
        capitals = tuple(
            before + math.log1p(bet / self.limit * gain)
            for before, bet in zip(self.log_capitals, BETS, strict=True)
        )
        after = replace(self, n=self.n + 1, log_capitals=capitals)
        peak = max(self.log_peak, after.log_capital)
        fired = self.alarm_at
        if fired is None and peak >= -math.log(self.alpha):
            fired = after.n
        return replace(after, log_peak=peak, alarm_at=fired)

    def run(self, values: Iterable[float]) -> EProcess:
        """Return the monitor after all values, in order."""
        monitor = self
        for value in values:
            monitor = monitor.step(float(value))
        return monitor

    @property
    def verdict(self) -> Verdict:
        """Fail once it alarmed; insufficient before the first value; else pass."""
        if self.alarm_at is not None:
            return Verdict.FAIL
        return Verdict.PASS if self.n else Verdict.INSUFFICIENT

    def as_record(self) -> dict[str, Json]:
        """Return monitor and state in the JSON domain."""
        return {
            "method": METHOD,
            "limit": decimal_text(self.limit, digits=RECORD_DIGITS),
            "alpha": decimal_text(self.alpha, digits=RECORD_DIGITS),
            "n": self.n,
            "log_capital": decimal_text(self.log_capital, digits=RECORD_DIGITS),
            "log_peak": decimal_text(self.log_peak, digits=RECORD_DIGITS),
            "alarm_at": self.alarm_at,
            "verdict": self.verdict.value,
        }


def alarm_times(streams: Floats, *, limit: float, alpha: float) -> NDArray[np.int64]:
    """Return when the monitor alarms on each row of `streams` (r, t), counted from 1; 0 never."""
    import numpy as np

    EProcess(limit=limit, alpha=alpha)
    bets = np.array(BETS)[:, None] / limit
    logs = np.zeros((len(BETS), len(streams)))
    found = np.zeros(len(streams), dtype=np.int64)
    for t in range(streams.shape[1]):
        logs += np.log1p(bets * (streams[:, t] - limit))
        capital = np.exp(logs).mean(axis=0)
        found[(found == 0) & (capital >= 1.0 / alpha)] = t + 1
    return found


def hedged_capital(streams: Floats, *, mean: float, alpha: float) -> Floats:
    """Return the greatest hedged capital against `mean` that each row of (r, t) ever reached.

    The confidence sequence at level 1 - alpha holds `mean` at all times where this is < 1 / alpha.
    """
    import numpy as np

    up, down = np.zeros(len(streams)), np.zeros(len(streams))
    peak = np.zeros(len(streams))
    state = _Spread.of(len(streams))
    for t in range(streams.shape[1]):
        bet = state.bet(t + 1, alpha)
        gain = streams[:, t] - mean
        up += np.log1p(np.minimum(bet, 0.5 / mean) * gain)
        down += np.log1p(-np.minimum(bet, 0.5 / (1 - mean)) * gain)
        peak = np.maximum(peak, np.exp(np.maximum(up, down)) / 2)
        state = state.after(streams[:, t], t + 1)
    return peak


def confidence_sequence(
    values: Floats, *, level: float, metric: str, unit: str, population: str = "all"
) -> Estimate:
    """Return the mean of `values` (t), in order, with limits that hold at all times at once.

    Raises MonitorMalformed for values outside [0, 1].
    """
    import numpy as np

    for value in values.tolist():
        _check(value)
    if not 0.0 < level < 1.0:
        raise _malformed("a level lies strictly between 0 and 1")
    alpha = 1.0 - level
    means = (np.arange(GRID) + 0.5) / GRID
    up, down = np.zeros(GRID), np.zeros(GRID)
    kept = np.ones(GRID, dtype=np.bool_)
    state = _Spread.of(1)
    for t, value in enumerate(values.tolist()):
        bet = state.bet(t + 1, alpha)[0]
        gain = value - means
        up += np.log1p(np.minimum(bet, 0.5 / means) * gain)
        down += np.log1p(-np.minimum(bet, 0.5 / (1 - means)) * gain)
        kept &= np.maximum(up, down) < math.log(2.0 / alpha)
        state = state.after(np.array([value]), t + 1)
    value, low, high, note = None, None, None, "no value has arrived"
    if values.size and kept.any():
        inside = np.flatnonzero(kept)
        value, note = float(values.mean()), "limits hold at all times at once"
        low = max(0.0, float(means[inside[0]]) - 1.0 / GRID)
        high = min(1.0, float(means[inside[-1]]) + 1.0 / GRID)
    elif values.size:
        value, note = float(values.mean()), "no single mean explains all values: it has changed"
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=int(values.size),
        unit=unit,
        method=SEQUENCE,
        population=population,
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Spread:
    """Running mean and variance (r,) of what has been seen: what the next bet may depend on."""

    total: Floats
    squares: Floats
    seen: int

    @classmethod
    def of(cls, rows: int) -> _Spread:
        import numpy as np

        return cls(total=np.full(rows, 0.5), squares=np.full(rows, 0.25), seen=0)

    def bet(self, t: int, alpha: float) -> Floats:
        import numpy as np

        variance = self.squares / (self.seen + 1)
        return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(t + 1))))

    def after(self, values: Floats, t: int) -> _Spread:
        total = self.total + values
        squares = self.squares + (values - total / (t + 1)) ** 2
        return _Spread(total=total, squares=squares, seen=t)


def _check(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise _malformed(f"{value} lies outside 0 to 1")


def _malformed(fault: str) -> MonitorMalformed:
    return MonitorMalformed(fault, next_step="Scale the values to 0..1, or correct the plan.")
