"""Intervals hold the truth as often as they say, or are not given: simulation on a grid.

Short: two worlds, subjects with one row and with six, seeded; a miss rate that would be seen by
chance in one of a thousand such tests fails. Long (campaign): the whole grid, 1,000 runs a cell, at
least 93 of a hundred 95 % intervals hold the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from audits.estimate import Estimate
from audits.performance.brier import brier
from audits.performance.calibration_curve import calibration, flexible_curve
from audits.performance.decision_curve import net_benefit
from audits.performance.ece import ece
from audits.performance.precision_recall import average_precision
from audits.performance.ranking import bedroc, enrichment
from audits.performance.roc import auroc, auroc_difference
from audits.performance.rows import Rows
from audits.performance.thresholds import at_threshold, sensitivity_at_specificity
from tests.unit.audits.performance.samples import World

LEVEL = 0.95
SPREAD = 1.8
GIVEN = 0.5
"""A cell counts where at least this share of its runs gives the interval: where it is rarely given,
those that are given come from unlike samples."""


def direct(drawn: Rows, rng: np.random.Generator) -> Iterator[Estimate]:
    rival = drawn.score + 0.1 * np.sin(50 * drawn.score)
    yield auroc(drawn, level=LEVEL)
    yield auroc_difference(drawn, other=rival, level=LEVEL)
    yield average_precision(drawn, level=LEVEL)
    yield from brier(drawn, level=LEVEL)
    yield from net_benefit(drawn, threshold=0.2, level=LEVEL)
    yield from calibration(drawn, level=LEVEL)
    yield from at_threshold(drawn, threshold=0.3, level=LEVEL)
    yield from (one for one in ece(drawn, bins=5, level=LEVEL, rng=rng) if one.low is not None)


def resampled(drawn: Rows, *, replicates: int) -> Iterator[Estimate]:
    draw = {"level": LEVEL, "replicates": replicates, "seed": 1}
    yield sensitivity_at_specificity(drawn, specificity=0.9, **draw)
    yield from bedroc(drawn, alpha=20.0, **draw)
    yield enrichment(drawn, share=0.1, **draw)


@cache
def truth(world: World, *, resample: bool) -> dict[str, float]:
    """Return each measure's value in so many independent subjects that its own error is small."""
    rng = np.random.default_rng(99)
    big = world.draw(rng, subjects=200_000 if not resample else 100_000)
    made = list(resampled(big, replicates=20)) if resample else list(direct(big, rng))
    found = {one.metric: one.value for one in made if one.value is not None}
    exact = {"calibration_in_the_large": 0.0, "calibration_intercept": 0.0}
    exact |= {"calibration_slope": 1.0, "observed_expected_ratio": 1.0}
    # calibrated by construction: no bin is off
    exact |= {"ece": 0.0, "calibration_rms_debiased": 0.0}
    return {name: exact.get(name, value) for name, value in found.items()}


def coverage(
    world: World, *, subjects: int, rows_each: int, runs: int, resample: bool, seed: int
) -> dict[str, tuple[int, int]]:
    """Return by metric how many intervals held the truth, of how many given."""
    rng = np.random.default_rng(seed)
    known = truth(world, resample=resample)
    held: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for _ in range(runs):
        drawn = world.draw(rng, subjects=subjects, rows_each=rows_each)
        made = resampled(drawn, replicates=200) if resample else direct(drawn, rng)
        for one in made:
            if one.low is not None and one.high is not None and one.metric in known:
                given[one.metric] += 1
                held[one.metric] += one.low <= known[one.metric] <= one.high
    return {name: (held[name], given[name]) for name in given}


def check(found: dict[str, tuple[int, int]], *, runs: int, slack: float) -> None:
    from scipy.stats import binom

    low = {
        name: pair
        for name, pair in found.items()
        if pair[1] >= GIVEN * runs and pair[0] < binom.ppf(slack, pair[1], LEVEL - 0.02)
    }
    assert not low, low
    assert found, "no interval was given at all"


SHORT = [(-1.0, 120, 1), (-1.0, 50, 6)]


@pytest.mark.parametrize(("centre", "subjects", "rows_each"), SHORT)
def test_intervals_hold_the_truth(centre: float, subjects: int, rows_each: int) -> None:
    world = World(centre=centre, spread=SPREAD)
    runs = 120
    found = coverage(
        world, subjects=subjects, rows_each=rows_each, runs=runs, resample=False, seed=11
    )
    assert found["auroc"][1] == runs
    check(found, runs=runs, slack=0.001)


@pytest.mark.parametrize(("centre", "subjects", "rows_each"), [(-2.0, 250, 1), (-2.0, 210, 6)])
def test_resampled_intervals_hold_the_truth(centre: float, subjects: int, rows_each: int) -> None:
    world = World(centre=centre, spread=SPREAD)
    runs = 40
    found = coverage(
        world, subjects=subjects, rows_each=rows_each, runs=runs, resample=True, seed=12
    )
    assert len(found) == 4
    check(found, runs=runs, slack=0.001)


def test_rows_taken_for_independent_would_not_hold_it() -> None:
    # the check can fail: the same rows, six a subject, as if each were a subject of its own
    world = World(centre=-1.0, spread=SPREAD)
    known, rng, held = truth(world, resample=False)["brier"], np.random.default_rng(13), 0
    for _ in range(120):
        drawn = world.draw(rng, subjects=50, rows_each=6)
        apart = Rows(label=drawn.label, score=drawn.score, identity=np.arange(drawn.n))
        one = brier(apart, level=LEVEL)[0]
        held += one.low <= known <= one.high
    assert held < 0.88 * 120


def test_few_events_are_told_and_not_covered_up() -> None:
    drawn = World(centre=-3.5).draw(np.random.default_rng(14), subjects=60)
    assert drawn.rarer < 5
    made = direct(drawn, np.random.default_rng(1))
    shares = ("sensitivity", "specificity", "ppv", "npv", "acted_on")
    rest = [one for one in made if one.metric.split("@")[0] not in shares]
    assert {one.low for one in rest} == {None}
    assert all(one.note for one in rest)


def test_band_of_the_curve_holds_the_diagonal_point_by_point() -> None:
    world, rng = World(centre=-0.5, spread=SPREAD), np.random.default_rng(15)
    held = []
    for _ in range(80):
        curve = flexible_curve(world.draw(rng, subjects=60, rows_each=6), level=LEVEL, points=9)
        assert not isinstance(curve, str)
        held.append((curve.low <= curve.stated) & (curve.stated <= curve.high))
    assert np.mean(held) > 0.9


GRID = [
    (centre, subjects, rows_each)
    for centre in (0.0, -1.0, -2.5)
    for subjects, rows_each in ((30, 1), (60, 1), (200, 1), (1000, 1), (40, 6), (100, 6), (300, 6))
]


@pytest.mark.campaign
@pytest.mark.parametrize("resample", [False, True], ids=["direct", "resampled"])
@pytest.mark.parametrize(("centre", "subjects", "rows_each"), GRID)
def test_intervals_hold_the_truth_on_the_whole_grid(
    centre: float, subjects: int, rows_each: int, resample: bool
) -> None:
    world = World(centre=centre, spread=SPREAD)
    runs = 400 if resample else 1000
    found = coverage(
        world, subjects=subjects, rows_each=rows_each, runs=runs, resample=resample, seed=16
    )
    print(centre, subjects, rows_each, found)
    if found:
        check(found, runs=runs, slack=0.005)
