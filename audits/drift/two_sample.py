"""Can a learner tell reference and current rows apart? All columns at once, interactions included.

Definition: rows are labelled by where they come from; a learner is trained on some subjects and
    scores the others; the area under its ROC curve is one half where nothing can be told apart.
Formula: folds by subject; AUROC of the pooled out-of-fold scores; interval from the placements
    V(i), the share of the other side that row i outranks: variance = sum over subjects of
    (sum over their rows of (V(i) - A) / rows of the side)^2, normal on the logit scale.
Source: Lopez-Paz and Oquab (2017), ICLR (classifier two-sample tests); DeLong, DeLong and
    Clarke-Pearson (1988), Biometrics 44(3), 837-845; Obuchowski (1997), Biometrics 53(2), 567-578
    (rows that repeat subjects).
Assumptions: subjects are independent; the columns given are those that matter.
Failure modes: a learner that cannot see a change (a linear one an interaction) shows none. Out-of-
    fold scores of alike data lie slightly below one half. With many rows any change is told apart:
    read the area, not whether it differs from one half. A time or an identifier among the columns
    tells everything apart.
Cost: `folds` trainings on at most `most` rows a side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from audits.drift.reference import column_of
from audits.errors import ProtocolMalformed, SampleMalformed
from audits.estimate import Estimate, undefined
from audits.intervals.proportion import normal_quantile
from audits.sources.sample import Category

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

Learner: TypeAlias = Literal["logistic", "boosting"]
METHODS: Final = {
    "logistic": "classifier two-sample test, logistic regression, placements by subject, v1",
    "boosting": "classifier two-sample test, gradient boosting, placements by subject, v1",
}
LEAST: Final = 20
"""Subjects a side, below which nothing is trained."""
GREATEST: Final = 1e100
"""Numbers beyond this are no input of a learner: their squares, summed, would overflow."""
MOST_LEVELS: Final = 20
"""Levels of a category that get a column of their own; the rest share one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """How rows become numbers, fixed on the reference: columns with their fill, levels."""

    numbers: tuple[tuple[str, float], ...]
    levels: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, reference: Sample, columns: Sequence[str]) -> Features:
        """Return the features of the named columns; a number is filled with its median."""
        import numpy as np

        numbers, levels = [], []
        for name in columns:
            values = column_of(reference, name)
            if values is None:
                raise ProtocolMalformed(
                    f"the reference has no column {name!r}", next_step="Name columns that exist."
                )
            if isinstance(values, Category):
                counted = np.bincount(values.codes + 1, minlength=len(values.levels) + 1)[1:]
                most = np.argsort(-counted, kind="stable")[:MOST_LEVELS]
                levels.append((name, tuple(values.levels[i] for i in most)))
            else:
                _bounded(name, values)
                known = values[~np.isnan(values)]
                numbers.append((name, float(np.median(known)) if known.size else 0.0))
        return cls(numbers=tuple(numbers), levels=tuple(levels))

    def rows(self, sample: Sample) -> Floats:
        """Return the matrix (n, features): numbers, what is missing of them, levels."""
        import numpy as np

        found = []
        for name, fill in self.numbers:
            values = column_of(sample, name)
            if values is None or isinstance(values, Category):
                raise _absent(name)
            _bounded(name, values)
            missing = np.isnan(values)
            found += [np.where(missing, fill, values), missing.astype(np.float64)]
        for name, levels in self.levels:
            values = column_of(sample, name)
            if not isinstance(values, Category):
                raise _absent(name)
            index = {level: i for i, level in enumerate(values.levels)}
            found += [(values.codes == index.get(level, -2)).astype(np.float64) for level in levels]
            found.append((values.codes < 0).astype(np.float64))
        return np.stack(found, axis=1)


def two_sample_auroc(
    reference: Sample,
    current: Sample,
    *,
    columns: Sequence[str],
    learner: Learner,
    folds: int,
    most: int,
    level: float,
    rng: np.random.Generator,
) -> Estimate:
    """Return how well reference and current rows are told apart; `most` rows a side are drawn."""
    import numpy as np

    features = Features.of(reference, columns)
    sides = [_drawn(one, most, rng) for one in (reference, current)]
    subjects = [one.subjects for one in sides]
    if min(subjects) < max(LEAST, folds):
        return undefined(
            metric="two_sample_auroc",
            note=f"{min(subjects)} subjects on a side are fewer than {max(LEAST, folds)}",
            level=level,
            n=sum(subjects),
            unit=reference.unit,
            method=METHODS[learner],
            source="sample",
        )
    rows = np.concatenate([features.rows(one) for one in sides])
    origin = np.repeat([0, 1], [one.n for one in sides])
    subject = np.concatenate([one.subject for one in sides])
    names, codes = np.unique(subject, return_inverse=True)
    fold = rng.permutation(np.arange(names.size) % folds)[codes]
    score = np.empty(origin.size)
    seed = int(rng.integers(2**31))
    for one in range(folds):
        model = _model(learner, seed)
        model.fit(rows[fold != one], origin[fold != one])
        score[fold == one] = model.predict_proba(rows[fold == one])[:, 1]
    area, low, high = area_by_subject(score, origin, codes, level=level)
    return Estimate(
        metric="two_sample_auroc",
        value=area,
        low=low,
        high=high,
        level=level,
        n=int(names.size),
        unit=reference.unit,
        method=METHODS[learner],
        source="sample",
        note=f"{sides[0].n} reference and {sides[1].n} current rows; one half: alike",
    )


def area_by_subject(
    score: Floats, origin: Ints, subject: Ints, *, level: float
) -> tuple[float, float, float]:
    """Return AUROC of `score` for `origin` 1 against 0, with limits by subject (codes from 0)."""
    import numpy as np
    from scipy.stats import rankdata

    one = origin == 1
    sizes = int(one.sum()), int((~one).sum())
    ranks = rankdata(score)
    placed = np.empty(score.size)
    for side, other in ((one, sizes[1]), (~one, sizes[0])):
        placed[side] = (ranks[side] - rankdata(score[side])) / other
    placed[~one] = 1 - placed[~one]
    area = float(placed[one].mean())
    influence = (placed - area) / np.where(one, sizes[0], sizes[1])
    total = np.bincount(subject, weights=influence)
    inside = min(max(area, 1e-6), 1 - 1e-6)
    reach = normal_quantile((1 + level) / 2) * math.sqrt(float((total**2).sum()))
    reach /= inside * (1 - inside)
    at = math.log(inside / (1 - inside))
    low, high = (1 / (1 + math.exp(-x)) for x in (at - reach, at + reach))
    return area, min(low, area), max(high, area)


def _bounded(name: str, values: Floats) -> None:
    if (abs(values) > GREATEST).any():
        raise SampleMalformed(
            f"the column {name!r} holds a number beyond {GREATEST:g}",
            next_step="Correct the column, give it another unit, or leave this part out.",
        )


def _drawn(sample: Sample, most: int, rng: np.random.Generator) -> Sample:
    import numpy as np

    if sample.n <= most:
        return sample
    mask = np.zeros(sample.n, dtype=np.bool_)
    mask[rng.choice(sample.n, size=most, replace=False)] = True
    return sample.where(mask)


def _model(learner: Learner, seed: int) -> Any:  # noqa: ANN401 - a pipeline of scikit-learn
    if learner == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


def _absent(name: str) -> ProtocolMalformed:
    return ProtocolMalformed(
        f"the rows have no column {name!r} of the reference's kind",
        next_step="Audit tables of one form.",
    )
