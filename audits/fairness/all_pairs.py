"""Max-t limits of many pairs of groups, without making a column of replicates for each pair.

Definition: what `audits.intervals.simultaneous.max_t` gives for the gaps value(i) - value(j), read
    from the replicates of the groups.
Formula: with C the covariance of the groups' replicates, s(i, j)^2 = C(i, i) + C(j, j) - 2 C(i, j);
    T(r) = max over pairs of |gap(r) - gap|/s; c the smallest T of which a share `level` is not
    above it; limits gap -/+ c s, c widened for few units as there.
Source: as `simultaneous`; a test compares the two.
Assumptions: every group in a pair is defined in every replicate and differs between them; `ready`
    says whether that holds.
Failure modes: s from a covariance loses digits where two groups move together almost exactly; a
    pair whose s is below a millionth of its groups' own spread is not ready.
Cost: replicates x pairs, some three operations each, without temporary columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.intervals.bootstrap import normal_cdf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

LEAST_SPREAD: Final = 1e-6
MINIMUM_UNITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairLimits:
    """Limits (metrics, pairs) of every gap, and each metric's critical value (metrics)."""

    low: Floats
    high: Floats
    critical: Floats


class AllPairs:
    """Gaps of several metrics between groups: each metric is a family of its own."""

    def __init__(self, replicates: Floats, pairs: Sequence[tuple[int, int]]) -> None:
        """Take `replicates` (metrics, groups, replicates); NaN = undefined."""
        import numpy as np

        self.first = np.array([first for first, _ in pairs], dtype=np.int64)
        self.second = np.array([second for _, second in pairs], dtype=np.int64)
        self.replicates = replicates
        centred = replicates - replicates.mean(axis=2, keepdims=True)
        self.covariance = centred @ centred.transpose(0, 2, 1) / (replicates.shape[2] - 1)

    def ready(self) -> Bools:
        """Return which metrics (metrics) have every gap defined in every replicate."""
        import numpy as np

        own = self._own()
        spread = np.nan_to_num(self._scale() ** 2)
        return np.asarray((spread > LEAST_SPREAD * own).all(axis=1) & (spread > 0).all(axis=1))

    def limits(self, values: Floats, *, level: float, units: Ints) -> PairLimits:
        """Return the limits of `values` (metrics, groups); `units` (metrics, pairs) as in max_t."""
        import numpy as np

        scale = self._scale()
        largest = self._largest(values, scale)
        critical = np.quantile(largest, level, axis=1, method="higher")
        gap = values[:, self.first] - values[:, self.second]
        reach = _widened(critical, units) * scale
        return PairLimits(low=gap - reach, high=gap + reach, critical=critical)

    def _own(self) -> Floats:
        import numpy as np

        variance = np.diagonal(self.covariance, axis1=1, axis2=2)
        return np.asarray(variance[:, self.first] + variance[:, self.second])

    def _scale(self) -> Floats:
        import numpy as np

        square = self._own() - 2 * self.covariance[:, self.first, self.second]
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    def _largest(self, values: Floats, scale: Floats) -> Floats:
        """Return the largest standardised deviation (metrics, replicates) over the pairs."""
        import numpy as np

        moved = self.replicates - values[:, :, None]
        inverse = 1 / scale
        largest = np.zeros((len(moved), moved.shape[2]))
        room = np.empty_like(moved)
        for first in np.unique(self.first):
            mine = np.flatnonzero(self.first == first)
            gap = room[:, : mine.size]
            np.subtract(moved[:, _run(self.second[mine])], moved[:, first : first + 1], out=gap)
            gap *= inverse[:, mine, None]
            np.abs(gap, out=gap)
            np.maximum(largest, gap.max(axis=1), out=largest)
        return largest


def _run(groups: Ints) -> slice | Ints:
    """Return consecutive groups as a slice: a view costs nothing, a selection costs a copy."""
    start, stop = int(groups[0]), int(groups[-1]) + 1
    consecutive = stop - start == groups.size and bool((groups[1:] > groups[:-1]).all())
    return slice(start, stop) if consecutive else groups


def _widened(critical: Floats, units: Ints) -> Floats:
    """Return the multiple (metrics, pairs) of the standard error, larger for few units."""
    import numpy as np
    from scipy import special

    degrees = np.maximum(units, 2) - 1.0
    confidence = np.array([normal_cdf(float(c)) for c in critical])[:, None]
    wider = special.stdtrit(degrees, confidence) * np.sqrt((degrees + 1) / degrees)
    return np.asarray(np.maximum(wider, critical[:, None]))
