"""Early recognition in a ranked list, as in a screen of molecules: enrichment, RIE and BEDROC.

Definition: positives are actives. The enrichment factor at the share x is the share of actives
    among the top x of the list over their share in all of it. RIE weighs each active by exp(-alpha
    r/N) of its rank r and divides by the same for random ranks; BEDROC maps RIE to 0 (all actives
    last) to 1 (all first).
Formula: N rows, n actives, Ra = n/N, ranks r from 1 at the highest score, ties sharing their mean
    rank. EF(x) = (actives among the first k = ceil(x N))/(n k/N), rows tied at the cut counted in
    proportion; its ceiling is min(N/n, N/k). RIE = mean of exp(-alpha r/N) / [(1/N)(1 -
    exp(-alpha))/(exp(alpha/N) - 1)]. BEDROC = (RIE - RIEmin)/(RIEmax - RIEmin), RIEmax = (1 -
    exp(-alpha Ra))/(Ra (1 - exp(-alpha))), RIEmin = (1 - exp(alpha Ra))/(Ra (1 - exp(alpha))).
    Intervals: Poisson bootstrap of the subjects with ranks found anew; v -/+ t sd, on the logit
    scale for BEDROC, on the log scale for RIE; EF from the share of actives found, Zhou and Qin's
    shrunken share as in `thresholds`. t has (subjects with an active) - 1 degrees.
Source: Truchon and Bayly (2007), Journal of Chemical Information and Modeling 47(2), 488-508,
    equations 17, 18 and 36.
Assumptions: molecules (subjects: series or scaffolds, where they are alike) are independent.
Failure modes: alpha outside ALPHAS is refused. alpha Ra << 1 is needed for BEDROC to be read as a
    probability; above CROWDED it has no interval; BEDROC and EF depend on the share of actives, so
    values of two libraries do not compare. EF saturates at its ceiling, which is stated. Fewer than
    MINIMUM_ACTIVES subjects with an active: value without interval.
Cost: one sort; replicates times n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, decimal_text
from audits.intervals.bootstrap import poisson_weights
from audits.performance.influence import (
    Scale,
    check_replicates,
    limits,
    nothing,
    one_class,
    quantile,
    too_few,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

_Value = TypeVar("_Value")

METHOD: Final = "early recognition, Poisson bootstrap by subject, t, v1"
MINIMUM_ACTIVES: Final = 10
"""Subjects with an active below which the interval no longer covered its level in simulation."""

MINIMUM_TOP: Final = 20
"""The top share of the list, in subjects, below which EF has no interval."""
ALPHAS: Final = (0.001, 10_000.0)
"""Below, every rank weighs the same to rounding; above, only the first of a long list weighs."""
CROWDED: Final = 5.0
"""alpha Ra above which BEDROC saturates and its interval no longer covered its level."""


def bedroc(
    rows: Rows, *, alpha: float, level: float, replicates: int, seed: int
) -> tuple[Estimate, Estimate]:
    """Return BEDROC and RIE at `alpha` within ALPHAS, named "bedroc@20" and "rie@20"."""
    at = decimal_text(alpha)
    names = (f"bedroc@{at}", f"rie@{at}")
    if not ALPHAS[0] <= alpha <= ALPHAS[1]:
        raise ProtocolMalformed(
            f"alpha is {at}", next_step="Name an alpha from 0.001 to 10,000, such as 20."
        )
    if why := one_class(rows):
        return (
            nothing(rows, metric=names[0], why=why, level=level, method=METHOD),
            nothing(rows, metric=names[1], why=why, level=level, method=METHOD),
        )
    ranked = _Ranked(rows)
    drawn = ranked.resampled(
        lambda weight: ranked.rie(weight, alpha), replicates=replicates, seed=seed
    )
    share, rie = ranked.rie(ranked.once, alpha)
    value = _bedroc(rie, share, alpha)
    note = f"alpha times the share of actives is {decimal_text(alpha * share, digits=3)}"
    mapped = [_bedroc(one, its, alpha) for its, one in drawn]
    short = ""
    if alpha * share > CROWDED:
        short = f"alpha times the share of actives exceeds {decimal_text(CROWDED)}, too crowded"
    return (
        _bootstrapped(
            rows, names[0], value, mapped, level=level, scale="logit", note=note, short=short
        ),
        _bootstrapped(rows, names[1], rie, [x for _, x in drawn], level=level, scale="log"),
    )


def enrichment(rows: Rows, *, share: float, level: float, replicates: int, seed: int) -> Estimate:
    """Return the enrichment factor in the top `share` of the list, named "enrichment@0.01"."""
    metric = f"enrichment@{decimal_text(share)}"
    import numpy as np

    if not 0 < share < 1:
        raise ProtocolMalformed(
            f"a top share of {share} is no part of the list",
            next_step="Name a share strictly between 0 and 1, such as 0.01.",
        )
    if why := one_class(rows):
        return nothing(rows, metric=metric, why=why, level=level, method=METHOD)
    ranked = _Ranked(rows)
    top = math.ceil(share * rows.n) / rows.n
    ceiling = min(rows.n / rows.positives, 1 / top)
    value = ranked.found(ranked.once, top)[1] / top
    low, high = None, None
    note = too_few(rows.events, MINIMUM_ACTIVES, "subjects with an active") or too_few(
        math.ceil(top * rows.subjects), MINIMUM_TOP, "subjects' worth of the list"
    )
    if not note:
        drawn = ranked.resampled(
            lambda weight: ranked.found(weight, top), replicates=replicates, seed=seed
        )
        low, high = _shrunken(rows, np.asarray(drawn), top, level=level)
        low, high = min(low, value), max(high, value)
    stated = f"ceiling {decimal_text(ceiling, digits=6)}"
    return _estimate(
        rows, metric, value, low, high, level=level, note=f"{note}; {stated}".strip("; ")
    )


class _Ranked:
    """Rows in order of their scores, so that a resample needs no sort of its own."""

    def __init__(self, rows: Rows) -> None:
        import numpy as np

        self.rows = rows
        self.order = np.argsort(-rows.score, kind="stable")
        self.label = rows.label[self.order]
        score = rows.score[self.order]
        self.group = np.concatenate(([0], np.cumsum(np.diff(score) != 0)))
        self.once = np.ones(rows.n)

    def rie(self, weight: Floats, alpha: float) -> tuple[float, float]:
        """Return the share of actives and RIE; `weight` (n) counts rows in order."""
        import numpy as np

        size = np.bincount(self.group, weights=weight)
        total = float(size.sum())
        # copies of a row and rows of one score share the mean of their ranks
        rank = np.cumsum(size) - (size - 1) / 2
        actives = np.bincount(self.group, weights=weight * self.label)
        count = float(actives.sum())
        if count in (0.0, total):
            return math.nan, math.nan
        # both are multiplied by exp(alpha / total), so that neither leaves the range of floats
        mean = float(actives @ np.exp(-alpha * np.maximum(rank - 1, 0) / total)) / count
        random = math.expm1(-alpha) / math.expm1(-alpha / total) / total
        return count / total, mean / random

    def found(self, weight: Floats, top: float) -> tuple[float, float]:
        """Return the share of actives, and of them that in the first `top`, ties in proportion."""
        import numpy as np

        size = np.bincount(self.group, weights=weight)
        actives = np.bincount(self.group, weights=weight * self.label)
        if actives.sum() == 0:
            return math.nan, math.nan
        ends = np.concatenate(([0.0], np.cumsum(size)))
        got = np.concatenate(([0.0], np.cumsum(actives)))
        share = float(got[-1] / ends[-1])
        return share, float(np.interp(top * ends[-1], ends, got) / got[-1])

    def resampled(
        self, statistic: Callable[[Floats], _Value], *, replicates: int, seed: int
    ) -> list[_Value]:
        """Return the statistic of each Poisson resample of the subjects."""
        import numpy as np

        check_replicates(replicates)
        return [
            statistic(np.asarray(weight[self.order], dtype=np.float64))
            for weight in poisson_weights(self.rows.identity, replicates=replicates, seed=seed)
        ]


def _bedroc(rie: float, share: float, alpha: float) -> float:
    most = -math.expm1(-alpha * share) / (share * -math.expm1(-alpha))
    # exp(alpha) is divided out of both terms, for it may exceed the range of floats
    least = most * math.exp(alpha * (share - 1))
    return min(1.0, max(0.0, (rie - least) / (most - least)))


def _bootstrapped(
    rows: Rows,
    metric: str,
    value: float,
    drawn: list[float],
    *,
    level: float,
    scale: Scale,
    note: str = "",
    short: str = "",
) -> Estimate:
    import numpy as np

    low, high = None, None
    why = short or too_few(rows.events, MINIMUM_ACTIVES, "subjects with an active")
    inside = 0.0 < value < 1.0 or (scale == "log" and value > 0.0)
    if not why and not inside:
        why = "all actives stand at one end, and this method has no limit for that"
    if not why:
        sd = float(np.nanstd(np.asarray(drawn), ddof=1))
        ends = limits(value, sd, level=level, scale=scale, df=rows.events - 1)
        if sd > 0.0 and math.isfinite(ends[1]):
            low, high = ends
        else:
            why = "the spread of the resamples is beyond floats, so there is no interval"
    joined = "; ".join(part for part in (why, note) if part)
    return _estimate(rows, metric, value, low, high, level=level, note=joined)


def _shrunken(rows: Rows, drawn: Floats, top: float, *, level: float) -> tuple[float, float]:
    """Return the limits of EF; `drawn` (r, 2) holds the share of actives and of them found."""
    import numpy as np

    kept = drawn[~np.isnan(drawn).any(axis=1)]
    ceiling = np.minimum(1 / kept[:, 0], 1 / top)
    z = quantile(level)
    # at most so many actives can be found: the share of the ceiling is binomial at its widest
    size = min(float(rows.events), top * rows.subjects)
    reached = (size * kept[:, 1] / top / ceiling + z * z / 2) / (size + z * z)
    factor = reached * ceiling
    # where all resamples agree, the size alone still leaves this much open
    least = float(reached.mean() * (1 - reached.mean())) / (size + z * z)
    lifted = max(0.0, least - float(reached.var(ddof=1))) * float(ceiling.mean()) ** 2
    sd = math.sqrt(float(factor.var(ddof=1)) + lifted)
    half = quantile(level, df=rows.events - 1) * sd
    centre = float(factor.mean())
    return max(0.0, centre - half), min(1 / top, centre + half)


def _estimate(
    rows: Rows,
    metric: str,
    value: float,
    low: float | None,
    high: float | None,
    *,
    level: float,
    note: str,
) -> Estimate:
    return Estimate(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        n=rows.subjects,
        unit=rows.unit,
        method=METHOD,
        source="sample",
        population=rows.population,
        note=note,
    )
