"""Metrics that counts by group decide: shares of people treated one way or another, and error cost.

Definition: each metric is a ratio of two weighted sums of a group's cells. For a decision:
    selection_rate             acted on, of all               (demographic parity)
    true_positive_rate         acted on, of the positives     (equal opportunity)
    false_positive_rate        acted on, of the negatives     (with the former: equalised odds)
    positive_predictive_value  positive, of those acted on    (predictive parity)
    negative_predictive_value  negative, of those not acted on
    accuracy                   decided as the label says, of all
    error_cost                 cost of the errors, of all: the protocol's cost of a false negative
                               and of a false positive, in its own unit
    For a dose: overdosed, underdosed, within_tolerance, each of all rows whose right dose is known.
Formula: value(g) = sum over cells of top(o) c(g, o) / sum of bottom(o) c(g, o). An empty
    denominator is undefined, never 0 and never 1. Interval of a share: `proportion_estimate`, or
    `clustered_estimate` where subjects repeat. Interval of error_cost: t on the same standard
    error; with fewer than FEW errors the exact limits of the share of errors, at the dearest
    error's cost above and the cheapest's below. se^2 = S/(S - 1) * w' M w with w = (top - value
    bottom)/n.
Source: Hardt, Price and Srebro (2016), Advances in Neural Information Processing Systems 29 (equal
    opportunity, equalised odds); Chouldechova (2017), Big Data 5(2), 153-163 (predictive parity);
    Cochran (1977), Sampling Techniques, section 6.3 (variance of a ratio).
Assumptions: subjects are independent; labels are right. A label that is itself the product of
    unequal care makes every metric that uses it unequal too.
Failure modes: predictive parity and equalised odds cannot both hold where prevalence differs and
    the model errs (Chouldechova): which one matters is a decision of people.
Cost: a few operations a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate, decimal_text, undefined
from audits.fairness.cells import GroupCells, second_moments
from audits.intervals.clustered import MINIMUM_SUBJECTS, ClusteredShare, clustered_estimate
from audits.intervals.proportion import clopper_pearson, proportion_estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

FEW: Final = 5
"""Errors below which the cost takes exact limits."""
METHOD_COST: Final = "mean by subject, t, v1"
METHOD_COST_EXACT: Final = "exact share of errors at the extreme costs, v1"
UNGROUNDED: Final = "subjects repeat and the counts do not say how"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountMetric:
    """A ratio of two weighted sums of cells: `top` and `bottom` have one weight an outcome.

    `noun` says who the denominator is. `share`: top selects among bottom, so the value is a
    proportion of rows.
    """

    name: str
    title: str
    noun: str
    top: tuple[float, ...]
    bottom: tuple[float, ...]
    share: bool = True

    def values(self, counts: Floats) -> Floats:
        """Return the metric (..., groups) of counts (..., groups, outcomes); NaN = undefined."""
        import numpy as np

        bottom = counts @ np.array(self.bottom)
        top = counts @ np.array(self.top)
        values: Floats = np.full(bottom.shape, np.nan)
        np.divide(top, bottom, out=values, where=bottom > 0)
        return values

    def lifted(self, *, after: bool) -> CountMetric:
        """Return the metric of one side of `cells.paired` counts."""
        width = len(self.top)
        index = [k % width if after else k // width for k in range(width * width)]
        return CountMetric(
            name=self.name,
            title=self.title,
            noun=self.noun,
            top=tuple(self.top[k] for k in index),
            bottom=tuple(self.bottom[k] for k in index),
            share=self.share,
        )


_ALL = (1.0, 1.0, 1.0, 1.0)
_POSITIVES = (0.0, 0.0, 1.0, 1.0)
_NEGATIVES = (1.0, 1.0, 0.0, 0.0)
_ACTED = (0.0, 1.0, 0.0, 1.0)
_NOT_ACTED = (1.0, 0.0, 1.0, 0.0)
_TRUE_POSITIVE = (0.0, 0.0, 0.0, 1.0)

EQUALISED_ODDS: Final = "equalised_odds"
"""The larger of the gaps of its two parts; it exists between groups only."""
EQUALISED_ODDS_PARTS: Final = ("true_positive_rate", "false_positive_rate")
ERROR_COST: Final = "error_cost"


def _metric(
    name: str, title: str, noun: str, top: tuple[float, ...], bottom: tuple[float, ...]
) -> CountMetric:
    return CountMetric(name=name, title=title, noun=noun, top=top, bottom=bottom)


DECISION_METRICS: Final[Mapping[str, CountMetric]] = MappingProxyType(
    {
        one.name: one
        for one in (
            _metric("selection_rate", "acted on", "rows", _ACTED, _ALL),
            _metric(
                "true_positive_rate", "positives acted on", "positives", _TRUE_POSITIVE, _POSITIVES
            ),
            _metric(
                "false_positive_rate",
                "negatives acted on",
                "negatives",
                (0.0, 1.0, 0.0, 0.0),
                _NEGATIVES,
            ),
            _metric(
                "positive_predictive_value",
                "positive among those acted on",
                "rows acted on",
                _TRUE_POSITIVE,
                _ACTED,
            ),
            _metric(
                "negative_predictive_value",
                "negative among those not acted on",
                "rows not acted on",
                (1.0, 0.0, 0.0, 0.0),
                _NOT_ACTED,
            ),
            _metric("accuracy", "decided as the label says", "rows", (1.0, 0.0, 0.0, 1.0), _ALL),
        )
    }
)
DOSE_METRICS: Final[Mapping[str, CountMetric]] = MappingProxyType(
    {
        one.name: one
        for one in (
            _metric("overdosed", "dose too high", "rows", (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)),
            _metric("underdosed", "dose too low", "rows", (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
            _metric(
                "within_tolerance", "dose within limits", "rows", (0.0, 1.0, 0.0), (1.0, 1.0, 1.0)
            ),
        )
    }
)


def error_cost(*, false_positive: float, false_negative: float) -> CountMetric:
    """Return the mean cost of a row, in the unit of the two costs."""
    return CountMetric(
        name=ERROR_COST,
        title="cost of errors a row",
        noun="rows",
        top=(0.0, false_positive, false_negative, 0.0),
        bottom=_ALL,
        share=False,
    )


def by_group(
    cells: GroupCells, metric: CountMetric, *, level: float, name: str | None = None
) -> tuple[Estimate, ...]:
    """Return the metric of each group with its interval; undefined where the denominator is empty.

    `name` replaces the metric's name in the estimates. n counts the rows of the denominator where
    rows are independent, else the subjects behind the group.
    """
    return tuple(
        _estimate(cells, metric, g, level=level, name=name or metric.name)
        for g in range(len(cells.groups))
    )


def denominators(cells: GroupCells, metric: CountMetric) -> list[int]:
    """Return how many rows each group has in the metric's denominator."""
    import numpy as np

    return [int(x) for x in cells.counts @ np.array(metric.bottom)]


