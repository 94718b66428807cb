"""Does a column tell a 0/1 mark? The area it reaches and the p-value of no association.

Definition: for a quantity, the probability that it is greater where the mark is 1; for a category,
    the area of its levels ranked by their share of marks, and the p-value of independence.
Formula: Mann-Whitney U / (m n) with the tie-corrected normal test; Pearson's chi-square on the
    levels, Fisher's exact test on a two by two table.
Source: Mann and Whitney (1947), Annals of Mathematical Statistics 18(1), 50-60; Fisher (1922),
    Journal of the Royal Statistical Society 85(1), 87-94.
Assumptions: rows are independent: the caller hands over one row a subject.
Failure modes: a category ranked on the rows it is judged on reaches more than one half by luck, the
    more levels the more: the p-value does not suffer, the area does. Levels with fewer than five
    rows are pooled.
Cost: one sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.temporal.leakage.material import Floats, Ints

    Bools = NDArray[np.bool_]

EACH_MIN: Final = 5
"""Rows with and without the mark below which no association is tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """The area (0.5 = tells nothing) and the p-value."""

    area: float
    p: float

    @property
    def strength(self) -> float:
        """How far the area lies from one half, 0 to 0.5."""
        return abs(self.area - 0.5)


def of_quantity(values: Floats, mark: Bools) -> Association | None:
    """Return how well `values` (n, NaN = left out) tell `mark` (n); None with too few of either."""
    import numpy as np
    from scipy.stats import mannwhitneyu

    here = ~np.isnan(values)
    inside, outside = values[here & mark], values[here & ~mark]
    if min(inside.size, outside.size) < EACH_MIN:
        return None
    if np.unique(values[here]).size == 1:
        return Association(area=0.5, p=1.0)
    test = mannwhitneyu(inside, outside, method="asymptotic")
    area = float(test.statistic) / (inside.size * outside.size)
    return Association(area=area, p=float(test.pvalue))


def of_category(codes: Ints, mark: Bools) -> Association | None:
    """Return how well `codes` (n, -1 = left out) tell `mark` (n); None with too few of either."""
    import numpy as np
    from scipy.stats import chi2_contingency, fisher_exact

    here = codes >= 0
    marked = mark[here]
    if min(int(marked.sum()), int((~marked).sum())) < EACH_MIN:
        return None
    code = _pooled(codes[here])
    table = np.stack([np.bincount(code[marked == one], minlength=code.max() + 1) for one in (0, 1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return Association(area=0.5, p=1.0)
    if table.shape[1] == 2:
        p = float(fisher_exact(table).pvalue)
    else:
        p = float(chi2_contingency(table, correction=False).pvalue)
    return Association(area=_area(table), p=p)


def _pooled(codes: Ints) -> Ints:
    """Put the levels with fewer than EACH_MIN rows into one."""
    import numpy as np

    _, code, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rare = counts < EACH_MIN
    return np.where(rare[code], 0, code + 1).astype(np.int64)


def _area(table: Ints) -> float:
    import numpy as np

    order = np.argsort(table[1] / table.sum(axis=0), kind="stable")
    without, marked = table[0][order], table[1][order]
    below = np.cumsum(without) - without
    wins = float(marked @ (below + without / 2))
    return wins / (float(without.sum()) * float(marked.sum()))
