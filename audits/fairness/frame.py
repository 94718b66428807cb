"""The result of comparing groups, in the shape that users of fairlearn's MetricFrame know.

Definition: `overall`, `by_group`, `difference`, `ratio`, `group_min`, `group_max` are
    MetricFrame's; `counts`, `undefined`, `gaps` and `verdict` are what it lacks. Every number also
    stands as an `Estimate` in `totals`, `estimates` and `gaps`.
Formula: difference between_groups = largest minus smallest value, to_overall = largest absolute
    distance to the overall value; ratio between_groups = smallest over largest, to_overall = least
    of value/overall and overall/value. Verdict of a gap: `judge` with the reading `margin`: pass
    only where the whole simultaneous interval lies inside the margin, fail where the point lies
    outside, else insufficient; undefined, or no gap at all for a margin, is insufficient.
Source: fairlearn 0.15, MetricFrame; ICH E9 section 3.3.2 (equivalence by interval and margin).
Assumptions: as in `metrics` and `gaps`.
Failure modes: difference and ratio over groups are extremes of noisy values and grow with the
    number of groups; they carry no interval. Read the gaps. Where a group is undefined they are
    NaN: MetricFrame would leave the group out and could answer 0.
Cost: that of `gaps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from audits.criteria import Criterion, Judgement, judge, overall
from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, Verdict, decimal_text, undefined
from audits.fairness.cells import GroupCells
from audits.fairness.draws import draw
from audits.fairness.gaps import (
    DIFFERENCE,
    RATIO,
    GapLimits,
    equalised_odds,
    gap_limits,
    limits,
    pairs_of,
)
from audits.fairness.metrics import (
    EQUALISED_ODDS,
    EQUALISED_ODDS_PARTS,
    CountMetric,
    by_group,
    denominators,
    subjects_behind,
)

if TYPE_CHECKING:
    import numpy as np

NO_GROUP: Final = "(no group)"
COMPOSITE: Final = "larger of two gaps of one family, "


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a gap may be: at most `difference` apart, or a ratio of at least `ratio` (0 to 1)."""

    difference: float | None = None
    ratio: float | None = None

    def __post_init__(self) -> None:
        if self.difference is not None and not self.difference > 0:
            raise _malformed(f"a margin of {self.difference} for a difference is not above 0")
        if self.ratio is not None and not 0 < self.ratio < 1:
            raise _malformed(f"a margin of {self.ratio} for a ratio is not between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The gap of one metric between two groups on one scale; `judgement` where a margin was set."""

    metric: str
    scale: str
    first: str
    second: str
    estimate: Estimate
    criterion: Criterion | None = None
    judgement: Judgement | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class FairnessFrame:
    """Groups of one partition under one policy; see the module for the members that compute.

    `totals`: by metric the estimate of everybody. `estimates`: by metric one estimate a group, in
    the order of `cells.groups`. A metric of gaps only (equalised_odds) has neither.
    """

    cells: GroupCells
    totals: Mapping[str, Estimate]
    estimates: Mapping[str, tuple[Estimate, ...]]
    gaps: tuple[Gap, ...]

    @property
    def overall(self) -> Any:  # noqa: ANN401 - a pandas Series
        """The value of everybody by metric (Series)."""
        import pandas as pd

        return pd.Series({name: _number(one) for name, one in self.totals.items()}, dtype=float)

    @property
    def by_group(self) -> Any:  # noqa: ANN401 - a pandas DataFrame
        """The value by group (rows) and metric (columns); NaN = undefined (DataFrame)."""
        import pandas as pd

        columns = {name: [_number(one) for one in of] for name, of in self.estimates.items()}
        return pd.DataFrame(columns, index=list(self.cells.groups), dtype=float)

    @property
    def counts(self) -> Any:  # noqa: ANN401 - a pandas DataFrame
        """The counts by group (rows) and outcome (columns), with rows left out and subjects."""
        import pandas as pd

        frame = pd.DataFrame(
            self.cells.counts, index=list(self.cells.groups), columns=list(self.cells.outcomes)
        )
        frame["left out"] = self.cells.left_out
        frame[f"{self.cells.unit}s"] = self.cells.subjects
        return frame

    @property
    def undefined(self) -> dict[tuple[str, str], str]:
        """Why a value is undefined, by (metric, group)."""
        return {
            (name, one.population): one.note
            for name, of in self.estimates.items()
            for one in of
            if one.value is None
        }

    @property
    def verdict(self) -> Verdict:
        """Fail beats insufficient beats pass over all gaps with a margin; none: insufficient."""
        return overall(gap.judgement for gap in self.gaps if gap.judgement is not None)

    def group_min(self) -> Any:  # noqa: ANN401 - a pandas Series
        """Return the smallest value by metric; NaN where a group is undefined."""
        return self.by_group.min(skipna=False)

    def group_max(self) -> Any:  # noqa: ANN401 - a pandas Series
        """Return the largest value by metric; NaN where a group is undefined."""
        return self.by_group.max(skipna=False)

    def difference(
        self, *, method: Literal["between_groups", "to_overall"] = "between_groups"
    ) -> Any:  # noqa: ANN401 - a pandas Series
        """Return the largest difference by metric; NaN where a group is undefined."""
        if _method(method) == "between_groups":
            return self.group_max() - self.group_min()
        return (self.by_group - self.overall).abs().max(skipna=False)

    def ratio(self, *, method: Literal["between_groups", "to_overall"] = "between_groups") -> Any:  # noqa: ANN401 - a pandas Series
        """Return the smallest ratio by metric; NaN where a group is undefined or all are 0."""
        if _method(method) == "between_groups":
            return self.group_min() / self.group_max()
        share = self.by_group / self.overall
        return share.where(share <= 1, 1 / share).min(skipna=False)


def fairness_frame(
    cells: GroupCells,
    *,
    metrics: Sequence[CountMetric],
    level: float,
    replicates: int,
    rng: np.random.Generator,
    reference: str | None = None,
    margins: Mapping[str, Margin] | None = None,
    minimum_n: int = 1,
    odds: bool = False,
    suffix: str = "",
) -> FairnessFrame:
    """Return groups and gaps of count metrics.

    `reference`: compare with this group only. `margins`: by metric name. `odds`: also the gap in
    equalised odds. `suffix` is appended to the metrics' names, such as " under fixed". Raises
    ProtocolMalformed for a reference without rows or too many pairs.
    """
    pairs = pairs_of(cells.groups, reference=reference)
    drawn = draw(cells, replicates=replicates, rng=rng) if cells.grounded else None
    everybody = cells.together()
    made: list[Gap] = []
    for scale in (DIFFERENCE, RATIO):
        found = gap_limits(cells, metrics, drawn, pairs=pairs, level=level, scale=scale)
        for metric, one in zip(metrics, found, strict=True):
            n = _units(cells, metric)
            made += gaps_of(cells, one, name=metric.name + suffix, n=n, level=level)
    if odds:
        parts = [one for one in metrics if one.name in EQUALISED_ODDS_PARTS]
        if len(parts) != len(EQUALISED_ODDS_PARTS):
            raise _malformed(f"{EQUALISED_ODDS} needs {' and '.join(EQUALISED_ODDS_PARTS)}")
        first, second = limits(cells, parts, drawn, pairs=pairs, level=level)
        n = [min(both) for both in zip(*(_units(cells, one) for one in parts), strict=True)]
        composite = equalised_odds((first, second))
        made += gaps_of(cells, composite, name=EQUALISED_ODDS + suffix, n=n, level=level)
    return FairnessFrame(
        cells=cells,
        totals={
            one.name + suffix: by_group(everybody, one, level=level, name=one.name + suffix)[0]
            for one in metrics
        },
        estimates={
            one.name + suffix: by_group(cells, one, level=level, name=one.name + suffix)
            for one in metrics
        },
        gaps=judged_gaps(made, margins or {}, minimum_n=minimum_n, suffix=suffix),
    )


def gaps_of(
    cells: GroupCells, found: GapLimits, *, name: str, n: Sequence[int], level: float
) -> list[Gap]:
    """Return the gaps of one metric as estimates; `n` has the units of each group."""
    import math

    made = []
    composite = COMPOSITE if name.startswith(EQUALISED_ODDS) else ""
    for k, (i, j) in enumerate(found.pairs):
        value, low, high = (float(x[k]) for x in (found.value, found.low, found.high))
        bounded = math.isfinite(low) and math.isfinite(high)
        why = "" if bounded else found.why[k] or "no limits: too few events"
        estimate = Estimate(
            metric=name,
            population=f"{cells.groups[i]} {found.scale} {cells.groups[j]}",
            value=value if math.isfinite(value) else None,
            low=min(low, value) if bounded else None,
            high=max(high, value) if bounded else None,
            level=level,
            n=min(n[i], n[j]),
            unit=cells.unit,
            method=composite + found.methods[k],
            source="tally",
            note="; ".join(part for part in (why, f"{n[i]} against {n[j]}") if part),
        )
        first, second = cells.groups[i], cells.groups[j]
        made.append(
            Gap(metric=name, scale=found.scale, first=first, second=second, estimate=estimate)
        )
    return made


def judged_gaps(
    gaps: Sequence[Gap], margins: Mapping[str, Margin], *, minimum_n: int, suffix: str = ""
) -> tuple[Gap, ...]:
    """Return the gaps with the verdict that their margin earns, where one was set."""
    made = []
    for gap in gaps:
        margin = margins.get(gap.metric.removesuffix(suffix))
        criterion = _criterion(gap, margin, minimum_n=minimum_n)
        made.append(
            Gap(
                metric=gap.metric,
                scale=gap.scale,
                first=gap.first,
                second=gap.second,
                estimate=gap.estimate,
                criterion=criterion,
                judgement=None if criterion is None else judge(criterion, gap.estimate),
            )
        )
    return tuple(made)


def _criterion(gap: Gap, margin: Margin | None, *, minimum_n: int) -> Criterion | None:
    if margin is None:
        return None
    limit = margin.difference if gap.scale == DIFFERENCE else margin.ratio
    if limit is None:
        return None
    low, high = (-limit, limit) if gap.scale == DIFFERENCE else (limit, 1 / limit)
    return Criterion(
        id=f"margin: {gap.metric} {gap.estimate.population}",
        metric=gap.metric,
        population=gap.estimate.population,
        direction="within",
        low=low,
        high=high,
        reading="margin",
        margin=0.0,
        minimum_n=minimum_n,
    )


def unpaired(
    frame: FairnessFrame,
    margins: Mapping[str, Margin],
    *,
    level: float,
    minimum_n: int,
    suffix: str = "",
) -> tuple[Gap, ...]:
    """Return, for each margin without a gap to judge, one that is undefined and says why (P8)."""
    cells = frame.cells
    why = f"one group only, {cells.groups[0]}," if cells.groups else "nobody,"
    there = {(gap.metric, gap.scale) for gap in frame.gaps}
    made = [
        Gap(
            metric=name + suffix,
            scale=scale,
            first=NO_GROUP,
            second=NO_GROUP,
            estimate=undefined(
                metric=name + suffix,
                population=f"{' & '.join(cells.attributes)}: one group {scale} another",
                note=f"{why} so there is no gap",
                level=level,
                n=int(cells.subjects.sum()),
                unit=cells.unit,
                method="none",
                source="tally",
            ),
        )
        for name in margins
        for scale in (DIFFERENCE, RATIO)
        if (name + suffix, scale) not in there
    ]
    found = judged_gaps(made, margins, minimum_n=minimum_n, suffix=suffix)
    return tuple(gap for gap in found if gap.judgement is not None)


def margin_text(margin: Margin) -> str:
    """Return a margin in words."""
    parts = []
    if margin.difference is not None:
        parts.append(f"at most {decimal_text(margin.difference, digits=6)} apart")
    if margin.ratio is not None:
        parts.append(f"a ratio of at least {decimal_text(margin.ratio, digits=6)}")
    return " and ".join(parts)


def _units(cells: GroupCells, metric: CountMetric) -> list[int]:
    return subjects_behind(cells, metric) if cells.repeats else denominators(cells, metric)


def _number(estimate: Estimate) -> float:
    return float("nan") if estimate.value is None else estimate.value


def _method(method: str) -> str:
    if method not in ("between_groups", "to_overall"):
        raise _malformed(f"unknown method {method!r}: between_groups or to_overall")
    return method


def _malformed(fault: str) -> ProtocolMalformed:
    return ProtocolMalformed(fault, next_step="Correct the protocol before it is frozen.")
