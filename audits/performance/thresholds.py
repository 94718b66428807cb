"""What acting at a threshold means: sensitivity, specificity, predictive values, likelihood ratios.

Definition: a row is acted on where its score is at least the threshold. Sensitivity and specificity
    are the shares acted on rightly among positives and negatives, PPV and NPV the shares of acts
    and of omissions that were right. LR+ = sensitivity/(1 - specificity), LR- = (1 - sensitivity)/
    specificity. Sensitivity at a fixed specificity uses the lowest threshold whose specificity is
    at least the one asked for, found on the same rows.
Formula: shares: Wilson, by subject where subjects repeat (`audits.intervals`). Ratios: log scale,
    influence (hit - p)/(m p) of each share, t quantile. Sensitivity at fixed specificity: p~ = (m p
    + z^2/2)/(m + z^2) -/+ z sd, sd the standard deviation of p~ over Poisson resamples of the
    subjects in which the threshold is found anew, so that the interval holds the threshold's own
    uncertainty, and at least the binomial one of p~.
Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212; Simel, Samsa and
    Matchar (1991), Journal of Clinical Epidemiology 44(8), 763-770 (log ratio); Zhou and Qin
    (2005), Statistics in Medicine 24(3), 465-477 (the interval "BTII").
Assumptions: a threshold named in the protocol was fixed without these rows.
Failure modes: an empty denominator is undefined, not zero (P8). PPV and NPV move with prevalence. A
    threshold picked on these rows and then read as if fixed gets intervals that are too narrow. Few
    negatives near the wanted specificity make its threshold jump: fewer than MINIMUM_TAIL subjects
    on either side of it: no interval.
Cost: one pass a threshold; replicates times n for the fixed specificity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate, decimal_text
from audits.intervals.bootstrap import poisson_weights
from audits.performance.influence import (
    RARER,
    check_replicates,
    measured,
    nothing,
    one_class,
    quantile,
    share_estimate,
    too_few,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

METHOD_RATIO: Final = "log ratio, influence by subject, t, v1"
METHOD_FIXED: Final = "Zhou-Qin BTII, Poisson bootstrap by subject, v1"
MINIMUM_EVENTS: Final = 5
MINIMUM_RATIO: Final = 10
"""Subjects of the rarer class below which no limits of a ratio, or of a fixed specificity (5)."""
MINIMUM_TAIL: Final = 3
"""Negative subjects that must lie beyond the threshold of a fixed specificity."""


def at_threshold(rows: Rows, *, threshold: float, level: float) -> tuple[Estimate, ...]:
    """Return sensitivity, specificity, PPV, NPV, both likelihood ratios and the share acted on.

    Metrics are named "sensitivity@0.2" with the threshold as decimal text.
    """
    acted, at = rows.score >= threshold, decimal_text(threshold)
    shares = (
        ("sensitivity", acted, rows.label),
        ("specificity", ~acted, ~rows.label),
        ("ppv", rows.label, acted),
        ("npv", ~rows.label, ~acted),
        ("acted_on", acted, rows.label | ~rows.label),
    )
    found = [
        share_estimate(rows, metric=f"{name}@{at}", hit=hit, base=base, level=level)
        for name, hit, base in shares
    ]
    ratios = [
        _likelihood_ratio(rows, metric=f"{name}@{at}", hit=hit, level=level)
        for name, hit in (("lr_positive", acted), ("lr_negative", ~acted))
    ]
    return (*found, *ratios)


def sensitivity_at_specificity(
    rows: Rows, *, specificity: float, level: float, replicates: int, seed: int
) -> Estimate:
    """Return the sensitivity at the lowest threshold with at least `specificity`."""
    import numpy as np

    check_replicates(replicates)
    metric = f"sensitivity_at_specificity@{decimal_text(specificity)}"
    why = one_class(rows)
    if why:
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_FIXED)
    order = np.argsort(-rows.score, kind="stable")
    last = _ends_of_ties(rows.score[order])
    label = rows.label[order]
    value, threshold = _fixed(np.ones(rows.n), label, last, rows.score[order], specificity)
    note = f"threshold {decimal_text(threshold, digits=6) if math.isfinite(threshold) else 'none'}"
    tail = rows.subjects_with(~rows.label & (rows.score >= threshold))
    low, high = None, None
    short = too_few(rows.rarer, MINIMUM_EVENTS, RARER) or too_few(
        tail, MINIMUM_TAIL, "negative subjects beyond it"
    )
    if short:
        note += f"; {short}"
    else:
        low, high = _fixed_limits(
            rows, order, last, specificity, level=level, replicates=replicates, seed=seed
        )
        low, high = min(low, value), max(high, value)
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=rows.subjects,
        unit=rows.unit,
        method=METHOD_FIXED,
        source="sample",
        population=rows.population,
        note=note,
    )


def _likelihood_ratio(rows: Rows, *, metric: str, hit: NDArray[np.bool_], level: float) -> Estimate:
    import numpy as np

    def none(why: str) -> Estimate:
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_RATIO)

    if why := one_class(rows):
        return none(why)
    above, below = float(hit[rows.label].mean()), float(hit[~rows.label].mean())
    if below == 0.0:
        return none("no negative row counts in the denominator")
    if above == 0.0:
        return none("no positive row counts, and a ratio of zero has no log")
    influence = np.where(
        rows.label,
        (hit - above) / (above * rows.positives),
        -(hit - below) / (below * rows.negatives),
    )
    value = above / below
    return measured(
        rows,
        metric=metric,
        value=value,
        influence=influence * value,
        level=level,
        method=METHOD_RATIO,
        scale="log",
        df=max(1, rows.rarer - 1),
        short=too_few(rows.rarer, MINIMUM_RATIO, RARER),
    )


def _ends_of_ties(ordered: Floats) -> NDArray[np.int64]:
    import numpy as np

    return np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)


def _fixed(
    weight: Floats,
    label: NDArray[np.bool_],
    last: NDArray[np.int64],
    score: Floats,
    specificity: float,
) -> tuple[float, float]:
    """Return the weighted sensitivity and the threshold; rows stand from the highest score down."""
    import numpy as np

    falls = np.cumsum(np.where(label, 0.0, weight))[last]
    hits = np.cumsum(np.where(label, weight, 0.0))[last]
    if falls[-1] == 0 or hits[-1] == 0:
        return math.nan, math.nan
    # counts are whole: the tolerance only undoes the rounding of 1 - specificity
    allowed = (1 - specificity) * falls[-1] + 1e-9 * falls[-1]
    at = int(np.searchsorted(falls, allowed, side="right")) - 1
    return (0.0, math.inf) if at < 0 else (float(hits[at] / hits[-1]), float(score[last[at]]))


def _fixed_limits(
    rows: Rows,
    order: NDArray[np.int64],
    last: NDArray[np.int64],
    specificity: float,
    *,
    level: float,
    replicates: int,
    seed: int,
) -> tuple[float, float]:
    import numpy as np

    z, label, score = quantile(level), rows.label[order], rows.score[order]
    size = float(rows.events)
    drawn = np.asarray(
        [
            _fixed(weight[order].astype(np.float64), label, last, score, specificity)[0]
            for weight in poisson_weights(rows.identity, replicates=replicates, seed=seed)
        ]
    )
    drawn = drawn[~np.isnan(drawn)]
    shrunk = (size * drawn + z * z / 2) / (size + z * z)
    centre = float(shrunk.mean())
    # where all resamples agree, the number of subjects alone still leaves this much open
    sd = max(float(shrunk.std(ddof=1)), math.sqrt(centre * (1 - centre) / (size + z * z)))
    return max(0.0, centre - z * sd), min(1.0, centre + z * sd)
