"""Exact contributions of linear and additive models: what each feature adds to the logit.

Definition: a linear model is intercept + sum of weight times value; an additive one intercept + sum
    of shapes, each a piecewise linear (or step) function of one feature. A feature's contribution
    is its term at the row less its term at the baseline; the baseline row itself gets nothing but
    the baseline's logit.
Formula: c_j = f_j(x_j) - f_j(b_j), logit = logit(b) + sum of c_j. With independent features these
    are the Shapley values of the model against the baseline row.
Source: Strumbelj and Kononenko (2014), Knowledge and Information Systems 41, 647-665, section 2
    (additive models); Lundberg and Lee (2017), NeurIPS 30, 4765-4774, corollary 1 (linear models).
Assumptions: the model is additive on the scale explained; the probability is not.
Failure modes: a contribution says what the model does with a value, not what the value causes. Of
    two features that measure one thing each gets a part. A value that is not a number is refused.
Cost: one multiplication a cell. Sums run feature by feature in the order given, so a row's bits do
    not depend on the batch it rides in, as they do with matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import ExplanationMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """The term `weight` times the value of `feature`; `baseline` is the value that adds nothing."""

    feature: str
    weight: float
    baseline: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and math.isfinite(self.baseline)):
            raise malformed(f"the term of {self.feature!r} is not made of finite numbers")

    def at(self, x: Floats) -> Floats:
        """Return the term (n) at the values `x` (n)."""
        return x * self.weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A term given by `knots` (increasing) and the `heights` there; constant beyond the ends.

    Linear between knots, or, with `steps`, the height of the last knot at or below the value.
    """

    feature: str
    knots: tuple[float, ...]
    heights: tuple[float, ...]
    baseline: float
    steps: bool = False

    def __post_init__(self) -> None:
        if len(self.knots) != len(self.heights) or not self.knots:
            raise malformed(f"the shape of {self.feature!r} has one height a knot")
        if not all(map(math.isfinite, (*self.knots, *self.heights, self.baseline))):
            raise malformed(f"the shape of {self.feature!r} is not made of finite numbers")
        if any(a >= b for a, b in zip(self.knots, self.knots[1:], strict=False)):
            raise malformed(f"the knots of {self.feature!r} do not increase")

    def at(self, x: Floats) -> Floats:
        """Return the term (n) at the values `x` (n)."""
        import numpy as np

        if not self.steps:
            return np.interp(x, self.knots, self.heights)
        place = np.searchsorted(np.asarray(self.knots), x, side="right") - 1
        return np.asarray(self.heights)[np.maximum(place, 0)]


Term: TypeAlias = "Linear | Shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveModel:
    """`intercept` and one term a feature, in the order in which they are summed."""

    intercept: float
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        names = [one.feature for one in self.terms]
        if len(set(names)) != len(names):
            raise malformed("a feature has one term")
        if not math.isfinite(self.intercept):
            raise malformed("the intercept is a finite number")

    @property
    def features(self) -> tuple[str, ...]:
        """The features, in the order of the terms."""
        return tuple(one.feature for one in self.terms)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """`values` (n, k) by row and feature, in log odds; with `baseline` they sum to `logit` (n).

    `residual` is the largest distance between the sum and the model's own output.
    """

    features: tuple[str, ...]
    baseline: float
    values: Floats
    logit: Floats
    residual: float
    method: str

    def of_row(self, row: int) -> dict[str, float]:
        """Return the contributions of one row by feature."""
        return {name: float(x) for name, x in zip(self.features, self.values[row], strict=True)}


METHOD = "exact additive contributions, v1"


def contributions(model: AdditiveModel, columns: Mapping[str, Floats]) -> Contributions:
    """Return the contributions of every row of `columns` (n each), which hold every feature.

    Raises ExplanationMalformed for a missing column, columns of different length, or a value that
    is not finite.
    """
    import numpy as np

    n = checked(columns, model.features)
    values = np.empty((n, len(model.terms)))
    logit, total = np.full(n, model.intercept), np.zeros(n)
    baseline = model.intercept
    for j, term in enumerate(model.terms):
        here = term.at(np.asarray(columns[term.feature], dtype=np.float64))
        usual = float(term.at(np.asarray([term.baseline]))[0])
        values[:, j] = here - usual
        logit, total, baseline = logit + here, total + values[:, j], baseline + usual
    gap = float(np.abs(total + baseline - logit).max(initial=0.0))
    return Contributions(
        features=model.features,
        baseline=baseline,
        values=values,
        logit=logit,
        residual=gap,
        method=METHOD,
    )


def checked(columns: Mapping[str, Floats], features: Sequence[str]) -> int:
    """Return how many rows the columns of `features` have; refuse what cannot be explained."""
    import numpy as np

    if absent := [name for name in features if name not in columns]:
        raise malformed(f"the rows have no column {absent[0]!r}")
    if len({columns[name].shape for name in features}) > 1:
        raise malformed("columns differ in length")
    for name in features:
        if columns[name].ndim != 1 or not np.isfinite(columns[name]).all():
            raise malformed(f"column {name!r} is one row of finite numbers")
    return int(columns[features[0]].size) if features else 0


def malformed(fault: str) -> ExplanationMalformed:
    """Return the refusal of a model, rule or row."""
    return ExplanationMalformed(fault, next_step="Correct the model's entry or the rows.")
