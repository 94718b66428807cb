"""A random split beside a split by time: the same rows, the same learner, the same side sizes.

Definition: for each cut, the learner is trained on the rows known at the cut and scores the rows
    after it; beside it, the same rows of both sides are split at random by subject, in the same
    proportion, several times. The gap is the random split's measure minus the time split's: what a
    random split promises and the future does not keep.
Formula: measures with row weights w: AUROC = sum over positives i, negatives j of w_i w_j (s_i >
    s_j + half of ties) / (W+ W-); average precision = sum over thresholds of precision times the
    rise of recall; Brier = sum w (s - y)^2 / W. Limits: Poisson bootstrap by subject; a subject has
    one weight in every split, so that splits that share subjects vary together.
Source: Wong et al. (2021), JAMA Internal Medicine 181(8), 1065-1070 (promise and practice);
    Chamandy et al. (2012), Estimating uncertainty for massive data streams (Poisson bootstrap).
Assumptions: subjects are independent. The limits are for the models as trained: training is not
    repeated within the bootstrap.
Failure modes: the two test sides hold different cases; a gap may come from harder cases as well as
    from learning what does not last. Scores of several cuts come from several models and are read
    together.
Cost: (1 + repeats) fits a cut; one sort a split, then replicates times one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate, undefined
from audits.intervals.bootstrap import bootstrap_interval, poisson_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

RANDOM: Final = "random split"
TIME: Final = "time split"
METHOD_RANDOM: Final = "mean over random splits, Poisson bootstrap by subject, v1"
METHOD_GAP: Final = "random minus time, Poisson bootstrap by subject, v1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scored rows in order of falling score, so that weighted measures are cumulative sums.

    `last` marks the last row of each run of equal scores.
    """

    label: Floats
    score: Floats
    subject: Ints
    last: Ints

    @classmethod
    def of(cls, sample: Sample) -> Scores:
        """Return the labelled rows of a scored sample."""
        import numpy as np

        kept = ~np.isnan(np.asarray(sample.label))
        label, score = np.asarray(sample.label)[kept], np.asarray(sample.score)[kept]
        order = np.argsort(-score, kind="stable")
        score = score[order]
        return cls(
            label=label[order],
            score=score,
            subject=sample.subject[kept][order],
            last=np.append(np.flatnonzero(np.diff(score)), score.size - 1),
        )

    def measure(self, metric: str, weight: Floats) -> float:
        """Return the measure with row weights (n); NaN where a label has no weight."""
        import numpy as np

        if metric == "brier":
            total = float(weight.sum())
            away = float(weight @ (self.score - self.label) ** 2)
            return away / total if total > 0 else float("nan")
        hits = np.cumsum(weight * self.label)[self.last]
        falls = np.cumsum(weight * (1 - self.label))[self.last]
        if not (hits[-1] > 0 and falls[-1] > 0):
            return float("nan")
        rise = np.diff(hits, prepend=0.0)
        if metric == "auroc":
            step = np.diff(falls, prepend=0.0)
            # A positive beats every negative below it and half of those beside it.
            below = falls[-1] - falls + step / 2
            return float(rise @ below) / float(hits[-1] * falls[-1])
        chosen = hits + falls
        precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
        return float(rise @ precision) / float(hits[-1])


def compare(
    time: Sequence[Sample],
    random: Sequence[Sample],
    *,
    metrics: Sequence[str],
    level: float,
    replicates: int,
    seed: int,
    unit: str,
) -> tuple[Estimate, ...]:
    """Return, for each measure, the random split's estimate and the gap to the time split.

    `time`: the scored test rows of each cut, read together. `random`: those of each random draw;
    the measure is averaged over draws.
    """
    import numpy as np

    later = Scores.of(_together(time))
    draws = [Scores.of(one) for one in random]
    subjects = np.unique(np.concatenate([one.subject for one in (later, *draws)]))
    places = [np.searchsorted(subjects, one.subject) for one in (later, *draws)]
    sides = (later, *draws)

    def measured(weight: Floats) -> Floats:
        """Return (metrics, 2): the time split's measure and the mean of the random splits'."""
        found = [
            [side.measure(metric, weight[place]) for side, place in zip(sides, places, strict=True)]
            for metric in metrics
        ]
        values = np.array(found)
        return np.column_stack((values[:, 0], values[:, 1:].mean(axis=1)))

    point = measured(np.ones(subjects.size))
    weights = poisson_weights(subjects, replicates=replicates, seed=seed)
    drawn = np.stack([measured(one.astype(np.float64)) for one in weights])
    values = {
        RANDOM: (drawn[:, :, 1], point[:, 1], METHOD_RANDOM),
        f"{RANDOM} minus {TIME}": (
            drawn[:, :, 1] - drawn[:, :, 0],
            point[:, 1] - point[:, 0],
            METHOD_GAP,
        ),
    }
    return tuple(
        _estimate(
            replicated[:, place],
            float(middle[place]),
            metric=metric,
            population=population,
            method=method,
            level=level,
            n=int(subjects.size),
            unit=unit,
        )
        for place, metric in enumerate(metrics)
        for population, (replicated, middle, method) in values.items()
    )


def _estimate(
    values: Floats,
    point: float,
    *,
    metric: str,
    population: str,
    method: str,
    level: float,
    n: int,
    unit: str,
) -> Estimate:
    import math

    if not math.isfinite(point):
        return undefined(
            metric=metric,
            population=population,
            note="a split holds one label only",
            level=level,
            n=n,
            unit=unit,
            method=method,
            source="sample",
        )
    interval = bootstrap_interval(values, level=level, point=point, units=n)
    return Estimate(
        metric=metric,
        value=point,
        low=interval.low,
        high=interval.high,
        level=level,
        n=n,
        unit=unit,
        method=method,
        source="sample",
        population=population,
        note=interval.note,
    )


def _together(samples: Sequence[Sample]) -> Sample:
    import numpy as np

    from audits.sources.sample import Sample as Rows

    return Rows(
        subject=np.concatenate([one.subject for one in samples]),
        label=np.concatenate([np.asarray(one.label) for one in samples]),
        score=np.concatenate([np.asarray(one.score) for one in samples]),
        unit=samples[0].unit,
    )
