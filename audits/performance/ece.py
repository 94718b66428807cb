"""Expected calibration error over stated bins, what of it is chance, and the part that is not.

Definition: the mean over rows of the distance between stated and observed share in the row's bin.
    Bins hold nearly equal numbers of rows and are cut only between different scores. Noise alone
    makes it positive: `ece_if_calibrated` is what a perfectly calibrated score with the same bins
    would show on average, the floor below which ECE says nothing. `calibration_rms_debiased` is the
    root of the mean squared distance with its noise taken off.
Formula: d_b = outcome - forecast in bin b, w_b its share of the rows, S their covariance by
    subject. ECE = sum w_b |d_b|. If calibrated: sum w_b sqrt(2/pi) s_b with s_b^2 = sum p(1 -
    p)/n_b^2 over the bin's rows, times the design effect of subjects where they repeat. Debiased:
    sqrt(max(0, sum w_b (d_b^2 - S_bb))). Interval: |ECE - true| <= sum w_b |error of d_b|, whose
    `level` quantile q is drawn from the normal distribution with covariance S: [max(0, ECE - q),
    min(1, ECE + q)], for the root likewise with the Euclidean norm, around the root before noise is
    taken off. By the triangle inequality it covers at least its level, whatever the truth, for the
    bins stated.
Source: Naeini, Cooper and Hauskrecht (2015), AAAI, 2901-2907 (the measure); Brocker (2012), Climate
    Dynamics 39, 655-667, Ferro and Fricker (2012), Quarterly Journal of the Royal Meteorological
    Society 138, 1954-1960, and Kumar, Liang and Ma (2019), NeurIPS 32, 3792-3803 (noise taken off).
Assumptions: as in `influence`; at least MINIMUM_IN_BIN subjects a bin.
Failure modes: the true value itself depends on the bins: it grows with their number, and within a
    bin errors of two signs cancel. Compare scores at one number of bins and one n only. The
    interval is wide, because it is honest about a measure that is biased upward.
Cost: one sort; draws times bins^2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate
from audits.performance.brier import Bins, bins_of, probabilities
from audits.performance.influence import RARER, by_subject, nothing, one_class, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

METHOD: Final = "binned error, triangle bound by subject, v1"
METHOD_FLOOR: Final = "binned error of a calibrated score, v1"
DRAWS: Final = 4000
MINIMUM_EVENTS: Final = 20
MINIMUM_IN_BIN: Final = 10


def ece(
    rows: Rows, *, bins: int, level: float, rng: np.random.Generator
) -> tuple[Estimate, Estimate, Estimate]:
    """Return ECE, what a calibrated score would show, and the debiased root mean square."""
    import numpy as np

    probabilities(rows)
    names = ("ece", "ece_if_calibrated", "calibration_rms_debiased")
    if why := one_class(rows):
        first, second, third = (
            nothing(rows, metric=name, why=why, level=level, method=METHOD) for name in names
        )
        return first, second, third
    found = bins_of(rows, bins=bins)
    weight, gap = found.size / rows.n, found.outcome - found.forecast
    covariance = _covariance(rows, found)
    value = float(weight @ np.abs(gap))
    floor = float(weight @ _calibrated_spread(rows, found)) * math.sqrt(2 / math.pi)
    plain = math.sqrt(float(weight @ gap**2))
    root = math.sqrt(max(0.0, float(weight @ (gap**2 - np.diag(covariance)))))
    draws = rng.multivariate_normal(np.zeros(gap.size), covariance, size=DRAWS, method="eigh")
    short = _short(rows, found)
    what = f"{gap.size} bins of nearly equal size"
    return (
        _bounded(
            rows,
            names[0],
            value,
            np.abs(draws) @ weight,
            centre=value,
            level=level,
            short=short,
            note=what,
        ),
        Estimate(
            metric=names[1],
            value=floor,
            low=None,
            high=None,
            level=level,
            n=rows.subjects,
            unit=rows.unit,
            method=METHOD_FLOOR,
            source="sample",
            population=rows.population,
            note=f"{what}; an expectation, which has no interval",
        ),
        _bounded(
            rows,
            names[2],
            root,
            np.sqrt(draws**2 @ weight),
            centre=plain,
            level=level,
            short=short,
            note=what,
        ),
    )


def _bounded(
    rows: Rows,
    metric: str,
    value: float,
    errors: Floats,
    *,
    centre: float,
    level: float,
    short: str,
    note: str,
) -> Estimate:
    import numpy as np

    low, high = None, None
    if not short:
        reach = float(np.quantile(errors, level))
        low, high = max(0.0, min(value, centre - reach)), min(1.0, centre + reach)
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=rows.subjects,
        unit=rows.unit,
        method=METHOD,
        source="sample",
        population=rows.population,
        note="; ".join(part for part in (short, note) if part),
    )


def _covariance(rows: Rows, found: Bins) -> Floats:
    """Return the covariance (k, k) of the gaps, never below what the stated shares imply."""
    import numpy as np

    bins = found.size.size
    error = rows.label - rows.score
    centred = error - np.bincount(found.bin, weights=error)[found.bin] / found.size[found.bin]
    cells = by_subject(
        centred, rows.subject * bins + found.bin, subjects=rows.subjects * bins
    ).reshape(rows.subjects, bins)
    covariance = cells.T @ cells / np.outer(found.size, found.size)
    behind = np.bincount(np.unique(rows.subject * bins + found.bin) % bins, minlength=bins)
    correction = np.sqrt(behind / np.maximum(behind - 1, 1))
    covariance = covariance * np.outer(correction, correction)
    # a bin without events seems certain; a share is never surer than that of the bin's forecast
    least = found.forecast * (1 - found.forecast) / found.size
    lifted = np.maximum(np.diag(covariance), least)
    return np.asarray(covariance + np.diag(lifted - np.diag(covariance)))


def _calibrated_spread(rows: Rows, found: Bins) -> Floats:
    """Return the standard deviation (k) of the gaps of a calibrated score."""
    import numpy as np

    own = np.bincount(found.bin, weights=rows.score * (1 - rows.score)) / found.size**2
    if not rows.repeats:
        return np.sqrt(own)
    error = rows.label - rows.score
    alone = np.bincount(found.bin, weights=error**2) / found.size**2
    bins = found.size.size
    cells = by_subject(
        error, rows.subject * bins + found.bin, subjects=rows.subjects * bins
    ).reshape(rows.subjects, bins)
    together = (cells**2).sum(axis=0) / found.size**2
    return np.sqrt(own * np.where(alone > 0, together / np.maximum(alone, 1e-300), 1.0))


def _short(rows: Rows, found: Bins) -> str:
    import numpy as np

    bins = found.size.size
    behind = np.bincount(np.unique(rows.subject * bins + found.bin) % bins, minlength=bins)
    return too_few(rows.rarer, MINIMUM_EVENTS, RARER) or too_few(
        int(behind.min()), MINIMUM_IN_BIN, "subjects in a bin"
    )
