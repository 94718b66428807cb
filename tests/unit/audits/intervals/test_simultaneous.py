"""Limits for many comparisons at once: they hold together, and undefined is never zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from audits.errors import IntervalMalformed
from audits.intervals.simultaneous import (
    MAX_T,
    NONE,
    SIDAK,
    bonferroni_level,
    max_t,
    sidak_level,
    simultaneous_limits,
)


def normal(rng: np.random.Generator, replicates: int = 4000, k: int = 3) -> np.ndarray:
    return rng.normal(size=(replicates, k))


@pytest.mark.parametrize(
    ("point", "replicates"),
    [
        (np.zeros(2), np.zeros((500, 3))),
        (np.zeros(0), np.zeros((500, 0))),
        (np.zeros((2, 1)), np.zeros((500, 2, 1))),
        (np.zeros(2), np.zeros((199, 2))),
    ],
    ids=["widths differ", "nothing to compare", "not a row", "too few replicates"],
)
def test_replicates_that_do_not_fit_are_refused(point: np.ndarray, replicates: np.ndarray) -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        max_t(point, replicates, level=0.95)
    assert refusal.value.next_step


@pytest.mark.parametrize("rule", [sidak_level, bonferroni_level])
def test_no_comparison_has_no_level(rule: object) -> None:
    with pytest.raises(IntervalMalformed):
        rule(0.95, 0)  # type: ignore[operator]


def test_adjusted_levels() -> None:
    assert sidak_level(0.95, 1) == pytest.approx(0.95)
    assert sidak_level(0.95, 10) ** 10 == pytest.approx(0.95)
    assert bonferroni_level(0.95, 10) == pytest.approx(0.995)
    assert bonferroni_level(0.95, 10) > sidak_level(0.95, 10)


def test_one_comparison_gets_the_normal_quantile() -> None:
    found = max_t(np.array([2.0]), 2.0 + normal(np.random.default_rng(1), 40_000, 1), level=0.95)
    assert found.critical == pytest.approx(1.96, abs=0.03)
    assert (found.low[0], found.high[0]) == pytest.approx((0.04, 3.96), abs=0.05)


def test_independent_comparisons_get_the_level_of_sidak() -> None:
    found = max_t(np.zeros(8), normal(np.random.default_rng(2), 40_000, 8), level=0.9)
    expected = stats.norm.ppf((1 + sidak_level(0.9, 8)) / 2)
    assert found.critical == pytest.approx(expected, abs=0.03)


def test_comparisons_that_move_together_cost_nothing() -> None:
    one = normal(np.random.default_rng(3), 40_000, 1)
    found = max_t(np.zeros(8), np.hstack([one * s for s in range(1, 9)]), level=0.95)
    assert found.critical == pytest.approx(1.96, abs=0.03)
    assert found.high / found.high[0] == pytest.approx(np.arange(1, 9), rel=1e-9)


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_what_is_undefined_stays_undefined_and_moves_nothing_else(bad: float) -> None:
    replicates = normal(np.random.default_rng(4))
    clean = max_t(np.zeros(2), replicates[:, :2], level=0.95)
    replicates[7, 2] = bad
    for point in (0.0, bad):
        found = max_t(np.array([0.0, 0.0, point]), replicates, level=0.95)
        assert np.isnan([found.low[2], found.high[2]]).all()
        assert "undefined" in found.notes[2]
        assert found.methods == (MAX_T, MAX_T, NONE)
        assert found.critical == clean.critical
        assert found.low[:2].tolist() == clean.low.tolist()


@pytest.mark.requirement("P8")
def test_resamples_that_do_not_differ_are_no_certainty() -> None:
    replicates = normal(np.random.default_rng(5))
    replicates[:, 1] = 0.25
    found = max_t(np.array([0.0, 0.25, 0.0]), replicates, level=0.95)
    assert np.isnan(found.low[1])
    assert "do not differ" in found.notes[1]


def test_nothing_that_can_be_read_leaves_no_critical_value() -> None:
    found = max_t(np.full(2, np.nan), np.full((300, 2), np.nan), level=0.95)
    assert math.isnan(found.critical)
    assert all(found.notes)


def test_few_units_widen_their_comparison_alone_and_too_few_end_it() -> None:
    replicates = normal(np.random.default_rng(6), 20_000, 3)
    found = max_t(np.zeros(3), replicates, level=0.95, units=np.array([10**6, 12, 9]))
    degrees = stats.norm.cdf(found.critical)
    assert found.high[0] == pytest.approx(found.critical * replicates[:, 0].std(), rel=1e-3)
    assert found.high[1] == pytest.approx(
        stats.t(11).ppf(degrees) * math.sqrt(12 / 11) * replicates[:, 1].std(), rel=1e-3
    )
    assert math.isnan(found.high[2])
    assert "fewer" in found.notes[2]


def test_the_fallback_serves_few_events_at_a_level_that_keeps_the_whole() -> None:
    replicates = normal(np.random.default_rng(7), 40_000, 4)
    asked: list[tuple[int, float]] = []

    def fallback(k: int, level: float) -> tuple[float, float] | None:
        asked.append((k, level))
        return None if k == 3 else (-9.0, 9.0)

    found = simultaneous_limits(
        np.zeros(4),
        replicates,
        level=0.95,
        few=np.array([False, False, True, True]),
        fallback=fallback,
    )
    assert asked == [(2, sidak_level(0.95, 4)), (3, sidak_level(0.95, 4))]
    assert found.methods == (MAX_T, MAX_T, SIDAK, NONE)
    assert (found.low[2], found.high[2], found.notes[2]) == (-9.0, 9.0, "")
    assert found.notes[3] == "too few events"
    pair = max_t(np.zeros(2), replicates[:, :2], level=math.sqrt(0.95))
    assert found.critical == pair.critical


def test_few_events_without_a_fallback_have_no_limits() -> None:
    replicates = normal(np.random.default_rng(8))
    found = simultaneous_limits(
        np.zeros(3), replicates, level=0.95, few=np.array([True, False, False])
    )
    assert math.isnan(found.low[0])
    assert found.notes == ("too few events", "", "")
    assert found.critical == max_t(np.zeros(2), replicates[:, 1:], level=0.95).critical


def test_all_truths_are_held_together_as_often_as_stated() -> None:
    """Four groups, six gaps, resampled by cell: any miss counts. 400 runs, 2.7 standard errors."""
    from itertools import combinations

    from audits.intervals.bootstrap import resample_cells

    rng = np.random.default_rng(9)
    truth, sizes = np.array([0.3, 0.4, 0.5, 0.5]), np.array([200, 300, 150, 400])
    pairs = np.array(list(combinations(range(4), 2)))
    held = 0
    for _ in range(400):
        x = rng.binomial(sizes, truth)
        cells = resample_cells(np.stack([x, sizes - x], axis=1), replicates=400, rng=rng)
        shares, drawn = x / sizes, cells[..., 0] / cells.sum(axis=-1)
        found = max_t(
            shares[pairs[:, 0]] - shares[pairs[:, 1]],
            drawn[:, pairs[:, 0]] - drawn[:, pairs[:, 1]],
            level=0.95,
        )
        gaps = truth[pairs[:, 0]] - truth[pairs[:, 1]]
        held += bool(((found.low <= gaps) & (gaps <= found.high)).all())
    assert 0.92 <= held / 400 <= 0.98
