"""Average precision: the area under the steps of the precision-recall curve.

Definition: precision at each positive's score, averaged over the positives: of the rows scored at
    least as high, how many are positive. A score without information has the prevalence as its
    average precision, so the prevalence stands beside it.
Formula: AP = sum over distinct scores t of (recall(t) - recall(t+)) precision(t), with rows scored
    at or above t counted (scikit-learn's definition; no interpolation). Influence of row k, with
    P(s) the precision and F(s) the share of rows at or above s, pi the prevalence:
    [y_k (P(s_k) - AP) + mean over positives i scored at or below s_k of (y_k - P(s_i))/F(s_i)]/pi,
    divided by n. Interval by subject on the logit scale with the t quantile of (subjects with a
    positive) - 1 degrees.
Source: Boyd, Eng and Page (2013), ECML PKDD, Lecture Notes in Computer Science 8190, 451-466 (logit
    interval); the influence is the derivative of AP by the weight of a row (see `influence`).
Assumptions: as in `influence`; the prevalence of the sample is that of the population meant. In a
    case-control sample average precision means nothing outside it.
Failure modes: no positive, or no negative: undefined. Fewer than MINIMUM_EVENTS subjects with a
    positive: value without interval. Values at two prevalences are not comparable.
Cost: one sort: O(n log n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate, decimal_text
from audits.performance.influence import measured, nothing, one_class, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

METHOD: Final = "average precision, influence by subject, logit, t, v1"
MINIMUM_EVENTS: Final = 10
"""Subjects with a positive below which the interval no longer covered its level in simulation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The precision-recall curve at each distinct score (k), from the highest down."""

    threshold: Floats
    precision: Floats
    recall: Floats
    group: Ints
    """(n) Which distinct score each row has."""
    selected: Ints
    """(k) Rows scored at or above."""
    hits: Ints
    """(k) Positive rows with exactly this score."""


def average_precision(rows: Rows, *, level: float) -> Estimate:
    """Return the average precision; undefined where one class is missing."""
    why = one_class(rows)
    if why:
        return nothing(rows, metric="average_precision", why=why, level=level, method=METHOD)
    value, influence = average_precision_influence(rows)
    note = f"chance level {decimal_text(rows.positives / rows.n, digits=6)} (the prevalence)"
    short = too_few(rows.events, MINIMUM_EVENTS, "subjects with a positive")
    if value == 1.0 and not short:
        short = "every positive is ahead, and this method has no limit for that"
    return measured(
        rows,
        metric="average_precision",
        value=value,
        influence=influence,
        level=level,
        method=METHOD,
        scale="logit",
        df=max(1, rows.events - 1),
        note=note,
        short=short,
    )


def average_precision_influence(rows: Rows) -> tuple[float, Floats]:
    """Return the average precision and each row's influence (n); both classes are there."""
    import numpy as np

    curve = curve_of(rows)
    value = float(curve.hits @ curve.precision) / rows.positives
    # for a row, the sums over positives scored at or below it
    below = _from_here_down(curve.hits / curve.selected)[curve.group]
    weighed = _from_here_down(curve.hits * curve.precision / curve.selected)[curve.group]
    own = np.where(rows.label, curve.precision[curve.group] - value, 0.0)
    # F(s) = selected/n and the mean over n rows cancel their n
    return value, (own + rows.label * below - weighed) / rows.positives


def curve_of(rows: Rows) -> Curve:
    """Return the precision-recall curve of `rows`, which hold a positive."""
    import numpy as np

    levels, group = np.unique(-rows.score, return_inverse=True)
    count = np.bincount(group, minlength=levels.size)
    hits = np.bincount(group[rows.label], minlength=levels.size)
    selected, found = np.cumsum(count), np.cumsum(hits)
    return Curve(
        threshold=-levels,
        precision=found / selected,
        recall=found / rows.positives,
        group=group.astype(np.int64),
        selected=selected,
        hits=hits,
    )


def _from_here_down(values: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.cumsum(values[::-1])[::-1])