def covariance(cells: GroupCells, metric: CountMetric) -> Floats:
    """Return the linearised covariance (groups squared) of the metric; NaN where undefined."""
    import numpy as np

    count, width = cells.counts.shape
    values = metric.values(cells.counts.astype(np.float64))
    bottom = cells.counts @ np.array(metric.bottom)
    weights = np.zeros((count, count, width))
    for g in range(count):
        weights[g, g] = (np.array(metric.top) - values[g] * np.array(metric.bottom)) / max(
            1.0, bottom[g]
        )
    flat = weights.reshape(count, count * width)
    usable = np.isfinite(values)
    flat[~usable] = 0.0
    found = flat @ second_moments(cells) @ flat.T
    found[~usable] = np.nan
    found[:, ~usable] = np.nan
    return np.asarray(found)


def standard_errors(cells: GroupCells, metric: CountMetric) -> Floats:
    """Return the standard error (groups) of the metric by subject, with S/(S - 1)."""
    import numpy as np

    variance = np.diag(covariance(cells, metric)).clip(min=0.0)
    subjects = np.array(subjects_behind(cells, metric), dtype=np.float64)
    return np.sqrt(variance * subjects / np.maximum(1.0, subjects - 1))


def subjects_behind(cells: GroupCells, metric: CountMetric) -> list[int]:
    """Return how many subjects each group has in the denominator.

    A tally of repeated subjects knows only those of the whole group.
    """
    import numpy as np

    if not cells.repeats:
        return denominators(cells, metric)
    if cells.pairs is None:
        return [int(x) for x in cells.subjects]
    count, width = cells.counts.shape
    within = np.array(metric.bottom)[cells.pairs.cell % width] > 0
    keys = cells.pairs.subject[within] * count + cells.pairs.cell[within] // width
    return [int(x) for x in np.bincount(np.unique(keys) % count, minlength=count)]


