"""Area under the ROC curve, alone and as the difference of two models on the same rows.

Definition: the probability that a positive row scores above a negative one, ties counting half.
Formula: A = mean over positives of V10, with V10(i) the share of negatives that row i beats, V01(j)
    the share of positives that beat negative j; both from mid-ranks. With X_g and Y_g the sums of
    V10 - A and V01 - A over the positive and negative rows of subject g, m positive and n negative
    rows, and I10, I01, I subjects with a positive, with a negative, and in all: S10 = I10/((I10 -
    1) m) sum X_g^2, S01 = I01/((I01 - 1) n) sum Y_g^2, S11 = I/(I - 1) sum X_g Y_g, var A = S10/m +
    S01/n + 2 S11/(m n). One row a subject makes this DeLong's variance exactly. The interval stands
    on the logit scale with the t quantile of min(I10, I01) - 1 degrees; a difference of two models
    uses the differences of their X and Y, on the identity scale, with (sum X_g^2)^2 / sum X_g^4
    degrees, or that of Y where it is fewer: two models often differ in few subjects, and those few
    carry the variance. Complete separation (A = 1 or 0) has the exact limit (alpha/2)^(1/k): k
    disjoint pairs of subjects were all in order, which has probability at most A^k.
Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3), 837-845; Sun and Xu (2014), IEEE
    Signal Processing Letters 21(11), 1389-1393 (ranks); Obuchowski (1997), Biometrics 53(2),
    567-578 (clusters); Qin and Hotilovac (2008), Statistical Methods in Medical Research 17(2),
    207-221 (logit); Satterthwaite (1946), Biometrics Bulletin 2(6), 110-114 (degrees of freedom of
    an uneven variance).
Assumptions: subjects are independent; every score was made the same way.
Failure modes: one class only: undefined. Fewer than MINIMUM_EVENTS subjects of either class: value
    without interval. The area says nothing of calibration, and nothing of the threshold in use.
Cost: three sorts: O(n log n).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import SampleMalformed
from audits.estimate import Estimate
from audits.performance.influence import RARER, by_subject, limits, nothing, one_class, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

METHOD: Final = "DeLong by subject (Obuchowski), logit, t, v1"
METHOD_EXACT: Final = "complete separation, exact limit, v1"
METHOD_DIFFERENCE: Final = "paired DeLong by subject (Obuchowski), t, v1"
MINIMUM_EVENTS: Final = 5
MINIMUM_EVENTS_DIFFERENCE: Final = 10
"""Subjects of each class below which the intervals no longer covered their level in simulation."""


def auroc(rows: Rows, *, level: float) -> Estimate:
    """Return the area under the ROC curve; undefined where one class is missing."""
    why = one_class(rows)
    if why:
        return nothing(rows, metric="auroc", why=why, level=level, method=METHOD)
    value, centred = _placements(rows)
    low, high, method = None, None, METHOD
    note = too_few(rows.rarer, MINIMUM_EVENTS, RARER)
    if note:
        pass
    elif value in (0.0, 1.0):
        low, high = _separated(rows, value, level=level)
        note, method = (
            "every positive is ahead" if value else "every positive is behind",
            METHOD_EXACT,
        )
    else:
        se = _variance(rows, centred) ** 0.5
        if se > 0:
            low, high = limits(value, se, level=level, scale="logit", df=rows.rarer - 1)
        else:
            note = "the scores do not differ, so they tell no uncertainty"
    return Estimate(
        metric="auroc",
        value=value,
        low=low,
        high=high,
        level=level,
        n=rows.subjects,
        unit=rows.unit,
        method=method,
        source="sample",
        population=rows.population,
        note=note,
    )


def auroc_difference(rows: Rows, *, other: Floats, level: float) -> Estimate:
    """Return the area of the rows' score minus that of the score `other` (n) on the same rows."""
    if other.shape != rows.score.shape:
        raise SampleMalformed(
            "two models are compared on the same rows", next_step="Give one score a row each."
        )
    metric = "auroc_difference"
    why = one_class(rows)
    if why:
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_DIFFERENCE)
    ours, mine = _placements(rows)
    theirs, yours = _placements(rows.with_score(other))
    se = max(0.0, _variance(rows, mine - yours)) ** 0.5
    low, high, note = None, None, too_few(rows.rarer, MINIMUM_EVENTS_DIFFERENCE, RARER)
    if note:
        pass
    elif se == 0.0:
        note = "the two models order the rows alike, so they tell no uncertainty"
    else:
        low, high = limits(ours - theirs, se, level=level, df=_carriers(rows, mine - yours))
        low, high = max(-1.0, low), min(1.0, high)
    return Estimate(
        metric=metric,
        value=ours - theirs,
        low=low,
        high=high,
        level=level,
        n=rows.subjects,
        unit=rows.unit,
        method=METHOD_DIFFERENCE,
        source="sample",
        population=rows.population,
        note=note,
    )


