"""Limits for a share of rows where subjects have several rows: effective size and t reach.

Definition: subject i has y(i) successes in m(i) rows; the share is sum y / sum m. Subjects are
    independent, rows of one subject need not be.
Formula: k subjects with a row, N = sum m, p = sum y / N;
    V = k/(k - 1) sum (y(i) - p m(i))^2 / N^2; design effect D = V / (p (1 - p)/N), taken as at
    least 1; effective rows n* = N / D; limits: Wilson's with x = p n*, n = n* and the t quantile
    (k - 1 degrees) in the place of z. Where fewer than FEW_EVENTS subjects have a success, or a
    failure, D cannot be learnt: rows of a subject are then taken as one, n* = N^2 / sum m^2, and
    the limits are Clopper-Pearson's with x = p n*, n = n* (beta quantiles of fractions).
Source: Rao and Scott (1992), Biometrics 48, 577-585 (effective size); Saha, Miller and Wang (2016),
    International Journal of Biostatistics 12(2) (Wilson's interval of it covers best); Korn and
    Graubard (1998), Survey Methodology 24(2), 193-201 (exact limits of an effective size); Cochran
    (1977), Sampling Techniques, section 6.3 (V).
Assumptions: subjects are independent and alike; how many rows a subject has says nothing about its
    successes that the share should not carry: a subject with more rows counts more.
Failure modes: fewer than MINIMUM_SUBJECTS subjects give no interval (P8). Taking the rows as
    independent instead covers 78 % at a nominal 95 % with six correlated rows a subject.
Cost: one pass over the subjects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import IntervalMalformed
from audits.estimate import Estimate, undefined
from audits.intervals.proportion import FEW_EVENTS, check_level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

METHOD: Final = (
    "Wilson score interval of the effective size by subject, exact limits below 5 subjects with "
    "an event or a non-event, v1"
)
MINIMUM_SUBJECTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredShare:
    """Sums over subjects that decide the interval; they add up across parts of the data.

    `squares`, `cross` and `square_rows` are sums over subjects of y^2, y m and m^2; `with_success`
    and `with_failure` count subjects.
    """

    subjects: int
    rows: int
    successes: int
    squares: int
    cross: int
    square_rows: int
    with_success: int
    with_failure: int

    @classmethod
    def of(cls, successes: Ints, rows: Ints) -> ClusteredShare:
        """Return the sums of `successes` (k) of `rows` (k), one entry a subject.

        Subjects without a row are left out. Raises IntervalMalformed for impossible counts.
        """
        if successes.shape != rows.shape or bool(((successes < 0) | (successes > rows)).any()):
            raise IntervalMalformed(
                "a subject has more successes than rows, or fewer than none",
                next_step="Count successes and rows of the same subjects.",
            )
        y, m = successes.astype("int64"), rows.astype("int64")
        return cls(
            subjects=int((rows > 0).sum()),
            rows=int(m.sum()),
            successes=int(y.sum()),
            squares=int((y * y).sum()),
            cross=int((y * m).sum()),
            square_rows=int((m * m).sum()),
            with_success=int((successes > 0).sum()),
            with_failure=int((successes < rows).sum()),
        )

    def __add__(self, other: ClusteredShare) -> ClusteredShare:
        """Return the sums of both; valid where no subject is in both."""
        return ClusteredShare(
            subjects=self.subjects + other.subjects,
            rows=self.rows + other.rows,
            successes=self.successes + other.successes,
            squares=self.squares + other.squares,
            cross=self.cross + other.cross,
            square_rows=self.square_rows + other.square_rows,
            with_success=self.with_success + other.with_success,
            with_failure=self.with_failure + other.with_failure,
        )

    @property
    def events(self) -> int:
        """Return how many subjects have the rarer of success and failure."""
        return min(self.with_success, self.with_failure)

    @property
    def value(self) -> float:
        """Return the share of rows; there is at least one."""
        return self.successes / self.rows

    @property
    def variance(self) -> float:
        """Return the ratio estimator's variance; there are at least two subjects."""
        p = self.value
        total = self.squares - 2 * p * self.cross + p * p * self.square_rows
        return self.subjects / (self.subjects - 1) * max(0.0, total) / self.rows**2


def clustered_limits(share: ClusteredShare, *, level: float) -> tuple[float, float] | None:
    """Return the limits of the share of rows, or None below MINIMUM_SUBJECTS subjects."""
    check_level(level)
    if share.subjects < MINIMUM_SUBJECTS:
        return None
    if share.events < FEW_EVENTS:
        return _exact(share.value, share.rows**2 / share.square_rows, level=level)
    p = share.value
    effect = max(1.0, share.variance * share.rows / (p * (1 - p)))
    return _wilson(p, share.rows / effect, reach=_t(level, share.subjects - 1))


def clustered_estimate(
    *,
    metric: str,
    share: ClusteredShare,
    level: float,
    unit: str,
    population: str = "all",
    source: str = "sample",
) -> Estimate:
    """Return the share of rows with limits by subject; n counts subjects, `unit` is their word.

    No rows is undefined; too few subjects leave the value without an interval (P8).
    """
    common = {"metric": metric, "population": population, "unit": unit, "source": source}
    if share.rows == 0:
        note = "nobody is in the denominator"
        return undefined(**common, level=level, n=0, events=0, method=METHOD, note=note)
    limits = clustered_limits(share, level=level)
    note = f"{share.successes} of {share.rows} rows"
    if limits is None:
        note += f"; {share.subjects} subjects are fewer than the {MINIMUM_SUBJECTS} needed"
    elif share.events < FEW_EVENTS:
        note += f"; exact limits: {share.events} subjects with an event or non-event"
    return Estimate(
        **common,
        value=share.value,
        low=None if limits is None else limits[0],
        high=None if limits is None else limits[1],
        level=level,
        n=share.subjects,
        events=share.events,
        method=METHOD,
        note=note,
    )


def _wilson(p: float, n: float, *, reach: float) -> tuple[float, float]:
    centre = p + reach**2 / (2 * n)
    half = reach * math.sqrt(p * (1 - p) / n + reach**2 / (4 * n * n))
    scale = 1 + reach**2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _exact(p: float, n: float, *, level: float) -> tuple[float, float]:
    from scipy import special

    tail, x = (1 - level) / 2, p * n
    low = 0.0 if p == 0 else float(special.betaincinv(x, n - x + 1, tail))
    high = 1.0 if p == 1 else float(special.betaincinv(x + 1, n - x, 1 - tail))
    return low, high


def _t(level: float, degrees: int) -> float:
    from scipy import special

    return float(special.stdtrit(degrees, (1 + level) / 2))
