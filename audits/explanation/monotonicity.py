"""Declared monotonicity, tried out: one feature is moved along a grid, all else stays as it is.

Definition: an entry declares that the output never falls (or never rises) as a feature grows. For
    each row the feature is set to every grid value in turn; the row violates the rule where the
    output moves the wrong way between two neighbours by more than the tolerance.
Formula: share of rows with a violation, with its interval by subject; the largest wrong move; the
    rows with the largest wrong moves as examples.
Source: Wachter, Mittelstadt and Russell (2018), Harvard Journal of Law and Technology 31(2),
    841-887 (counterfactuals); Goldstein, Kapelner, Bleich and Pitkin (2015), Journal of
    Computational and Graphical Statistics 24(1), 44-65 (curves row by row).
Assumptions: the other features can stay as they are while this one moves.
Failure modes: a grid that is too coarse steps over a violation. A move of one feature alone may be
    impossible in a patient; a violation then is about the model, not about patients. No violation
    in n rows does not mean none: read the upper limit.
Cost: grid times rows calls of the scorer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from audits.estimate import RECORD_DIGITS, Estimate, Json, decimal_text
from audits.explanation.contributions import checked, malformed
from audits.explanation.trees import Scorer
from audits.intervals.clustered import ClusteredShare, clustered_estimate
from audits.intervals.proportion import proportion_estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

Direction: TypeAlias = Literal["never_falls", "never_rises"]

GRID_MAX: Final = 1_000
EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotoneRule:
    """The declared direction of one feature, the increasing grid on which it is tried."""

    feature: str
    direction: Direction
    grid: tuple[float, ...]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in ("never_falls", "never_rises"):
            raise malformed(f"unknown direction {self.direction!r}")
        if not 2 <= len(self.grid) <= GRID_MAX:
            raise malformed(f"a grid has 2 to {GRID_MAX} values")
        if not all(map(math.isfinite, self.grid)):
            raise malformed("a grid is made of finite numbers")
        if any(a >= b for a, b in zip(self.grid, self.grid[1:], strict=False)):
            raise malformed("a grid increases")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise malformed("a tolerance is a number of at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """In `row` the output went from `before` to `after` as the feature went `start` to `end`."""

    row: int
    start: float
    end: float
    before: float
    after: float

    def as_record(self) -> dict[str, Json]:
        """Return the violation in the JSON domain."""
        numbers = (self.start, self.end, self.before, self.after)
        texts = [decimal_text(x, digits=RECORD_DIGITS) for x in numbers]
        return {
            "row": self.row,
            **dict(zip(("start", "end", "before", "after"), texts, strict=True)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotonicityResult:
    """The share of rows that violate `rule`, and the worst examples, worst first."""

    rule: MonotoneRule
    share: Estimate
    largest: float
    examples: tuple[Violation, ...]


def check_monotone(
    scorer: Scorer,
    columns: Mapping[str, Floats],
    *,
    rule: MonotoneRule,
    subject: Ints,
    level: float,
    unit: str = "subject",
    population: str = "all",
) -> MonotonicityResult:
    """Return how often the output of `scorer` breaks `rule` on the rows of `columns` (n each).

    Raises ExplanationMalformed where the rows lack the feature or an output is not finite.
    """
    import numpy as np

    names = tuple(columns)
    if rule.feature not in names:
        raise malformed(f"the rows have no column {rule.feature!r}")
    n = checked(columns, names)
    if subject.shape != (n,):
        raise malformed("every row has its subject")
    sign = 1.0 if rule.direction == "never_falls" else -1.0
    worst, place = np.zeros(n), np.zeros(n, dtype=np.int64)
    pair = np.zeros((2, n))
    before = _output(scorer, columns, rule.feature, rule.grid[0], n)
    for k, value in enumerate(rule.grid[1:]):
        after = _output(scorer, columns, rule.feature, value, n)
        wrong = sign * (before - after)
        worse = wrong > worst
        worst, place = np.where(worse, wrong, worst), np.where(worse, k, place)
        pair = np.where(worse, np.stack((before, after)), pair)
        before = after
    broken = worst > rule.tolerance
    order = np.argsort(-worst, kind="stable")[: min(EXAMPLES, int(broken.sum()))]
    return MonotonicityResult(
        rule=rule,
        share=_share(
            broken,
            subject,
            metric=f"monotonicity_violations@{rule.feature}",
            level=level,
            unit=unit,
            population=population,
        ),
        largest=float(worst.max(initial=0.0)),
        examples=tuple(
            Violation(
                row=int(row),
                start=rule.grid[place[row]],
                end=rule.grid[place[row] + 1],
                before=float(pair[0, row]),
                after=float(pair[1, row]),
            )
            for row in order
        ),
    )


def _output(
    scorer: Scorer, columns: Mapping[str, Floats], feature: str, value: float, n: int
) -> Floats:
    import numpy as np

    found = np.asarray(scorer({**columns, feature: np.full(n, value)}), dtype=np.float64)
    if found.shape != (n,) or not np.isfinite(found).all():
        raise malformed("the scorer returns one finite number a row")
    return found


def _share(
    broken: NDArray[np.bool_],
    subject: Ints,
    *,
    metric: str,
    level: float,
    unit: str,
    population: str,
) -> Estimate:
    import numpy as np

    subjects, place = np.unique(subject, return_inverse=True)
    if subjects.size == subject.size:
        return proportion_estimate(
            metric=metric,
            successes=int(broken.sum()),
            n=int(subject.size),
            level=level,
            unit=unit,
            population=population,
            source="sample",
        )
    return clustered_estimate(
        metric=metric,
        share=ClusteredShare.of(
            np.bincount(place[broken], minlength=subjects.size),
            np.bincount(place, minlength=subjects.size),
        ),
        level=level,
        unit=unit,
        population=population,
    )
