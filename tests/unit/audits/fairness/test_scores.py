"""Scores in groups: calibration, areas and errors of a dose, and their gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.fairness.scores import Scored, score_estimates, score_gaps, scored
from audits.intervals.simultaneous import sidak_level
from audits.sources.sample import Sample


def table(seed: int = 1, *, n: int = 900, rows: int = 1, groups: int = 3) -> Scored:
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 4, n)
    label = (rng.random(n) < score).astype(np.float64)
    group = (np.arange(n) // rows) % groups
    sample = Sample(subject=np.arange(n) // rows, label=label, score=score, unit="patient")
    names = tuple(f"g={g}" for g in range(groups))
    return scored(sample, score=score, groups=names, group=group)


def test_a_score_without_a_label_is_refused() -> None:
    sample = Sample(subject=np.arange(3), score=np.ones(3))
    with pytest.raises(SampleMalformed, match="compared with a label"):
        scored(sample, score=np.ones(3), groups=("g",), group=np.zeros(3, dtype=np.int64))


def test_rows_without_label_or_score_are_gone_and_groups_keep_their_place() -> None:
    score, label = np.array([0.1, np.nan, 0.3]), np.array([1.0, 0.0, np.nan])
    found = scored(
        Sample(subject=np.arange(3), label=label),
        score=score,
        groups=("g=0", "g=1"),
        group=np.array([0, 0, 1]),
    )
    assert found.rows.n == 1
    empty = score_estimates(found.of(1), metric="auroc", level=0.95, name="auroc")
    assert (empty.value, empty.n, empty.population) == (None, 0, "g=1")


def test_mean_errors_are_means_with_the_t_interval() -> None:
    right, dose = np.array([10.0] * 12), np.arange(12.0) + 6
    sample = Sample(subject=np.arange(12), label=right, unit="patient")
    found = scored(sample, score=dose, groups=("g",), group=np.zeros(12, dtype=np.int64))
    error = dose - right
    signed = score_estimates(found.of(0), metric="mean_error", level=0.95, name="e")
    absolute = score_estimates(found.of(0), metric="mean_absolute_error", level=0.95, name="a")
    assert (signed.value, absolute.value) == (error.mean(), abs(error).mean())
    reach = 2.200985 * error.std(ddof=1) / math.sqrt(12)  # t quantile of 11 degrees
    assert (signed.low, signed.high) == pytest.approx(
        (error.mean() - reach, error.mean() + reach), rel=1e-6
    )


def test_a_gap_squares_and_adds_the_groups_limits_at_the_level_of_all_pairs() -> None:
    found = table()
    pairs = ((0, 1), (0, 2), (1, 2))
    gaps = score_gaps(found, metric="auroc", pairs=pairs, level=0.95, name="auroc")
    each = sidak_level(0.95, 3)
    one, other = (
        score_estimates(found.of(g), metric="auroc", level=each, name="auroc") for g in (0, 1)
    )
    assert None not in (one.value, one.low, one.high, other.value, other.low, other.high)
    value = one.value - other.value  # type: ignore[operator]
    low = value - math.hypot(one.value - one.low, other.high - other.value)  # type: ignore[operator]
    assert gaps[0].value == pytest.approx(value)
    assert gaps[0].low == pytest.approx(low)
    assert [one.population for one in gaps] == ["g=0 minus g=1", "g=0 minus g=2", "g=1 minus g=2"]


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("metric", ["auroc", "calibration_slope", "observed_expected_ratio"])
def test_a_group_of_one_class_is_undefined_and_so_are_its_gaps(metric: str) -> None:
    found = table()
    label = found.rows.label.copy()
    label[found.group == 2] = False
    rows = type(found.rows)(
        label=label,
        score=found.rows.score,
        identity=found.rows.identity,
        unit=found.rows.unit,
    )
    one_class = Scored(rows=rows, right=found.right, group=found.group, groups=found.groups)
    gaps = score_gaps(one_class, metric=metric, pairs=((0, 1), (1, 2)), level=0.95, name=metric)
    assert gaps[0].low is not None
    assert gaps[1].value is None
    assert "g=2" in gaps[1].note


def test_a_subject_in_two_groups_takes_limits_that_need_no_independence() -> None:
    """A patient with rows in both groups ties their values together."""
    n = 600
    rng = np.random.default_rng(5)
    score = rng.beta(2, 4, n)
    label = (rng.random(n) < score).astype(np.float64)
    names, group = ("g=0", "g=1"), np.tile([0, 1], n // 2)
    together, apart = (
        scored(Sample(subject=subject, label=label), score=score, groups=names, group=group)
        for subject in (np.repeat(np.arange(n // 2), 2), np.arange(n))
    )
    assert together.shared
    assert not apart.shared
    widths = []
    for one in (together, apart):
        (gap,) = score_gaps(one, metric="brier", pairs=((0, 1),), level=0.95, name="brier")
        assert gap.low is not None
        assert gap.high is not None
        widths.append(gap.high - gap.low)
    assert widths[0] > 1.2 * widths[1]


def test_gaps_of_alike_groups_hold_zero_together() -> None:
    """Three alike groups, nominal .95, floor .93 less three standard errors of 120 runs."""
    held = 0
    for seed in range(120):
        gaps = score_gaps(
            table(seed, n=450),
            metric="observed_expected_ratio",
            pairs=((0, 1), (0, 2), (1, 2)),
            level=0.95,
            name="oe",
        )
        held += all(gap.low is None or gap.high is None or gap.low <= 0 <= gap.high for gap in gaps)
    assert held / 120 >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / 120)
