"""Comparison of groups of series: every group with its n, every pair with simultaneous limits.

Definition: each metric is estimated in each group on the same origins; for every pair of groups the
    difference (first minus second, in alphabetical order) is estimated with limits that hold for
    all pairs of a metric at once.
Formula: psi(k, b) is the jackknife influence of block b on difference k (see `block_jackknife`),
    se(k)^2 = sum over b of psi(k, b)^2. In each replicate q - 1 independent vectors y(j), one entry
    a pair, are drawn with the joint normal distribution N(0, Psi' Psi), as sums of the influences
    with standard normal weights; T = max over k of sqrt(q - 1) |mean y(k)| / sd y(k). The limits of
    difference k are its value -/+ the `level` quantile of T times se(k). Every pair has its own
    standard deviation in T as in life; one pair alone gets the t quantile with q - 2 degrees.
Source: Hothorn, Bretz and Westfall (2008), Biometrical Journal 50(3), 346-363, section 3 (max-t);
    Romano and Wolf (2005), Journal of the American Statistical Association 100, 94-108, section 4
    (studentised maxima from shared resamples).
Assumptions: as in `block_jackknife`; a block keeps all groups together, so their dependence counts.
Failure modes: limits are simultaneous within a metric, not over metrics. With five blocks only
    large differences can be shown; an interval that holds zero is not evidence of equality. A group
    whose metric is undefined is listed with its reason and so are its pairs (P8). Where four alike
    groups were compared on five origins, some 95 % interval missed zero in 4 to 8 % of simulations.
Cost: (blocks + 1) evaluations a group and metric; replicates x pairs x blocks^2 multiplications.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import RECORD_DIGITS, Estimate, Json, decimal_text, undefined
from audits.forecasting.block_jackknife import MINIMUM_BLOCKS, Blocks, Jackknife, blocks_of
from audits.forecasting.forecast_metrics import (
    DEFAULT_LEVEL,
    describe,
    forecast_estimates,
    metric_jackknife,
    why_undefined,
)
from audits.forecasting.rolling_origin import RollingErrors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

UNGROUPED = "(no group)"
METHOD = "block jackknife, simulated max-t(q-2), v1"
MINIMUM_REPLICATES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupComparison:
    """Estimates by group, differences of every pair, and each metric's critical value."""

    groups: Mapping[str, tuple[str, ...]]
    estimates: tuple[Estimate, ...]
    differences: tuple[Estimate, ...]
    critical: Mapping[str, float | None]

    def as_record(self) -> dict[str, Json]:
        """Return the comparison in the JSON domain."""
        return {
            "kind": "comparison",
            "groups": {name: list(keys) for name, keys in self.groups.items()},
            "estimates": [one.as_record() for one in self.estimates],
            "differences": [one.as_record() for one in self.differences],
            "critical": {
                name: None if x is None else decimal_text(x, digits=RECORD_DIGITS)
                for name, x in self.critical.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSubgroup:
    """There is nothing to compare, and why: shown in the report, never left out (P8)."""

    reason: str

    def as_record(self) -> dict[str, Json]:
        """Return the absence in the JSON domain."""
        return {"kind": "no_subgroup", "reason": self.reason}


def compare_groups(
    errors: RollingErrors,
    *,
    metrics: Sequence[str],
    replicates: int,
    rng: np.random.Generator,
    baseline: RollingErrors | None = None,
    level: float = DEFAULT_LEVEL,
) -> GroupComparison | NoSubgroup:
    """Return each group's estimates and all pairwise differences, or why there are none.

    Series without a group form a group of their own where others have one.
    """
    members = _members(errors)
    if len(members) < 2:
        name = next(iter(members))
        what = "no series has a group" if name == UNGROUPED else f"every series is in {name!r}"
        return NoSubgroup(reason=f"{what}: a comparison of groups needs two")
    if replicates < MINIMUM_REPLICATES:
        raise ProtocolMalformed(
            f"{replicates} replicates do not fix a simultaneous limit",
            next_step=f"Use at least {MINIMUM_REPLICATES}.",
        )
    parts = {
        name: (
            errors.select(series=rows),
            None if baseline is None else baseline.select(series=rows),
        )
        for name, rows in members.items()
    }
    blocks = blocks_of(errors)
    weights = _weights(blocks, replicates=replicates, rng=rng)
    differences: list[Estimate] = []
    critical: dict[str, float | None] = {}
    for metric in metrics:
        found, critical[metric] = _differences(parts, metric, blocks, weights, level)
        differences.extend(found)
    return GroupComparison(
        groups={name: tuple(errors.keys[s] for s in rows) for name, rows in members.items()},
        estimates=tuple(
            one
            for name, (ours, theirs) in parts.items()
            for one in forecast_estimates(
                ours, metrics=metrics, baseline=theirs, population=name, level=level
            )
        ),
        differences=tuple(differences),
        critical=critical,
    )


_Parts: TypeAlias = Mapping[str, tuple[RollingErrors, RollingErrors | None]]


def _members(errors: RollingErrors) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for s, group in enumerate(errors.groups):
        found.setdefault(UNGROUPED if group is None else group, []).append(s)
    return {name: found[name] for name in sorted(found)}


def _weights(blocks: Blocks, *, replicates: int, rng: np.random.Generator) -> Floats | None:
    """Return normal weights (replicate, blocks - 1, blocks) for all pairs; None if too few."""
    if blocks.count < MINIMUM_BLOCKS:
        return None
    return rng.standard_normal((replicates, blocks.count - 1, blocks.count))


def _differences(
    parts: _Parts, metric: str, blocks: Blocks, weights: Floats | None, level: float
) -> tuple[list[Estimate], float | None]:
    knives = {
        name: metric_jackknife(ours, metric, baseline=theirs, blocks=blocks)
        for name, (ours, theirs) in parts.items()
    }
    pairs = {
        (first, second): _minus(knives[first], knives[second])
        for first, second in combinations(knives, 2)
    }
    critical = _critical(list(pairs.values()), weights, level)
    notes = {
        name: why_undefined(ours, metric, baseline=theirs) for name, (ours, theirs) in parts.items()
    }
    sizes = {name: describe(ours) for name, (ours, _) in parts.items()}
    estimates = []
    for (first, second), knife in pairs.items():
        reasons = [f"{name}: {notes[name]}" for name in (first, second) if notes[name]]
        note = "; ".join(reasons) or f"{sizes[first]} against {sizes[second]}"
        estimates.append(
            _difference(
                knife,
                blocks,
                metric=metric,
                population=f"{first} minus {second}",
                level=level,
                critical=critical,
                note=note,
            )
        )
    return estimates, critical


def _minus(first: Jackknife, second: Jackknife) -> Jackknife:
    if first.value is None or second.value is None:
        return Jackknife(value=None, influence=(), note="undefined in one of the groups")
    if not first.influence or not second.influence:
        return Jackknife(
            value=first.value - second.value, influence=(), note=first.note or second.note
        )
    return Jackknife(
        value=first.value - second.value,
        influence=tuple(a - b for a, b in zip(first.influence, second.influence, strict=True)),
    )


def _critical(pairs: list[Jackknife], weights: Floats | None, level: float) -> float | None:
    import numpy as np

    rows = [one.influence for one in pairs if one.standard_error is not None]
    if weights is None or not rows:
        return None
    drawn = weights @ np.array(rows).T
    scale = drawn.std(axis=1, ddof=1) / np.sqrt(drawn.shape[1])
    largest = (np.abs(drawn.mean(axis=1)) / scale).max(axis=1)
    return float(np.quantile(largest, level, method="higher"))


def _difference(
    knife: Jackknife,
    blocks: Blocks,
    *,
    metric: str,
    population: str,
    level: float,
    critical: float | None,
    note: str,
) -> Estimate:
    unit, n = blocks.unit, blocks.count
    if knife.value is None:
        return undefined(
            metric=metric,
            population=population,
            level=level,
            n=n,
            unit=unit,
            method=METHOD,
            note=note,
        )
    error = knife.standard_error
    reach = None if error is None or critical is None else critical * error
    if reach is None:
        note = f"{note}; {knife.note or 'no interval: the blocks do not differ'}"
    return Estimate(
        metric=metric,
        value=knife.value,
        low=None if reach is None else knife.value - reach,
        high=None if reach is None else knife.value + reach,
        level=level,
        n=n,
        unit=unit,
        method=METHOD,
        population=population,
        note=note,
    )
