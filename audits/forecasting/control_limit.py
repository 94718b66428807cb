"""The limit of a CUSUM that keeps its false-alarm rate although it is learnt from few months.

Definition: the smallest limit at which triggers calibrated from stable samples of this length fire,
    on average, no more often than declared.
Formula: rule(sample, u): in each replicate one stationary bootstrap of the sample gives a mean and
    standard deviation, another a path of the declared length, standardised with them; the rule
    returns the u quantile of the paths' largest CUSUM. Second level: samples j resampled from the
    stable months play "what might have been observed"; rate(j, u) is the share of paths resampled
    from the stable months that pass rule(j, u) when standardised with the moments of j. u is the
    smallest rank with mean rate(j, u) <= the declared rate; the limit is rule(stable months, u).
Source: Politis and Romano (1994), Journal of the American Statistical Association 89, 1303-1313,
    section 2 (stationary bootstrap); Beran (1987), Biometrika 74(3), 457-468 (prepivoting: the
    nominal level is itself calibrated by a second bootstrap); Gandy and Kvaloy (2013), Scandinavian
    Journal of Statistics 40(4), 647-668 (chart limits allowing for estimated parameters).
Assumptions: stationarity over the stable months; dependence fades within a few expected blocks.
Failure modes: a single bootstrap with 60 stable months fires 15 to 26 % where 10 % is declared;
    with the second level 13 to 17 %, with 120 months 11 to 14 % (autocorrelation 0 to .7, expected
    block 6, 12 declared months). Below 48 months nothing is calibrated.
Cost: 100 x (30 / rate) x (stable + declared months) steps, vectorised; under a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import TriggerMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

OUTER_SAMPLES = 100
FRESH_PATHS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumSettings:
    """What is declared beforehand: the rate, the months it covers, k, and the block length."""

    rate: float
    months: int
    reference: float
    expected_block: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlLimit:
    """The limit, the rank u it was read at, and the rate of each second-level sample there."""

    limit: float
    rank: float
    rates: Floats


def calibrated_limit(
    values: Floats, settings: CusumSettings, *, replicates: int, rng: np.random.Generator
) -> ControlLimit:
    """Return the limit for the stable `values`, in units of their standard deviation.

    Raises TriggerMalformed where no rank keeps the declared rate.
    """
    import numpy as np

    inner = math.ceil(30 / settings.rate)
    fresh = resample(values, FRESH_PATHS, settings.months, settings.expected_block, rng)
    outer = resample(values, OUTER_SAMPLES, len(values), settings.expected_block, rng)
    rates = np.array([_rates(sample, fresh, settings, inner, rng) for sample in outer])
    kept = np.flatnonzero(rates.mean(axis=0) <= settings.rate)
    if kept.size == 0:
        raise TriggerMalformed(
            f"{len(values)} stable months cannot keep a false-alarm rate of {settings.rate}",
            next_step="Give a longer stable period or declare a higher rate.",
        )
    rank = (int(kept[0]) + 1) / inner
    peaks = _rule(values, settings, replicates, rng)
    limit = float(peaks[math.ceil(rank * replicates) - 1])
    return ControlLimit(limit=limit, rank=rank, rates=rates[:, kept[0]])


def resample(
    values: Floats, count: int, length: int, expected_block: int, rng: np.random.Generator
) -> Floats:
    """Return `count` stationary-bootstrap samples: wrapped runs whose lengths are geometric."""
    import numpy as np

    restart = rng.random((count, length)) < 1.0 / expected_block
    position = np.arange(length)
    begin = np.maximum.accumulate(np.where(restart, position, 0), axis=1)
    source = np.take_along_axis(rng.integers(len(values), size=(count, length)), begin, axis=1)
    return np.asarray(values[(source + position - begin) % len(values)])


def moments(samples: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each row; a flat row takes the pooled deviation."""
    import numpy as np

    spread = samples.std(axis=1, ddof=1)
    return samples.mean(axis=1), np.where(spread > 0, spread, samples.std(ddof=1))


def peaks_of(paths: Floats, reference: float) -> Floats:
    """Return the largest value that either CUSUM reaches on each row."""
    import numpy as np

    up = np.zeros(len(paths))
    down, peak = up.copy(), up.copy()
    for t in range(paths.shape[1]):
        up = np.maximum(0.0, up + paths[:, t] - reference)
        down = np.maximum(0.0, down - paths[:, t] - reference)
        peak = np.maximum(peak, np.maximum(up, down))
    return peak


def _rule(
    values: Floats, settings: CusumSettings, replicates: int, rng: np.random.Generator
) -> Floats:
    """Return the sorted peaks of resampled paths, each standardised by a resampled sample."""
    import numpy as np

    block = settings.expected_block
    centre, scale = moments(resample(values, replicates, len(values), block, rng))
    paths = resample(values, replicates, settings.months, block, rng)
    return np.sort(peaks_of((paths - centre[:, None]) / scale[:, None], settings.reference))


def _rates(
    sample: Floats, fresh: Floats, settings: CusumSettings, inner: int, rng: np.random.Generator
) -> Floats:
    """Return for each rank the share of fresh paths that pass the limit learnt from `sample`."""
    import numpy as np

    limits = _rule(sample, settings, inner, rng)
    centre, scale = moments(sample[None, :])
    reached = np.sort(peaks_of((fresh - centre[0]) / scale[0], settings.reference))
    return 1.0 - np.searchsorted(reached, limits, side="right") / len(reached)
