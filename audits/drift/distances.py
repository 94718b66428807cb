"""Distances between a reference and current rows of one column: named, pinned, with intervals.

Definition: p and q are the shares of reference and current rows, missing values aside, F and G
    their distribution functions. Bins: for numbers up to `bins` parts of equal reference share, for
    categories the reference's levels and one for all new levels. N = n + m rows with a value.
Formula: `ks` = max abs(F - G) at the edges of the grid. `wasserstein` = integral of abs(F - G),
    each cell at its middle, over the reference's interquartile range (over its standard deviation
    where that is zero). `psi` = sum (p - q) ln(p / q) with half a row added to every bin on both
    sides, so that an empty bin is finite. `jensen_shannon` = square root of the divergence to base
    2. `cramers_v` = sqrt(X / N), X the chi-square statistic of the 2 x B table without correction.
    Bias where nothing changed, with e = 1/n + 1/m: psi (B - 1) e; divergence (B - 1) e / (8 ln 2);
    X / N (B - 1) / N: subtracted, not below zero. `raw` is the value without that.
    Intervals. ks: Dvoretzky-Kiefer-Wolfowitz bands of both sides. wasserstein: value -+ c times the
    integral of sqrt(F(1-F)/n + G(1-G)/m), c = E[|Z| given |Z| > z]: of all processes with these
    standard deviations the comonotone one has the greatest tail expectation. The other three:
    value - z sqrt(first-order variance (delta method) + variance of the second-order term), and
    above at least the u with u - value = z sqrt(2 (B - 1) c^2 + 4 c u), c = bias / (B - 1): the
    variance of a noncentral chi-square at the limit itself.
Source: Massart (1990), Annals of Probability 18(3), 1269-1283 (bands with constant 2); Yurdakul
    (2018), Western Michigan University dissertation 3208 (distribution of the PSI); Lin (1991),
    IEEE Transactions on Information Theory 37(1), 145-151 (divergence); Cramer (1946), Mathematical
    Methods of Statistics, 282; Kaas, Dhaene and Goovaerts (2000), Insurance: Mathematics and
    Economics 27(2), 151-168 (convex order of comonotone sums).
Assumptions: rows are independent, or `effective` counts how many independent rows they are worth
    (`reference.effective_rows`); both sides are samples of what they stand for.
Failure modes: `ks` and `wasserstein` have no bias removed: with no change `ks` is about
    .87 sqrt(e); read the interval, which then holds zero. Their intervals are wide. With tails so
    heavy that the variance is infinite the interval of `wasserstein` grows with the extremes and
    decides nothing. Fewer than `LEAST_A_BIN` rows a bin, or `LEAST_MOVED` for `wasserstein`: no
    interval, hence no verdict (one row has no spread, and would seem sure). P-values of
    `chi_square` shrink with n whatever the size of a change, so that none decides here.
Cost: linear in the cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

VERSIONS: Final = {
    "ks": "Kolmogorov-Smirnov on the grid, DKW bands, v1",
    "wasserstein": "Wasserstein-1 on the grid over the reference IQR, comonotone bound, v2",
    "psi": "population stability index, half a row a bin, bias removed, delta method, v1",
    "jensen_shannon": "Jensen-Shannon distance base 2, bias removed, delta method, v1",
    "cramers_v": "chi-square as Cramer's V, bias removed, delta method, v1",
}
"""The methods by name. A change of any number they give is a new version."""
ORDERED: Final = ("ks", "wasserstein")
"""Methods that need an order, so not for categories."""
LEAST_A_BIN: Final = 5
"""Rows a bin, on the smaller side, below which the normal approximation says nothing."""
LEAST_MOVED: Final = 20
"""Rows, on the smaller side, below which their own spread says too little for `wasserstein`."""
PSEUDO: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """One distance: `low` and `high` None where `note` says why; `resolution` bounds its error.

    `raw` is the textbook value, `bias` what it would be on average where nothing changed (already
    subtracted from `value`, except for `ks` and `wasserstein`, where it is only told).
    """

    method: str
    value: float | None
    low: float | None
    high: float | None
    raw: float | None
    bias: float
    resolution: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """The counts (cells) of one side and how many independent rows they are worth."""

    counts: Ints
    effective: float

    @property
    def n(self) -> int:
        """How many rows have a value."""
        return int(self.counts.sum())


def ks_statistic(reference: Ints, current: Ints) -> float:
    """Return the largest gap of the distribution functions between cells in order."""
    import numpy as np

    return float(np.abs(_gap(reference, current)).max())


def ks_resolution(reference: Ints, current: Ints, single: NDArray[np.bool_]) -> float:
    """Return how much the exact statistic may exceed the one at the edges; see `grid`."""
    import numpy as np

    least = np.minimum(reference / reference.sum(), current / current.sum())
    return float(least[~single].max(initial=0.0))


def wasserstein_statistic(reference: Ints, current: Ints, positions: Floats) -> float:
    """Return the integral of the gap, each cell being at its position (rising)."""
    import numpy as np

    # A sum of products, not a product of matrices: one order of summing whatever the threads.
    return float((np.abs(_gap(reference, current)[:-1]) * np.diff(positions)).sum())


def psi_statistic(reference: Ints, current: Ints, *, pseudo: float = PSEUDO) -> float:
    """Return the population stability index of two rows of bin counts."""
    import numpy as np

    p, q = _smoothed(reference, pseudo), _smoothed(current, pseudo)
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon_divergence(reference: Ints, current: Ints) -> float:
    """Return the divergence to base 2, from 0 (alike) to 1 (no bin in common)."""
    import numpy as np

    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    logs = [x * np.log2(np.divide(x, middle, out=np.ones_like(x), where=x > 0)) for x in (p, q)]
    return max(0.0, float(sum(logs).sum() / 2))


def chi_square(reference: Ints, current: Ints) -> tuple[float, int, float]:
    """Return statistic, degrees of freedom and p-value of the table without empty bins."""
    import numpy as np
    from scipy.special import chdtrc

    table = np.stack([reference, current]).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom = table.shape[1] - 1
    return statistic, freedom, float(chdtrc(freedom, statistic)) if freedom else 1.0


def ordered_distances(
    reference: Side,
    current: Side,
    *,
    positions: Floats,
    widths: Floats,
    single: NDArray[np.bool_],
    scale: float,
    level: float,
) -> tuple[Distance, Distance]:
    """Return `ks` and `wasserstein` of two rows of cell counts.

    `positions` and `widths` (cells) say where a cell lies and how far its values may lie apart.
    """
    noise = math.sqrt(1.0 / reference.effective + 1.0 / current.effective)
    ks = ks_statistic(reference.counts, current.counts)
    half = math.sqrt(math.log(4.0 / (1.0 - level)) / 2.0) * (
        reference.effective**-0.5 + current.effective**-0.5
    )
    gap = ks_resolution(reference.counts, current.counts, single)
    first = Distance(
        method="ks",
        value=ks,
        low=max(0.0, ks - half),
        high=min(1.0, ks + half + gap),
        raw=ks,
        # The mean of the Kolmogorov distribution: sqrt(pi / 2) ln 2.
        bias=math.sqrt(math.pi / 2) * math.log(2) * noise,
        resolution=gap,
    )
    return first, _wasserstein(
        reference, current, positions=positions, widths=widths, scale=scale, level=level
    )


def binned_distances(reference: Side, current: Side, *, level: float) -> tuple[Distance, ...]:
    """Return `psi`, `jensen_shannon` and `cramers_v` of two rows of bin counts."""
    import numpy as np

    used = (reference.counts + current.counts) > 0
    bins = int(used.sum())
    n, m = reference.effective, current.effective
    p, q = _smoothed(reference.counts[used], PSEUDO), _smoothed(current.counts[used], PSEUDO)
    e = 1.0 / n + 1.0 / m
    note = ""
    if min(n, m) < LEAST_A_BIN * bins:
        note = (
            f"{min(n, m):.0f} independent rows are fewer than {LEAST_A_BIN} for each of {bins} bins"
        )
    z = _normal_quantile(level)
    middle = (p + q) / 2
    log2 = math.log(2)
    psi = psi_statistic(reference.counts, current.counts)
    slopes = {
        "psi": (np.log(p / q) + 1 - q / p, np.log(q / p) + 1 - p / q),
        "jensen_shannon": (np.log2(p / middle) / 2, np.log2(q / middle) / 2),
    }
    rows = reference.n + current.n
    statistic, freedom, tail = chi_square(reference.counts, current.counts)
    # X / N = a b sum (p - q)^2 / (a p + b q), a and b the shares of the sides in all rows.
    a, b = reference.n / rows, current.n / rows
    pooled, d = a * p + b * q, p - q
    slopes["cramers_v"] = (
        a * b * (2 * d / pooled - a * d**2 / pooled**2),
        a * b * (-2 * d / pooled - b * d**2 / pooled**2),
    )
    units = {"psi": e, "jensen_shannon": e / (8 * log2), "cramers_v": a * b * e}
    raws = {
        "psi": psi,
        "jensen_shannon": jensen_shannon_divergence(reference.counts, current.counts),
        "cramers_v": statistic / rows,
    }
    found = []
    for method, unit in units.items():
        variance = _variance(slopes[method][0], p) / n + _variance(slopes[method][1], q) / m
        bias = (bins - 1) * unit
        lower = z * math.sqrt(variance + 2 * bias * unit)
        # At its upper limit u the value has variance 2 (B - 1) unit^2 + 4 unit u: solved for u.
        start = max(0.0, raws[method] - bias)
        steep = 2 * z * z * unit
        upper = steep + math.sqrt(steep**2 + z * z * (2 * bias * unit + 4 * unit * start))
        say = f"chi-square {statistic:.6g} on {freedom} degrees of freedom, p {tail:.3g}"
        found.append(
            _binned(
                method,
                raw=raws[method],
                bias=bias,
                halves=(lower, max(lower, upper)),
                refused=note,
                note=say if method == "cramers_v" else "",
            )
        )
    return tuple(found)


def _binned(
    method: str, *, raw: float, bias: float, halves: tuple[float, float], refused: str, note: str
) -> Distance:
    root = method != "psi"
    value = max(0.0, raw - bias)
    ends = [value, max(0.0, raw - bias - halves[0]), value + halves[1], raw, bias]
    if root:
        ends = [math.sqrt(x) for x in ends]
    top = math.inf if method == "psi" else 1.0
    return Distance(
        method=method,
        value=ends[0],
        low=None if refused else ends[1],
        high=None if refused else max(ends[0], min(top, ends[2])),
        raw=ends[3],
        bias=ends[4],
        resolution=0.0,
        note="; ".join(x for x in (refused, note) if x),
    )


def _wasserstein(
    reference: Side,
    current: Side,
    *,
    positions: Floats,
    widths: Floats,
    scale: float,
    level: float,
) -> Distance:
    import numpy as np

    if not scale > 0:
        return _no_wasserstein(
            "the reference does not vary, so that there is no unit to measure in"
        )
    F, G = (np.cumsum(one.counts)[:-1] / one.n for one in (reference, current))
    spread = np.sqrt(F * (1 - F) / reference.effective + G * (1 - G) / current.effective)
    shares = reference.counts / reference.n + current.counts / current.n
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(wasserstein_statistic(reference.counts, current.counts, positions) / scale)
        total = float((spread * np.diff(positions)).sum() / scale)
        resolution = float((shares * widths).sum() / 2 / scale)
    half = _tail_mean(level) * total
    if not (math.isfinite(scale) and math.isfinite(value + half + resolution)):
        return _no_wasserstein("the values lie so far apart that no double holds the distance")
    worth = min(reference.effective, current.effective)
    few = worth < LEAST_MOVED
    return Distance(
        method="wasserstein",
        value=value,
        low=None if few else max(0.0, value - half - resolution),
        high=None if few else value + half + resolution,
        raw=value,
        bias=math.sqrt(2 / math.pi) * total,
        resolution=resolution,
        note=f"{worth:.0f} independent rows are fewer than {LEAST_MOVED}" if few else "",
    )


def _no_wasserstein(why: str) -> Distance:
    return Distance(
        method="wasserstein",
        value=None,
        low=None,
        high=None,
        raw=None,
        bias=0.0,
        resolution=0.0,
        note=why,
    )


def _gap(reference: Ints, current: Ints) -> Floats:
    import numpy as np

    gap = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    return np.asarray(gap, dtype=np.float64)


def _smoothed(counts: Ints, pseudo: float) -> Floats:
    import numpy as np

    raised = counts + pseudo
    return np.asarray(raised / raised.sum(), dtype=np.float64)


def _variance(slope: Floats, shares: Floats) -> float:
    mean = float(shares @ slope)
    return max(0.0, float(shares @ slope**2) - mean**2)


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _tail_mean(level: float) -> float:
    """Return E[|Z| given |Z| > z] of a standard normal Z, z its two-sided quantile."""
    z = _normal_quantile(level)
    return 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (1.0 - level)
