"""Gaps: every pair of groups, difference and ratio, with limits that hold for all pairs at once.

Definition: for a metric and a partition, the difference (first minus second) and the ratio (first
    over second) of every pair of groups in alphabetical order, or of every group against the
    reference that the protocol names. The gap in equalised odds is the larger absolute gap of the
    true and the false positive rate.
Formula: replicates of all cells are drawn together (`draws`). A pair whose groups both have
    FEW_EVENTS_OF_GAP effective events and non-events (n* min(p, 1 - p), n* = p (1 - p)/se^2) gets
    max-t limits, ratios on the log scale (`simultaneous`). Any other pair gets score limits by
    square-and-add at Sidak's level: with limits l, u of each group, d - sqrt((p1 - l1)^2 + (u2 -
    p2)^2) to d + sqrt((u1 - p1)^2 + (p2 - l2)^2), ratios the same on the log scale, and l1 - u2 to
    u1 - l2 where a subject is in both groups. Equalised odds: both rates are one family; the
    largest |d| has the limits max of 0, l, -u and max of |l|, |u| over the two.
Source: Hothorn, Bretz and Westfall (2008), Biometrical Journal 50(3), 346-363 (max-t); Newcombe
    (1998), Statistics in Medicine 17(8), 873-890, method 10 (square-and-add); Zou and Donner
    (2008), Statistics in Medicine 27(10), 1693-1702 (the same for ratios).
Assumptions: subjects are independent of each other.
Failure modes: limits are simultaneous over the pairs of one metric, one partition and one scale,
    not over metrics. Many groups mean many pairs and wide limits: name the partitions that matter.
    An interval that holds 0 is no evidence of equality; only a margin that it stays inside is.
Cost: replicates x cells draws, replicates x pairs x metrics operations; none depends on the rows,
    but for the Poisson weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.fairness.all_pairs import MINIMUM_UNITS, AllPairs
from audits.fairness.cells import GroupCells
from audits.fairness.metrics import (
    UNGROUNDED,
    CountMetric,
    by_group,
    denominators,
    standard_errors,
    subjects_behind,
)
from audits.intervals.simultaneous import (
    FEW_EVENTS_OF_GAP,
    MAX_T,
    NONE,
    Limits,
    simultaneous_limits,
)
from audits.intervals.two_proportions import mover_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

MAX_PAIRS: Final = 2_100
"""Pairs of one partition: 65 groups against each other. More would only be compared with a
reference, and nobody reads them."""
SCORE: Final = "score limits, square-and-add, Sidak level, v1"
DIFFERENCE: Final = "minus"
RATIO: Final = "over"

Pair: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GapLimits:
    """Gaps of one metric on one scale; NaN where undefined or without limits, `why` says why.

    `value`, `low`, `high` (pairs). `methods` (pairs) names the method behind each. `critical` is
    the max-t quantile, NaN where no pair took it.
    """

    pairs: tuple[Pair, ...]
    scale: str
    value: Floats
    low: Floats
    high: Floats
    critical: float
    methods: tuple[str, ...]
    why: tuple[str, ...]


def pairs_of(groups: Sequence[str], *, reference: str | None = None) -> tuple[Pair, ...]:
    """Return all pairs of groups in alphabetical order, or each other group against `reference`.

    Raises ProtocolMalformed for a reference that is no group, or for more than MAX_PAIRS pairs.
    """
    if reference is not None:
        if reference not in groups:
            raise ProtocolMalformed(
                f"the reference {reference!r} is no group of the sample",
                next_step=f"Name one of: {'; '.join(groups)}.",
            )
        at = groups.index(reference)
        found = tuple((g, at) for g in range(len(groups)) if g != at)
    else:
        found = tuple(combinations(range(len(groups)), 2))
    if len(found) > MAX_PAIRS:
        raise ProtocolMalformed(
            f"{len(found)} pairs of {len(groups)} groups are more than {MAX_PAIRS}",
            next_step="Name a reference group, or intersect fewer attributes.",
        )
    return found


def limits(
    cells: GroupCells,
    metrics: Sequence[CountMetric],
    drawn: Floats | None,
    *,
    pairs: Sequence[Pair],
    level: float,
    scale: str = DIFFERENCE,
) -> tuple[GapLimits, ...]:
    """Return the gaps of each metric; all metrics given together are one simultaneous family.

    `drawn` are the replicates of `draw`, or None where there is no ground for limits.
    """
    import numpy as np

    families = [_Family(cells, metric, scale=scale) for metric in metrics]
    value = np.stack([one.gaps(pairs) for one in families])
    why = [one.why(pairs, value[m]) for m, one in enumerate(families)]
    usable = np.isfinite(value)
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    methods = np.full(value.shape, NONE, dtype=object)
    critical = float("nan")
    if drawn is not None and usable.any():
        where = np.argwhere(usable)
        found = _together(families, drawn, pairs, where=where, value=value[usable], level=level)
        low[usable], high[usable], critical = found.low, found.high, found.critical
        methods[usable] = [MAX_T if one == MAX_T else SCORE for one in found.methods]
        for (m, k), note in zip(where, found.notes, strict=True):
            why[m][k] = why[m][k] or note
    return tuple(
        GapLimits(
            pairs=tuple(pairs),
            scale=scale,
            value=value[m],
            low=low[m],
            high=high[m],
            critical=critical,
            methods=tuple(methods[m]),
            why=tuple(why[m]),
        )
        for m in range(len(metrics))
    )


def gap_limits(
    cells: GroupCells,
    metrics: Sequence[CountMetric],
    drawn: Floats | None,
    *,
    pairs: Sequence[Pair],
    level: float,
    scale: str = DIFFERENCE,
) -> list[GapLimits]:
    """Return the gaps of each metric, which is a simultaneous family of its own.

    Metrics whose groups all have events enough are read together by `AllPairs`: the same numbers as
    `limits` gives, sooner.
    """
    import numpy as np

    families = [_Family(cells, metric, scale=scale) for metric in metrics]
    involved = np.array(sorted({g for pair in pairs for g in pair}), dtype=int)
    at = [
        m
        for m, one in enumerate(families)
        if drawn is not None and involved.size and one.dense[involved].all()
    ]
    ready: dict[int, GapLimits] = {}
    if at and drawn is not None:
        ready = _all_pairs([families[m] for m in at], drawn, pairs, at=at, level=level)
    return [
        ready[m]
        if m in ready
        else limits(cells, [metric], drawn, pairs=pairs, level=level, scale=scale)[0]
        for m, metric in enumerate(metrics)
    ]


def _all_pairs(
    families: Sequence[_Family],
    drawn: Floats,
    pairs: Sequence[Pair],
    *,
    at: Sequence[int],
    level: float,
) -> dict[int, GapLimits]:
    """Return the gaps of the metrics `at` whose pairs are defined in every replicate."""
    import numpy as np

    ratio = families[0].scale == RATIO
    weights = (
        np.array([one.metric.top for one in families]),
        np.array([one.metric.bottom for one in families]),
    )
    top, bottom = ((drawn @ w.T).transpose(2, 1, 0) for w in weights)
    replicates = np.full(top.shape, np.nan)
    usable = (bottom > 0) & (top > 0) if ratio else bottom > 0
    np.divide(top, bottom, out=replicates, where=usable)
    values = np.stack([one.values for one in families])
    if ratio:
        replicates, values = np.log(replicates), np.log(values)
    table = AllPairs(replicates, pairs)
    first, second = _first(pairs), _second(pairs)
    behind = np.array([one.behind for one in families])
    units = np.minimum(behind[:, first], behind[:, second])
    ready = table.ready() & (units >= MINIMUM_UNITS).all(axis=1)
    found = table.limits(values, level=level, units=units) if ready.any() else None
    made = {}
    for m in (int(one) for one in np.flatnonzero(ready)):
        if found is None:  # pragma: no cover - there is something ready
            break
        low, high = found.low[m], found.high[m]
        reach = max(families[m].metric.top)
        low, high = (
            (np.exp(low), np.exp(high))
            if ratio
            else (np.maximum(low, -reach), np.minimum(high, reach))
        )
        made[at[m]] = GapLimits(
            pairs=tuple(pairs),
            scale=families[m].scale,
            value=families[m].gaps(pairs),
            low=low,
            high=high,
            critical=float(found.critical[m]),
            methods=(MAX_T,) * len(pairs),
            why=("",) * len(pairs),
        )
    return made


def equalised_odds(parts: tuple[GapLimits, GapLimits]) -> GapLimits:
    """Return the larger absolute gap of two rates whose limits are one family."""
    import numpy as np

    first, second = parts
    stacked = np.stack([first.value, second.value])
    low = np.stack([np.zeros_like(first.low), first.low, -first.high, second.low, -second.high])
    high = np.stack([abs(first.low), abs(first.high), abs(second.low), abs(second.high)])
    value = np.abs(stacked).max(axis=0)  # NaN where either part is undefined
    return replace(
        first,
        value=value,
        low=np.where(np.isnan(value), np.nan, low.max(axis=0)),
        high=np.where(np.isnan(value), np.nan, high.max(axis=0)),
        methods=tuple(
            one if one == other else SCORE
            for one, other in zip(first.methods, second.methods, strict=True)
        ),
        why=tuple(one or other for one, other in zip(first.why, second.why, strict=True)),
    )


class _Family:
    """One metric of all groups on one scale, and what its pairs may rest on."""

    def __init__(self, cells: GroupCells, metric: CountMetric, *, scale: str) -> None:
        self.cells, self.metric, self.scale = cells, metric, scale
        self.values = metric.values(cells.counts.astype(float))
        self.dense = _dense(cells, metric, self.values)
        self.behind = subjects_behind(cells, metric)
        self._sides: dict[float, list[Side | None]] = {}

    def gaps(self, pairs: Sequence[Pair]) -> Floats:
        """Return the difference or ratio (pairs); NaN where undefined or over zero."""
        import numpy as np

        first, second = self.values[_first(pairs)], self.values[_second(pairs)]
        if self.scale == DIFFERENCE:
            return np.asarray(first - second)
        ratio = np.full(first.shape, np.nan)
        np.divide(first, second, out=ratio, where=second > 0)
        return ratio

    def replicates(self, drawn: Floats, pairs: Sequence[Pair]) -> Floats:
        """Return the replicates (replicates, pairs) of the gap, of its logarithm for a ratio."""
        import numpy as np

        values = self.metric.values(drawn)
        if self.scale == RATIO:
            logs = np.full(values.shape, np.nan)
            values = np.log(values, out=logs, where=values > 0)
        return np.asarray(values[:, _first(pairs)] - values[:, _second(pairs)])

    def scored(self, pair: Pair, *, level: float) -> tuple[float, float] | None:
        """Return the square-and-add limits of a pair, or None where a side has no limits."""
        if level not in self._sides:
            each = 1 - (1 - level) / 2 if self.cells.shared else level
            groups = by_group(self.cells, self.metric, level=each)
            self._sides[level] = [_side(one) for one in groups]
        one, other = (self._sides[level][g] for g in pair)
        if one is None or other is None:
            return None
        return square_and_add(one, other, scale=self.scale, shared=self.cells.shared)

    def why(self, pairs: Sequence[Pair], value: Floats) -> list[str]:
        """Return for each pair why it is undefined or cannot have limits, or the empty text."""
        import numpy as np

        empty = np.isnan(self.values)
        ungrounded = "" if self.cells.grounded else UNGROUNDED
        found = []
        for k, (first, second) in enumerate(pairs):
            missing = [self.cells.groups[g] for g in (first, second) if empty[g]]
            if missing:
                found.append("; ".join(f"{name}: no {self.metric.noun}" for name in missing))
            elif np.isnan(value[k]):
                found.append(f"{self.cells.groups[second]}: the value is 0, so nothing is over it")
            else:
                found.append(ungrounded)
        return found


def _together(
    families: Sequence[_Family],
    drawn: Floats,
    pairs: Sequence[Pair],
    *,
    where: NDArray[np.int64],
    value: Floats,
    level: float,
) -> Limits:
    """Return simultaneous limits of the gaps at `where` (k; family, pair), whose value is given."""
    import numpy as np

    wanted = [np.array([k for m, k in where if m == at], dtype=int) for at in range(len(families))]
    replicates = np.concatenate(
        [
            one.replicates(drawn, [pairs[k] for k in mine])
            for one, mine in zip(families, wanted, strict=True)
        ],
        axis=1,
    )
    places = [(families[m], pairs[k]) for m, k in where]
    few = np.array([not (one.dense[a] and one.dense[b]) for one, (a, b) in places])
    units = np.array([min(one.behind[a], one.behind[b]) for one, (a, b) in places])
    ratio = families[0].scale == RATIO
    point = value
    if ratio:
        point = np.log(value, out=np.full(value.shape, -np.inf), where=value > 0)
        few |= ~np.isfinite(point)
    found = simultaneous_limits(
        np.where(np.isfinite(point), point, 0.0),
        replicates,
        level=level,
        units=units,
        few=few,
        fallback=lambda k, each: _scored_on_scale(*places[k], level=each),
    )
    if ratio:
        return replace(found, low=np.exp(found.low), high=np.exp(found.high))
    reach = np.array([max(one.metric.top) for one, _ in places])
    return replace(found, low=np.maximum(found.low, -reach), high=np.minimum(found.high, reach))


def _scored_on_scale(family: _Family, pair: Pair, *, level: float) -> tuple[float, float] | None:
    """Return the score limits of a pair on the scale of its replicates."""
    found = family.scored(pair, level=level)
    if found is None or math.isnan(found[0]):
        return None
    if family.scale == DIFFERENCE:
        return found
    low, high = found
    return (math.log(low) if low > 0 else -math.inf), math.log(high)


def _dense(cells: GroupCells, metric: CountMetric, values: Floats) -> Bools:
    """Return which groups (groups) have events and non-events enough for the bootstrap."""
    import numpy as np

    if not cells.grounded:
        return np.zeros(values.shape, dtype=bool)
    if not metric.share:
        hit = np.array([float(w > 0) for w in metric.top])
        errors = cells.counts @ hit
        fewer = np.minimum(errors, cells.counts.sum(axis=1) - errors)
        return np.asarray(fewer >= FEW_EVENTS_OF_GAP)
    p = np.nan_to_num(values)
    size = np.array(denominators(cells, metric), dtype=np.float64)
    if cells.repeats:
        spread = standard_errors(cells, metric)
        inner = np.isfinite(spread) & (spread > 0)
        size = np.where(inner, np.minimum(size, p * (1 - p) / np.where(inner, spread, 1) ** 2), 0.0)
    # a hair of slack: n* is a quotient that rounding must not push under a whole number
    return np.asarray(size * np.minimum(p, 1 - p) >= FEW_EVENTS_OF_GAP * (1 - 1e-9))


Side: TypeAlias = "tuple[float, float, float]"


def _side(estimate: Estimate) -> Side | None:
    """Return (value, low, high), or None where one of them is missing."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.value, estimate.low, estimate.high


def square_and_add(
    one: Side,
    other: Side,
    *,
    scale: str,
    shared: bool,
) -> tuple[float, float]:
    """Return the limits of a gap from (value, low, high) of both groups; NaN without any."""
    (p1, l1, u1), (p2, l2, u2) = one, other
    if scale == DIFFERENCE:
        return (l1 - u2, u1 - l2) if shared else mover_difference(p1, (l1, u1), p2, (l2, u2))
    if l2 <= 0.0:
        return math.nan, math.nan
    if shared or l1 <= 0.0:
        return l1 / u2, u1 / l2
    p1, l1, u1, p2, l2, u2 = (math.log(x) for x in (p1, l1, u1, p2, l2, u2))
    low, high = mover_difference(p1, (l1, u1), p2, (l2, u2))
    return math.exp(low), math.exp(high)


def _first(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    import numpy as np

    return np.array([first for first, _ in pairs], dtype=np.int64)


def _second(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    import numpy as np

    return np.array([second for _, second in pairs], dtype=np.int64)
