"""Missing values and new words: shares that distances of the present values cannot see.

Definition: the change in the share of missing values from reference to current rows, and the share
    of current values that are of no level of the reference, each such level with its count.
Formula: the difference of two shares has the limits sqrt((q - l(q))^2 + (u(p) - p)^2) below and
    above alike, from the limits l and u of each share: by subject where subjects repeat, Wilson or
    exact otherwise; of a reference of which only counts are kept, Wilson with as many rows as they
    are worth.
Source: Newcombe (1998), Statistics in Medicine 17(8), 873-890, method 10; Donner and Zou (2012),
    Statistical Methods in Medical Research 21(4), 347-359 (any limits of the parts).
Assumptions: a missing value is recorded as missing, not as a number such as -1 or 999.
Failure modes: a number that stands for missing is a value to everybody; it shows as drift of the
    column. A column that is missing altogether has no distances, and shows here alone.
Cost: one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from audits.drift.reference import Column, LevelGrid, codes_of
from audits.estimate import Estimate
from audits.intervals.clustered import ClusteredShare, clustered_estimate
from audits.intervals.proportion import proportion_estimate, wilson
from audits.intervals.two_proportions import mover_difference
from audits.sources.sample import Category

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

CHANGE: Final = "difference of shares, square-and-add limits, v1"


def share_estimate(
    hits: Bools,
    subjects: Ints,
    *,
    metric: str,
    level: float,
    unit: str,
    population: str = "all",
) -> Estimate:
    """Return the share of rows (n) that are hits, by subject where subjects (n) repeat."""
    import numpy as np

    found, subject = np.unique(subjects, return_inverse=True)
    if found.size == subjects.size:
        return proportion_estimate(
            metric=metric,
            successes=int(hits.sum()),
            n=int(hits.size),
            level=level,
            unit=unit,
            population=population,
            source="sample",
        )
    rows = np.bincount(subject, minlength=found.size)
    successes = np.bincount(subject[hits], minlength=found.size)
    return clustered_estimate(
        metric=metric,
        share=ClusteredShare.of(successes, rows),
        level=level,
        unit=unit,
        population=population,
    )


def missing_change(
    column: Column, values: Floats | Category, sample: Sample, *, name: str, level: float
) -> Estimate:
    """Return the share of missing values now less the reference's."""
    missing = codes_of(column.grid, values) < 0
    now = share_estimate(
        missing, sample.subject, metric="missing_share", level=level, unit=sample.unit
    )
    rows = column.counts.rows
    before = column.counts.missing / rows
    worth = max(1, int(rows * column.effective / column.counts.present))
    low, high = None, None
    if now.value is not None and now.low is not None and now.high is not None:
        low, high = mover_difference(
            now.value,
            (now.low, now.high),
            before,
            wilson(round(before * worth), worth, level=level),
        )
        # The rounded share of a reference with repeats may lie a little off the share itself.
        low, high = min(low, now.value - before), max(high, now.value - before)
    return Estimate(
        metric="missing_change",
        population=f"column={name}",
        value=None if now.value is None else now.value - before,
        low=low,
        high=high,
        level=level,
        n=now.n,
        unit=now.unit,
        method=CHANGE,
        source="sample",
        note=now.note if low is None else f"reference {before:.4g}, now {now.value:.4g}",
    )


def new_levels(
    column: Column, values: Category, sample: Sample, *, name: str, level: float
) -> tuple[Estimate, tuple[tuple[str, int], ...]]:
    """Return the share of present values that the reference has not, and each with its count."""
    import numpy as np

    if not isinstance(column.grid, LevelGrid):  # pragma: no cover - `codes_of` refuses first
        return share_estimate(
            np.zeros(0, dtype=np.bool_),
            sample.subject[:0],
            metric="new_levels",
            level=level,
            unit=sample.unit,
        ), ()
    codes = codes_of(column.grid, values)
    present = codes >= 0
    new = codes == len(column.grid.levels)
    counted = np.bincount(values.codes[new], minlength=len(values.levels))
    found = [(values.levels[i], int(counted[i])) for i in np.flatnonzero(counted)]
    estimate = share_estimate(
        new[present],
        sample.subject[present],
        metric="new_levels",
        level=level,
        unit=sample.unit,
        population=f"column={name}",
    )
    return estimate, tuple(sorted(found, key=lambda pair: (-pair[1], pair[0])))
