"""The share of a tally's rows in some cells, with the interval that its subject term allows.

Definition: x rows in the cells `of` among x + y in the cells `among`; the share is x / (x + y).
Formula: by `Tally.standing_on`: independent rows: `proportion`. Moments: sums over subjects of
    y_s^2, y_s m_s and m_s^2 are sums of moments over pairs of cells, read by `clustered`; how many
    subjects have a success is taken as the least that the moments allow, x^2 / sum y_s^2, so that
    the exact limits are used rather too often. Replicates: the share of each, by `bootstrap`.
    Nothing: the value, no interval.
Source: audits/intervals/{proportion, clustered, bootstrap}.py.
Assumptions: those of the interval that is used.
Failure modes: as there; rows that may repeat subjects without a subject term get no interval (P8).
Cost: one look at the moments or replicates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import TallyMismatch
from audits.estimate import Estimate
from audits.intervals.bootstrap import BootstrapInterval, bootstrap_interval
from audits.intervals.clustered import ClusteredShare, clustered_estimate
from audits.intervals.proportion import proportion_estimate
from audits.sources.counts import Moments
from audits.sources.tally import WHY_NOTHING, Basis, Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]

SOURCE: Final = "tally"
NO_METHOD: Final = "share of rows, v1"


def share_estimate(
    tally: Tally,
    *,
    table: str,
    of: Iterable[int],
    among: Iterable[int],
    metric: str,
    level: float,
    population: str = "all",
) -> Estimate:
    """Return the share of the rows in cells `of` among those in cells `among`.

    Raises TallyMismatch where `of` is not within `among`, or a cell is not in the table.
    """
    import numpy as np

    size = tally.spec.cells(table)
    chosen, base = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    numerator, denominator = set(of), set(among)
    if not numerator <= denominator or not all(0 <= cell < size for cell in denominator):
        raise TallyMismatch(
            "the cells of a share are among the cells that it is a share of",
            next_step="Name cells of the table, the numerator within the denominator.",
        )
    chosen[list(numerator)] = True
    base[list(denominator)] = True
    counts = tally.counts(table).ravel()
    x, n = int(counts[chosen].sum()), int(counts[base].sum())
    unit, basis = tally.spec.unit, tally.standing_on(table)
    if basis is Basis.ROWS or n == 0:
        return proportion_estimate(
            metric=metric, successes=x, n=n, level=level, unit=unit, population=population
        )
    if basis is Basis.MOMENTS:
        moments = tally.tables[table].moments
        assert moments is not None, "the basis says so"
        return clustered_estimate(
            metric=metric,
            share=_clustered(moments, chosen, base, successes=x, rows=n),
            level=level,
            unit=unit,
            population=population,
            source=SOURCE,
        )
    found = _by_replicates(tally, table, chosen, base, level=level, point=x / n)
    return Estimate(
        metric=metric,
        value=x / n,
        low=found.low,
        high=found.high,
        level=level,
        n=n if tally.subjects is None else tally.subjects,
        unit=unit,
        method=found.method,
        source=SOURCE,
        population=population,
        note=found.note,
    )


def _by_replicates(
    tally: Tally, table: str, chosen: Bools, base: Bools, *, level: float, point: float
) -> BootstrapInterval:
    """Return the limits that the replicates set; none, and why, where there are none."""
    import numpy as np

    replicates = tally.tables[table].replicates
    if replicates is None:
        return BootstrapInterval(low=None, high=None, method=NO_METHOD, note=WHY_NOTHING)
    drawn = replicates[:, 0, :]
    with np.errstate(invalid="ignore"):
        values = drawn[:, chosen].sum(axis=1) / drawn[:, base].sum(axis=1)
    return bootstrap_interval(values, level=level, point=point, units=tally.subjects)


def _clustered(
    moments: Moments, chosen: Bools, base: Bools, *, successes: int, rows: int
) -> ClusteredShare:
    squares = _quadratic(moments, chosen, chosen)
    cross = _quadratic(moments, chosen, base)
    square_rows = _quadratic(moments, base, base)
    failures = rows - successes
    failed = square_rows - 2 * cross + squares  # sum over subjects of (m - y)^2
    return ClusteredShare(
        subjects=_least(rows, square_rows),
        rows=rows,
        successes=successes,
        squares=squares,
        cross=cross,
        square_rows=square_rows,
        with_success=_least(successes, squares),
        with_failure=_least(failures, failed),
    )


def _quadratic(moments: Moments, left: Bools, right: Bools) -> int:
    """Return the sum over subjects of (rows in `left`) x (rows in `right`)."""
    first, second, products = moments.first, moments.second, moments.products
    once = (left[first] & right[second]).astype(int)
    twice = (left[second] & right[first] & (first != second)).astype(int)
    return int(((once + twice) * products).sum())


def _least(total: int, squares: int) -> int:
    """Return the fewest subjects that can have `total` rows with this sum of squares."""
    return 0 if total == 0 else -(-(total**2) // squares)
