"""Brier score: the mean squared distance of a probability from what happened, and its parts.

Definition: B = mean of (p - y)^2; the scaled score compares it with stating the prevalence for
    everybody. Murphy's parts over bins of the forecast: reliability (how far bins are from what was
    stated), resolution (how far bins differ from the prevalence), uncertainty (the outcome's own).
Formula: scaled = 1 - B/(pi (1 - pi)). With bins b of n_b rows, mean forecast p_b, mean outcome y_b:
    reliability = sum n_b/n (p_b - y_b)^2, resolution = sum n_b/n (y_b - pi)^2, uncertainty = pi (1
    - pi); B = reliability - resolution + uncertainty + within, where within = sum over rows of
    ((p_i - p_b)^2 - 2 (p_i - p_b)(y_i - y_b))/n is what binning hides. Intervals of B and of the
    scaled score: influence by subject, t quantile.
Source: Brier (1950), Monthly Weather Review 78(1), 1-3; Murphy (1973), Journal of Applied
    Meteorology 12(4), 595-600; Stephenson, Coelho and Jolliffe (2008), Weather and Forecasting
    23(4), 752-757 (within-bin terms).
Assumptions: scores are probabilities of the outcome.
Failure modes: B is small where the outcome is rare, whatever the model knows: read the scaled
    score. Reliability is biased upward and resolution too, by the noise of the bins (see `ece`):
    the parts are shown without intervals and no criterion should rest on them.
Cost: one pass, one sort for the bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import SampleMalformed
from audits.estimate import Estimate
from audits.performance.influence import RARER, measured, nothing, one_class, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

METHOD: Final = "Brier score, influence by subject, t, v1"
METHOD_PARTS: Final = "Murphy's parts over bins of equal size, v1"
MINIMUM_EVENTS: Final = 10
"""Subjects of each class below which the interval no longer covered its level in simulation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Rows in bins of nearly equal size; rows with one score share a bin.

    `bin` (n) says where each row is; the others have one entry a bin (k).
    """

    bin: Ints
    size: Ints
    forecast: Floats
    outcome: Floats


def brier(rows: Rows, *, level: float) -> tuple[Estimate, Estimate]:
    """Return the Brier score and the scaled score (undefined where one class is missing)."""
    probabilities(rows)
    scaled = "brier_scaled"
    if rows.n == 0:
        why = one_class(rows)
        return (
            nothing(rows, metric="brier", why=why, level=level, method=METHOD),
            nothing(rows, metric=scaled, why=why, level=level, method=METHOD),
        )
    loss = (rows.score - rows.label) ** 2
    value = float(loss.mean())
    first = _score(rows, "brier", value, (loss - value) / rows.n, level=level, bounds=(0.0, 1.0))
    if why := one_class(rows):
        return first, nothing(rows, metric=scaled, why=why, level=level, method=METHOD)
    pi = rows.positives / rows.n
    spread = pi * (1 - pi)
    moved = value * (1 - 2 * pi) * (rows.label - pi) / spread**2
    influence = (moved - (loss - value) / spread) / rows.n
    return first, _score(
        rows, scaled, 1 - value / spread, influence, level=level, bounds=(-float("inf"), 1.0)
    )


def brier_parts(rows: Rows, *, bins: int, level: float) -> tuple[Estimate, ...]:
    """Return reliability, resolution, uncertainty and what binning hides; they add up to B."""
    probabilities(rows)
    names = ("brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within")
    if rows.n == 0:
        why = one_class(rows)
        return tuple(
            nothing(rows, metric=name, why=why, level=level, method=METHOD_PARTS) for name in names
        )
    found = bins_of(rows, bins=bins)
    weight, pi = found.size / rows.n, rows.positives / rows.n
    apart = rows.score - found.forecast[found.bin]
    off = rows.label - found.outcome[found.bin]
    values = (
        float(weight @ (found.forecast - found.outcome) ** 2),
        float(weight @ (found.outcome - pi) ** 2),
        pi * (1 - pi),
        float((apart**2 - 2 * apart * off).mean()),
    )
    return tuple(
        Estimate(
            metric=name,
            value=value,
            low=None,
            high=None,
            level=level,
            n=rows.subjects,
            unit=rows.unit,
            method=METHOD_PARTS,
            source="sample",
            population=rows.population,
            note=f"{found.size.size} bins; a part of the score, described without an interval",
        )
        for name, value in zip(names, values, strict=True)
    )


def bins_of(rows: Rows, *, bins: int) -> Bins:
    """Return at most `bins` bins of nearly equal size, cut only between different scores."""
    import numpy as np

    _, place, count = np.unique(rows.score, return_inverse=True, return_counts=True)
    # the bin of a score is that of the middle of its rows in the order of all rows
    middle = np.cumsum(count) - count / 2
    cut = np.minimum((middle * bins / rows.n).astype(np.int64), bins - 1)
    of_level = np.unique(cut, return_inverse=True)[1]
    found = of_level[place].astype(np.int64)
    size = np.bincount(found)
    return Bins(
        bin=found,
        size=size,
        forecast=np.bincount(found, weights=rows.score) / size,
        outcome=np.bincount(found, weights=rows.label.astype(np.float64)) / size,
    )


def probabilities(rows: Rows) -> None:
    """Raise SampleMalformed unless every score is a probability."""
    if rows.n and not (rows.score.min() >= 0.0 and rows.score.max() <= 1.0):
        raise SampleMalformed(
            "calibration is about probabilities, and a score lies outside 0 to 1",
            next_step="Audit such a score for discrimination alone, or map it to a probability.",
        )


def _score(
    rows: Rows,
    metric: str,
    value: float,
    influence: Floats,
    *,
    level: float,
    bounds: tuple[float, float],
) -> Estimate:
    return measured(
        rows,
        metric=metric,
        value=value,
        influence=influence,
        level=level,
        method=METHOD,
        df=max(1, rows.rarer - 1),
        bounds=bounds,
        short=too_few(rows.rarer, MINIMUM_EVENTS, RARER),
    )
