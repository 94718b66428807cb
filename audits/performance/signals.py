"""How well a signal-detection method tells known adverse reactions from known non-reactions.

Definition: positive controls are pairs of drug and event known to be causal, negative controls
    pairs known not to be. A control is signalled where the method's statistic reached its limit by
    the end of observation. Time to detection runs from `start` (first report, or authorisation) to
    the first signal; a positive control not signalled by the end is censored there.
Formula: sensitivity and specificity by controls, with Wilson or, where a drug has several controls,
    the effective size by drug; AUC of the statistic as in `roc`; median time to detection from the
    Kaplan-Meier curve S(t), with the limits where S(t) -/+ q se (log-log) crosses one half.
Source: Ryan, Schuemie, Welebob, Duke, Valentine and Hartzema (2013), Drug Safety 36(S1), 33-47
    (controls as reference set); Kaplan and Meier (1958), Journal of the American Statistical
    Association 53, 457-481; Brookmeyer and Crowley (1982), Biometrics 38(1), 29-41.
Assumptions: controls of one drug depend on each other, drugs do not; the controls' status was fixed
    before the method was run, and their reports were not used to set its limit.
Failure modes: reactions that were well known early are reported more, which flatters every method.
    Half of the positive controls never signalled: the median time is undefined. With few drugs the
    intervals are wide or absent.
Cost: one sort of the controls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import SampleMalformed
from audits.estimate import Estimate
from audits.performance.influence import (
    MINIMUM_CLUSTERS,
    nothing,
    quantile,
    share_estimate,
    too_few,
)
from audits.performance.roc import auroc
from audits.performance.rows import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

METHOD_TIME: Final = "Kaplan-Meier median, log-log limits by drug, v1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Controls:
    """Controls (n): `positive`, the `statistic` at the end, `detected_days` and `observed_days`.

    `detected_days` (n) is the time to the first signal, NaN where there was none; `observed_days`
    (n, > 0) the time under observation; `drug` (n) the unit of independence.
    """

    positive: Bools
    statistic: Floats
    detected_days: Floats
    observed_days: Floats
    drug: Ints
    population: str = "all"

    def __post_init__(self) -> None:
        import numpy as np

        columns = (self.statistic, self.detected_days, self.observed_days, self.drug)
        if self.positive.ndim != 1 or any(one.shape != self.positive.shape for one in columns):
            raise _malformed("every column has one entry a control")
        if not (self.observed_days > 0).all():
            raise _malformed("a control is observed for some time")
        early = np.nan_to_num(self.detected_days, nan=0.0)
        if not ((early >= 0) & (early <= self.observed_days)).all():
            raise _malformed("a signal comes between the start and the end of observation")


def signal_detection(controls: Controls, *, level: float) -> tuple[Estimate, ...]:
    """Return signal_sensitivity, signal_specificity, auroc and median_days_to_detection."""
    import numpy as np

    rows = Rows(
        label=controls.positive,
        score=controls.statistic,
        identity=controls.drug,
        unit="drug",
        population=controls.population,
    )
    signalled = ~np.isnan(controls.detected_days)
    return (
        share_estimate(
            rows, metric="signal_sensitivity", hit=signalled, base=rows.label, level=level
        ),
        share_estimate(
            rows, metric="signal_specificity", hit=~signalled, base=~rows.label, level=level
        ),
        auroc(rows, level=level),
        _median_time(rows, controls, signalled, level=level),
    )


def _median_time(rows: Rows, controls: Controls, signalled: Bools, *, level: float) -> Estimate:
    import numpy as np

    metric, known = "median_days_to_detection", rows.label
    drugs = rows.subjects_with(known)
    if not known.any():
        why = "there is no positive control"
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_TIME, n=0)
    time = np.where(signalled, controls.detected_days, controls.observed_days)[known]
    event, drug = signalled[known], rows.subject[known]
    grid = np.unique(time[event])
    at_risk = (time[None, :] >= grid[:, None]).astype(np.float64)
    fails = (event & (time == grid[:, None])).astype(np.float64)
    hazard = fails.sum(axis=1) / at_risk.sum(axis=1)
    survival = np.cumprod(1 - hazard)
    value = _crossing(grid, survival)
    if value is None:
        why = "half of the positive controls were not signalled by the end"
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD_TIME, n=drugs)
    low, high, note = None, None, too_few(drugs, MINIMUM_CLUSTERS, "drugs with a positive control")
    if not note:
        # influence of a control on the cumulative hazard, summed by drug
        influence = np.cumsum((fails - hazard[:, None] * at_risk) / at_risk.sum(axis=1)[:, None], 0)
        sums = np.zeros((grid.size, rows.subjects))
        np.add.at(sums.T, drug, influence.T)
        se = np.sqrt(drugs / (drugs - 1) * (sums**2).sum(axis=1))
        low, high = _band_crossings(grid, survival, se, level=level, drugs=drugs)
        if high is None:
            low, note = None, "the upper limit of the median lies beyond the end of observation"
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=drugs,
        unit="drug",
        method=METHOD_TIME,
        source="sample",
        population=rows.population,
        note=note,
    )


def _crossing(grid: Floats, survival: Floats) -> float | None:
    import numpy as np

    below = np.flatnonzero(survival <= 0.5 + 1e-12)
    return float(grid[below[0]]) if below.size else None


def _band_crossings(
    grid: Floats, survival: Floats, se: Floats, *, level: float, drugs: int
) -> tuple[float | None, float | None]:
    """Return the times at which the lower and the upper band of the curve fall to one half."""
    import numpy as np

    inside = (survival > 0) & (survival < 1)
    log = np.log(np.where(inside, survival, 0.5))
    shift = np.exp(quantile(level, df=drugs - 1) * se / np.abs(log))
    lower = np.where(inside, np.exp(log * shift), survival)
    upper = np.where(inside, np.exp(log / shift), survival)
    # where everything is signalled the last step says no more than the one before
    upper[~inside & (survival <= 0)] = upper[inside][-1] if inside.any() else 1.0
    low = _crossing(grid, lower)
    return (math.nan if low is None else low), _crossing(grid, upper)


def _malformed(fault: str) -> SampleMalformed:
    return SampleMalformed(fault, next_step="Correct the table of controls.")