def clustered_share(cells: GroupCells, metric: CountMetric, g: int) -> ClusteredShare:
    """Return the sums over subjects behind a share of group `g`."""
    import numpy as np

    width = len(metric.top)
    top, bottom = np.array(metric.top), np.array(metric.bottom)
    own = slice(g * width, (g + 1) * width)
    moments = second_moments(cells)[own, own]
    rows, successes = int(cells.counts[g] @ bottom), int(cells.counts[g] @ top)
    return ClusteredShare(
        subjects=subjects_behind(cells, metric)[g],
        rows=rows,
        successes=successes,
        squares=round(float(top @ moments @ top)),
        cross=round(float(top @ moments @ bottom)),
        square_rows=round(float(bottom @ moments @ bottom)),
        with_success=_subjects_in(cells, g, top, moments),
        with_failure=_subjects_in(cells, g, bottom - top, moments),
    )


def _subjects_in(cells: GroupCells, g: int, weights: Floats, moments: Floats) -> int:
    """Return how many subjects of group `g` have a row under `weights` (0 or 1 an outcome).

    A tally does not know; sum^2 / sum of squares is the least there can be (Cauchy-Schwarz).
    """
    import numpy as np

    if cells.pairs is None:
        squares = float(weights @ moments @ weights)
        return int(float(cells.counts[g] @ weights) ** 2 / squares) if squares > 0 else 0
    width = len(weights)
    within = (cells.pairs.cell // width == g) & (weights[cells.pairs.cell % width] > 0)
    return int(np.unique(cells.pairs.subject[within]).size)


def _estimate(
    cells: GroupCells, metric: CountMetric, g: int, *, level: float, name: str
) -> Estimate:
    top, bottom = (
        sum(w * int(c) for w, c in zip(weights, cells.counts[g], strict=True))
        for weights in (metric.top, metric.bottom)
    )
    if bottom == 0:
        return undefined(
            metric=name,
            population=cells.groups[g],
            level=level,
            n=0,
            unit=cells.unit,
            method="ratio of counts, v1",
            note=f"no {metric.noun}: 0 of 0 is no share",
        )
    if not cells.repeats and metric.share:
        return proportion_estimate(
            metric=name,
            population=cells.groups[g],
            successes=int(top),
            n=int(bottom),
            level=level,
            unit=cells.unit,
        )
    if metric.share and cells.grounded:
        return clustered_estimate(
            metric=name,
            share=clustered_share(cells, metric, g),
            level=level,
            unit=cells.unit,
            population=cells.groups[g],
            source="tally",
        )
    value, subjects = top / bottom, subjects_behind(cells, metric)[g]
    low, high, method, note = _limits(cells, metric, g, value=value, level=level)
    rows = "" if not cells.repeats else f"{int(bottom)} {metric.noun} of {subjects} {cells.unit}s"
    return Estimate(
        metric=name,
        population=cells.groups[g],
        value=value,
        low=low,
        high=high,
        level=level,
        n=subjects,
        unit=cells.unit,
        method=method,
        source="tally",
        note="; ".join(part for part in (note, rows) if part),
    )


def _limits(
    cells: GroupCells, metric: CountMetric, g: int, *, value: float, level: float
) -> tuple[float | None, float | None, str, str]:
    """Return (low, high, method, note) of a cost, or of what has no ground for limits."""
    if not cells.grounded:
        return None, None, METHOD_COST, UNGROUNDED
    subjects = subjects_behind(cells, metric)[g]
    if cells.repeats and subjects < MINIMUM_SUBJECTS:
        few = f"{subjects} {cells.unit}s are too few for an interval ({MINIMUM_SUBJECTS} needed)"
        return None, None, METHOD_COST, few
    return _cost_limits(cells, metric, g, value=value, level=level)


def _cost_limits(
    cells: GroupCells, metric: CountMetric, g: int, *, value: float, level: float
) -> tuple[float | None, float | None, str, str]:
    from scipy.special import stdtrit

    costs = [w for w in metric.top if w > 0]
    errors = sum(int(c) for w, c in zip(metric.top, cells.counts[g], strict=True) if w > 0)
    rows, subjects = int(cells.counts[g].sum()), subjects_behind(cells, metric)[g]
    if errors < FEW or rows - errors < FEW:
        if cells.repeats:
            return None, None, METHOD_COST, f"{errors} errors are too few for an interval"
        low, high = clopper_pearson(errors, rows, level=level)
        note = f"exact limits: {errors} errors of {rows}"
        return low * min(costs), high * max(costs), METHOD_COST_EXACT, note
    se = float(standard_errors(cells, metric)[g])
    reach = float(stdtrit(subjects - 1, (1 + level) / 2)) * se
    top = decimal_text(max(costs), digits=6)
    note = f"cut to the range 0 to {top}" if value - reach < 0 else ""
    return max(0.0, value - reach), min(max(costs), value + reach), METHOD_COST, note
