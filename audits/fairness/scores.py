"""Metrics by group that need the rows: calibration in groups, areas, errors of a dose in mg.

Definition: for a probability: auroc, brier, observed_expected_ratio, calibration_in_the_large,
    calibration_intercept and calibration_slope of `audits.performance`, each within one group. For
    a dose: mean_error (dose minus right dose) and mean_absolute_error, in the unit of the dose.
Formula: as in `audits.performance`; mean errors: mean -/+ t se with the influence (e - mean)/n
    summed by subject. Gaps of the K pairs of a metric: square-and-add of both groups' intervals at
    Sidak's level, level^(1/K): d - sqrt((v1 - l1)^2 + (u2 - v2)^2) to d + sqrt((u1 - v1)^2 + (v2 -
    l2)^2); l1 - u2 to u1 - l2, each at half the error, where a subject is in both groups.
Source: Zou and Donner (2008), Statistics in Medicine 27(10), 1693-1702 (square-and-add of any
    intervals); calibration within groups: Kleinberg, Mullainathan and Raghavan (2017), Innovations
    in Theoretical Computer Science, LIPIcs 67, 43.
Assumptions: scores are probabilities; subjects are independent.
Failure modes: a group without positives or negatives has no area and no calibration line:
    undefined, with the reason, and so are its gaps (P8). A score may be calibrated in every group
    and still select unequally, where prevalence differs.
Cost: each metric once a group and once more at the level of the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import SampleMalformed
from audits.estimate import Estimate, undefined
from audits.fairness.cells import EVERYBODY
from audits.fairness.gaps import DIFFERENCE, Pair, square_and_add
from audits.intervals.simultaneous import sidak_level
from audits.performance.brier import brier
from audits.performance.calibration_curve import calibration
from audits.performance.influence import measured
from audits.performance.roc import auroc
from audits.performance.rows import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

METHOD_MEAN: Final = "mean by subject, t, v1"
METHOD_GAP: Final = "square-and-add of the groups' intervals, Sidak level, v1"

Measure: TypeAlias = "Callable[[Rows, float], tuple[Estimate, ...]]"


def _area(rows: Rows, level: float) -> tuple[Estimate, ...]:
    return (auroc(rows, level=level),)


def _brier(rows: Rows, level: float) -> tuple[Estimate, ...]:
    return (brier(rows, level=level)[0],)


def _calibration(rows: Rows, level: float) -> tuple[Estimate, ...]:
    return calibration(rows, level=level)


PROBABILITY_METRICS: Final[Mapping[str, Measure]] = {
    "auroc": _area,
    "brier": _brier,
    "observed_expected_ratio": _calibration,
    "calibration_in_the_large": _calibration,
    "calibration_intercept": _calibration,
    "calibration_slope": _calibration,
}
DOSE_ERRORS: Final = ("mean_error", "mean_absolute_error")


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Scored rows in their groups: `group` (n) indexes `groups`; rows without values are gone."""

    rows: Rows
    right: Floats
    group: Ints
    groups: tuple[str, ...]

    def of(self, g: int | None) -> Scored:
        """Return the rows of a group, or all of them under the name of everybody."""
        if g is None:
            return replace(self, rows=replace(self.rows, population=EVERYBODY))
        mask = self.group == g
        return Scored(
            rows=self.rows.where(mask, population=self.groups[g]),
            right=self.right[mask],
            group=self.group[mask],
            groups=self.groups,
        )

    @property
    def shared(self) -> bool:
        """Whether some subject has rows in more than one group."""
        import numpy as np

        pairs = np.unique(self.rows.identity * len(self.groups) + self.group)
        return bool(pairs.size > self.rows.subjects)


def scored(sample: Sample, *, score: Floats, groups: tuple[str, ...], group: Ints) -> Scored:
    """Return the rows whose label and `score` (n) are known; `group` (n) indexes `groups`."""
    import numpy as np

    if sample.label is None:
        raise SampleMalformed(
            "a score is compared with a label", next_step="Name the column of the label."
        )
    kept = ~(np.isnan(sample.label) | np.isnan(score))
    right = sample.label[kept]
    _, identity = np.unique(sample.subject[kept], return_inverse=True)
    return Scored(
        rows=Rows(
            label=right == 1.0,
            score=score[kept].astype(np.float64),
            identity=identity.astype(np.int64),
            unit=sample.unit,
        ),
        right=right.astype(np.float64),
        group=group[kept],
        groups=groups,
    )


def score_estimates(part: Scored, *, metric: str, level: float, name: str) -> Estimate:
    """Return one metric of one group; `name` is what the estimate calls it."""
    if part.rows.n == 0:
        return undefined(
            metric=name,
            population=part.rows.population,
            level=level,
            n=0,
            unit=part.rows.unit,
            method=METHOD_MEAN,
            note="there is no row with label and score",
        )
    if metric in DOSE_ERRORS:
        return _mean_error(part, absolute=metric == "mean_absolute_error", level=level, name=name)
    (found,) = [
        one for one in PROBABILITY_METRICS[metric](part.rows, level) if one.metric == metric
    ]
    return replace(found, metric=name)


def score_gaps(
    table: Scored, *, metric: str, pairs: Sequence[Pair], level: float, name: str
) -> tuple[Estimate, ...]:
    """Return the differences of `pairs` with limits that hold together."""
    each = sidak_level(level, max(1, len(pairs)))
    shared = table.shared
    if shared:
        each = 1 - (1 - each) / 2
    groups = [
        score_estimates(table.of(g), metric=metric, level=each, name=name)
        for g in range(len(table.groups))
    ]
    return tuple(
        _gap(groups[i], groups[j], shared=shared, level=level, name=name) for i, j in pairs
    )


def _gap(one: Estimate, other: Estimate, *, shared: bool, level: float, name: str) -> Estimate:
    reasons = [
        f"{side.population}: {side.note}" for side in (one, other) if side.low is None and side.note
    ]
    sizes = f"{one.n} against {other.n}"
    value = low = high = None
    if one.value is not None and other.value is not None:
        value = one.value - other.value
    if None not in (one.low, one.high, other.low, other.high) and value is not None:
        sides = [(x.value or 0.0, x.low or 0.0, x.high or 0.0) for x in (one, other)]
        low, high = square_and_add(sides[0], sides[1], scale=DIFFERENCE, shared=shared)
        if math.isnan(low):  # pragma: no cover - differences always have limits
            low = high = None
    return Estimate(
        metric=name,
        population=f"{one.population} {DIFFERENCE} {other.population}",
        value=value,
        low=low,
        high=high,
        level=level,
        n=min(one.n, other.n),
        unit=one.unit,
        method=METHOD_GAP,
        source="sample",
        note="; ".join([*reasons, sizes]),
    )


def _mean_error(part: Scored, *, absolute: bool, level: float, name: str) -> Estimate:
    error = part.rows.score - part.right
    if absolute:
        error = abs(error)
    value = float(error.mean())
    return measured(
        part.rows,
        metric=name,
        value=value,
        influence=(error - value) / part.rows.n,
        level=level,
        method=METHOD_MEAN,
        df=max(1, part.rows.subjects - 1),
    )