def delong_variance(rows: Rows) -> float:
    """Return the variance of the area; both classes are there."""
    return _variance(rows, _placements(rows)[1])


def roc_points(rows: Rows) -> tuple[Floats, Floats, Floats]:
    """Return (threshold, false positive rate, sensitivity), acting on scores >= threshold.

    Shapes (k + 1) for k distinct scores, from the threshold infinity down; both classes are there.
    """
    import numpy as np

    order = np.argsort(-rows.score, kind="stable")
    score, label = rows.score[order], rows.label[order]
    last = np.append(np.flatnonzero(np.diff(score)), score.size - 1)
    hits = np.concatenate(([0], np.cumsum(label)[last]))
    falls = np.concatenate(([0], np.cumsum(~label)[last]))
    return (
        np.concatenate(([np.inf], score[last])),
        falls / rows.negatives,
        hits / rows.positives,
    )


def _placements(rows: Rows) -> tuple[float, Floats]:
    """Return the area and each row's V10 or V01 minus the area (n)."""
    import numpy as np
    from scipy.stats import rankdata

    label = rows.label
    rank = rankdata(rows.score)
    placed = np.empty(rows.n)
    placed[label] = (rank[label] - rankdata(rows.score[label])) / rows.negatives
    placed[~label] = 1 - (rank[~label] - rankdata(rows.score[~label])) / rows.positives
    value = float(placed[label].mean())
    return value, placed - value


def _variance(rows: Rows, centred: Floats) -> float:
    import numpy as np

    m, n = rows.positives, rows.negatives
    first = by_subject(np.where(rows.label, centred, 0.0), rows.subject, subjects=rows.subjects)
    second = by_subject(np.where(rows.label, 0.0, centred), rows.subject, subjects=rows.subjects)
    if min(rows.events, rows.non_events) < 2:
        return 0.0
    s10 = rows.events / ((rows.events - 1) * m) * float(first @ first)
    s01 = rows.non_events / ((rows.non_events - 1) * n) * float(second @ second)
    s11 = rows.subjects / (rows.subjects - 1) * float(first @ second)
    return max(0.0, s10 / m + s01 / n + 2 * s11 / (m * n))


def _carriers(rows: Rows, centred: Floats) -> int:
    """Return how many subjects of a class carry its variance: all alike, or few large ones."""
    import numpy as np

    found = []
    for mask in (rows.label, ~rows.label):
        sums = by_subject(np.where(mask, centred, 0.0), rows.subject, subjects=rows.subjects)
        squares = float((sums**2).sum())
        if squares > 0:
            found.append(squares**2 / float((sums**4).sum()))
    return max(1, int(min(found)))


def _separated(rows: Rows, value: float, *, level: float) -> tuple[float, float]:
    pairs = min(rows.events, rows.non_events, max(1, rows.subjects // 2))
    bound = float(((1 - level) / 2) ** (1 / pairs))
    return (bound, 1.0) if value == 1.0 else (0.0, 1 - bound)
