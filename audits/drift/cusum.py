"""CUSUM monitors whose limit keeps a declared run length, or a declared false-alarm rate.

Definition: a sum of exceedances over a reference value, never below zero, alarms at its limit h.
    Gaussian: standardised values, k half the shift to be found. Bernoulli: events 0/1, k = 1/m with
    the whole m nearest to what tells p0 from p1 best, so that the sum moves on whole numbers.
Formula: S(0) = 0, S(t) = max(0, S(t-1) + x(t) - k), alarm when S >= h (Bernoulli), > h (Gaussian).
    Bernoulli, in units of 1/m: up m - 1 at an event, down 1 otherwise; run length and rate are
    exact, from the Markov chain of the h states. 1/k = ln(p1 (1-p0) / (p0 (1-p1))) divided by
    ln((1-p0) / (1-p1)).
    Gaussian: the run length solves L(z) = 1 + L(0) Phi(k - z) + integral over 0..h of
    L(y) phi(y + k - z) dy, by Gauss-Legendre quadrature (`NODES`); the rate within a horizon by the
    same nodes, one step a value. Two-sided: 1/L = 1/L(up) + 1/L(down); its rate within a horizon is
    bounded by the sum of both.
Source: Page (1954), Biometrika 41(1/2), 100-115; Reynolds and Stoumbos (1999), Journal of Quality
    Technology 31(1), 87-108 (Bernoulli); Goel and Wu (1971), Technometrics 13(2), 221-230 (integral
    equation); Brook and Evans (1972), Biometrika 59(3), 539-549 (Markov chain, the second
    implementation of the tests); Montgomery, Introduction to Statistical Quality Control, 6th
    edition, table 9.3 (k = 1/2: h = 4 gives 168, h = 5 gives 465, two-sided).
Assumptions: values are independent with the stated distribution (share p0; mean 0, deviation 1).
Failure modes: a mean and deviation learnt from few values shorten the run length far below the
    declared one; for short monthly histories use `audits.forecasting.control_limit`, which allows
    for that. Autocorrelation does the same. A run length is a mean: more than a quarter of all
    false alarms come before a third of it.
Cost: solving a system of h m (Bernoulli, sparse) or `NODES` (Gaussian) unknowns a trial limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import MonitorMalformed
from audits.estimate import RECORD_DIGITS, Json, decimal_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

BERNOULLI: Final = "Bernoulli CUSUM, exact Markov chain, v1"
GAUSSIAN: Final = "Gaussian CUSUM, Gauss-Legendre integral equation, v1"
NODES: Final = 80
MOST_STATES: Final = 50_000
"""States of the chain, above which a limit is not looked for."""
LARGEST: Final = 50.0
"""The greatest limit of a Gaussian CUSUM, in deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BernoulliCusum:
    """`step` m, `limit` in units of 1/m, and what they give at the in-control share `p0`."""

    p0: float
    p1: float
    step: int
    limit: int
    run_length: float
    rate: float | None
    horizon: int | None

    def alarm_times(self, streams: NDArray[np.int8] | Floats) -> Ints:
        """Return when each row of events (r, t) alarms, counted from 1; 0 never."""
        import numpy as np

        total, found = np.zeros(len(streams)), np.zeros(len(streams), dtype=np.int64)
        for t in range(streams.shape[1]):
            total = np.maximum(0, total + self.step * streams[:, t] - 1)
            found[(found == 0) & (total >= self.limit)] = t + 1
        return found

    def as_record(self) -> dict[str, Json]:
        """Return the monitor in the JSON domain."""
        return {
            "method": BERNOULLI,
            "p0": _text(self.p0),
            "p1": _text(self.p1),
            "step": self.step,
            "limit": self.limit,
            "run_length": _text(self.run_length),
            "rate": None if self.rate is None else _text(self.rate),
            "horizon": self.horizon,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianCusum:
    """Reference value k, limit h, one or both sides, and what they give in control."""

    reference: float
    limit: float
    two_sided: bool
    run_length: float
    rate: float | None
    horizon: int | None

    def alarm_times(self, streams: Floats) -> Ints:
        """Return when each row of standardised values (r, t) alarms, counted from 1; 0 never."""
        import numpy as np

        up, down = np.zeros(len(streams)), np.zeros(len(streams))
        found = np.zeros(len(streams), dtype=np.int64)
        for t in range(streams.shape[1]):
            up = np.maximum(0, up + streams[:, t] - self.reference)
            if self.two_sided:
                down = np.maximum(0, down - streams[:, t] - self.reference)
            found[(found == 0) & (np.maximum(up, down) > self.limit)] = t + 1
        return found

    def as_record(self) -> dict[str, Json]:
        """Return the monitor in the JSON domain."""
        return {
            "method": GAUSSIAN,
            "reference": _text(self.reference),
            "limit": _text(self.limit),
            "two_sided": self.two_sided,
            "run_length": _text(self.run_length),
            "rate": None if self.rate is None else _text(self.rate),
            "horizon": self.horizon,
        }


def bernoulli_cusum(
    *,
    p0: float,
    p1: float,
    run_length: float | None = None,
    rate: float | None = None,
    horizon: int | None = None,
) -> BernoulliCusum:
    """Return the monitor with the least limit that keeps what is declared.

    Either `run_length`, the mean number of rows to a false alarm, or `rate` within `horizon` rows.
    Raises MonitorMalformed for shares or declarations that no limit keeps.
    """
    if not 0.0 < p0 < p1 < 1.0:
        raise _malformed("the shares satisfy 0 < p0 < p1 < 1")
    kept = _declared(run_length, rate, horizon)
    odds = math.log(p1 * (1 - p0) / (p0 * (1 - p1)))
    step = max(2, round(odds / math.log((1 - p0) / (1 - p1))))

    def holds(limit: int) -> bool:
        if kept is None:
            return bernoulli_run_length(p0, step=step, limit=limit) >= (run_length or 0.0)
        return bernoulli_rate(p0, step=step, limit=limit, horizon=kept[1]) <= kept[0]

    limit = _least(holds, low=1, high=MOST_STATES)
    return BernoulliCusum(
        p0=p0,
        p1=p1,
        step=step,
        limit=limit,
        run_length=bernoulli_run_length(p0, step=step, limit=limit),
        rate=None if kept is None else bernoulli_rate(p0, step=step, limit=limit, horizon=kept[1]),
        horizon=horizon,
    )


def bernoulli_run_length(p: float, *, step: int, limit: int) -> float:
    """Return the exact mean number of rows to an alarm at event share `p`."""
    import numpy as np
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import spsolve

    states = np.arange(limit)
    down, up = np.maximum(states - 1, 0), states + step - 1
    stays = up < limit
    rows = np.concatenate((states, states, states[stays]))
    columns = np.concatenate((states, down, up[stays]))
    entries = np.concatenate(
        (np.ones(limit), np.full(limit, p - 1.0), np.full(int(stays.sum()), -p))
    )
    system = csc_matrix((entries, (rows, columns)), shape=(limit, limit))
    return float(np.atleast_1d(spsolve(system, np.ones(limit)))[0])


def bernoulli_rate(p: float, *, step: int, limit: int, horizon: int) -> float:
    """Return the exact probability of an alarm within `horizon` rows at event share `p`."""
    import numpy as np

    at = np.zeros(limit)
    at[0] = 1.0
    for _ in range(horizon):
        after = np.zeros(limit)
        after[:-1] = at[1:] * (1 - p)
        after[0] += at[0] * (1 - p)
        if step - 1 < limit:
            after[step - 1 :] += at[: limit - step + 1] * p
        at = after
    return float(1.0 - at.sum())


def gaussian_cusum(
    *,
    reference: float = 0.5,
    two_sided: bool = True,
    run_length: float | None = None,
    rate: float | None = None,
    horizon: int | None = None,
) -> GaussianCusum:
    """Return the monitor with the least limit, to 1e-4, that keeps what is declared."""
    if not 0.0 < reference <= 4.0:
        raise _malformed("the reference value lies above 0 and is at most 4 deviations")
    kept = _declared(run_length, rate, horizon)
    sides = 2 if two_sided else 1

    def holds(tick: int) -> bool:
        limit = tick / 10_000
        if kept is None:
            return gaussian_run_length(reference, limit) / sides >= (run_length or 0.0)
        return sides * gaussian_rate(reference, limit, horizon=kept[1]) <= kept[0]

    limit = _least(holds, low=1, high=int(LARGEST * 10_000)) / 10_000
    return GaussianCusum(
        reference=reference,
        limit=limit,
        two_sided=two_sided,
        run_length=gaussian_run_length(reference, limit) / sides,
        rate=None if kept is None else sides * gaussian_rate(reference, limit, horizon=kept[1]),
        horizon=horizon,
    )


def gaussian_run_length(reference: float, limit: float, *, mean: float = 0.0) -> float:
    """Return the mean run length of the one-sided sum when values have mean `mean`."""
    import numpy as np

    kernel, zero = _kernel(reference, limit, mean=mean)
    system = np.eye(len(zero))
    system[:, 0] -= zero
    system[:, 1:] -= kernel
    return float(np.linalg.solve(system, np.ones(len(zero)))[0])


def gaussian_rate(reference: float, limit: float, *, horizon: int, mean: float = 0.0) -> float:
    """Return the probability that the one-sided sum passes its limit within `horizon` values."""
    import numpy as np

    kernel, zero = _kernel(reference, limit, mean=mean)
    # survive[0] from a sum of zero, survive[1:] from the nodes: no alarm in the values to come.
    survive = np.ones(len(zero))
    for _ in range(horizon):
        survive = zero * survive[0] + kernel @ survive[1:]
    return float(1.0 - survive[0])


def _kernel(reference: float, limit: float, *, mean: float) -> tuple[Floats, Floats]:
    """Return the weights of moving to each node, and to zero, from zero and then each node."""
    import numpy as np
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    at, weights = limit * (nodes + 1) / 2, limit * weights / 2
    sources = np.concatenate(([0.0], at))
    move = at[None, :] - sources[:, None] + reference - mean
    kernel = np.exp(-(move**2) / 2) / math.sqrt(2 * math.pi) * weights
    return kernel, np.asarray(ndtr(reference - mean - sources), dtype=np.float64)


def _declared(
    run_length: float | None, rate: float | None, horizon: int | None
) -> tuple[float, int] | None:
    """Return (rate, horizon), or None where a run length is declared."""
    if run_length is not None:
        if rate is not None or horizon is not None or not 1.0 < run_length < math.inf:
            raise _malformed("declare a run length above 1, or a rate within a horizon")
        return None
    if rate is None or horizon is None or not 0.0 < rate < 1.0 or horizon < 1:
        raise _malformed("declare a run length above 1, or a rate within a horizon")
    return rate, horizon


def _least(holds: Callable[[int], bool], *, low: int, high: int) -> int:
    """Return the least whole number that holds, by doubling and halving; more always holds too."""
    top = low
    while not holds(top):
        low, top = top + 1, 2 * top
        if top > high:
            raise _malformed("no limit in reach keeps what is declared")
    while low < top:
        middle = (low + top) // 2
        low, top = (low, middle) if holds(middle) else (middle + 1, top)
    return top


def _text(x: float) -> str:
    return decimal_text(float(x), digits=RECORD_DIGITS)


def _malformed(fault: str) -> MonitorMalformed:
    return MonitorMalformed(fault, next_step="Correct the monitoring plan.")
