"""What changed: two decisions, or two doses, of the same rows, compared within each group.

Definition: for every group and for everybody, the metric after minus the metric before.
Formula: rows are counted by both outcomes at once (`cells.paired`), so each replicate of those
    counts holds both metrics of the same people and their dependence. Limits are max-t over the
    groups of a metric. Where fewer than FEW_EVENTS_OF_GAP rows of a group change sides and rows are
    independent, and both metrics have one denominator n, b rows gain and c rows lose: the limits
    are l(b) - u(c) to u(b) - l(c) with the exact limits l, u of b/n and c/n, each at half the error
    of Sidak's level.
Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 8 (resampling whole
    rows keeps pairs together); Clopper and Pearson (1934), Biometrika 26(4), 404-413, with Boole's
    inequality for the difference.
Assumptions: both outcomes are of the same rows; subjects are independent.
Failure modes: few changes of subjects with several rows, or of a metric whose denominator changes
    too (predictive values), give a value without an interval, with the reason.
Cost: as `gaps`, with the square of the outcomes as cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate
from audits.fairness.cells import GroupCells
from audits.fairness.draws import draw
from audits.fairness.metrics import CountMetric, denominators, subjects_behind
from audits.intervals.proportion import clopper_pearson
from audits.intervals.simultaneous import (
    FEW_EVENTS_OF_GAP,
    MAX_T,
    NONE,
    SIDAK,
    simultaneous_limits,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

EXACT: Final = "exact limits of both directions, Sidak level, v1"
_METHODS: Final = {MAX_T: f"paired {MAX_T}", SIDAK: EXACT, NONE: NONE}


def changes(
    cells: GroupCells,
    *,
    metric: CountMetric,
    level: float,
    replicates: int,
    rng: np.random.Generator,
    name: str,
) -> tuple[Estimate, ...]:
    """Return `metric` after minus before, of each group of `cells` (counted with `paired`).

    `metric` is that of one outcome; `name` is what the estimates call the change.
    """
    before, after = metric.lifted(after=False), metric.lifted(after=True)
    counts = cells.counts.astype(float)
    value = after.values(counts) - before.values(counts)
    n = subjects_behind(cells, before) if cells.repeats else denominators(cells, before)
    low, high, methods, notes = _limits(
        cells, before, after, value, n=n, level=level, replicates=replicates, rng=rng
    )
    return tuple(
        _estimate(
            cells.groups[g],
            name,
            value=float(value[g]),
            low=float(low[g]),
            high=float(high[g]),
            level=level,
            n=n[g],
            unit=cells.unit,
            method=methods[g],
            note=notes[g],
        )
        for g in range(len(cells.groups))
    )


def moved(cells: GroupCells, *, top: Sequence[float]) -> list[tuple[int, int]]:
    """Return how many rows of each group came under `top` (one weight an outcome), and left it."""
    width = len(top)
    gained = [j for j in range(width * width) if top[j % width] > top[j // width]]
    lost = [j for j in range(width * width) if top[j % width] < top[j // width]]
    return [(int(row[gained].sum()), int(row[lost].sum())) for row in cells.counts]


def _limits(
    cells: GroupCells,
    before: CountMetric,
    after: CountMetric,
    value: Floats,
    *,
    n: Sequence[int],
    level: float,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, list[str], list[str]]:
    import numpy as np

    nothing = np.full(value.shape, np.nan)
    usable = np.flatnonzero(np.isfinite(value))
    notes = [f"no {before.noun} before or after"] * value.size
    methods = [NONE] * value.size
    if not usable.size or not cells.grounded:
        if not cells.grounded:
            notes = ["subjects repeat and the counts do not say how"] * value.size
        return nothing, nothing, methods, notes
    drawn = draw(cells, replicates=replicates, rng=rng)
    turned = (cells.counts @ (np.array(before.top) != np.array(after.top)))[usable]
    found = simultaneous_limits(
        value[usable],
        (after.values(drawn) - before.values(drawn))[:, usable],
        level=level,
        units=np.array(n)[usable],
        few=turned < FEW_EVENTS_OF_GAP,
        fallback=lambda k, each: _exact(cells, before, after, int(usable[k]), level=each),
    )
    low, high = nothing.copy(), nothing.copy()
    low[usable], high[usable] = found.low, found.high
    for k, g in enumerate(usable):
        methods[g], notes[g] = _METHODS[found.methods[k]], found.notes[k]
    return low, high, methods, notes


def _exact(
    cells: GroupCells, before: CountMetric, after: CountMetric, g: int, *, level: float
) -> tuple[float, float] | None:
    """Return the exact limits of a change among independent rows of one denominator."""
    row = cells.counts[g]
    if cells.repeats or not before.share:
        return None
    seen = [j for j, count in enumerate(row) if count]
    if any(before.bottom[j] != after.bottom[j] for j in seen):
        return None
    n = sum(int(row[j]) for j in seen if before.bottom[j] > 0)
    gained = sum(int(row[j]) for j in seen if after.top[j] > before.top[j])
    lost = sum(int(row[j]) for j in seen if after.top[j] < before.top[j])
    each = 1 - (1 - level) / 2
    up, down = clopper_pearson(gained, n, level=each), clopper_pearson(lost, n, level=each)
    return up[0] - down[1], up[1] - down[0]


def _estimate(
    population: str,
    name: str,
    *,
    value: float,
    low: float,
    high: float,
    level: float,
    n: int,
    unit: str,
    method: str,
    note: str,
) -> Estimate:
    defined, bounded = math.isfinite(value), math.isfinite(low) and math.isfinite(high)
    return Estimate(
        metric=name,
        population=population,
        value=value if defined else None,
        low=min(low, value) if bounded else None,
        high=max(high, value) if bounded else None,
        level=level,
        n=n,
        unit=unit,
        method=method,
        source="tally",
        note=note or ("" if bounded else "no limits"),
    )
