"""Grids count exactly, by whichever path, and bound what they cannot see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import ks_2samp

from audits.drift.building import number_grid
from audits.drift.distances import ks_resolution, ks_statistic
from audits.drift.grid import BLOCK, Buckets, NumberGrid
from audits.errors import ReferenceMalformed, SampleMalformed

Draw = Callable[[np.random.Generator, int], np.ndarray]

SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "lognormal over many orders": lambda rng, n: rng.lognormal(0, 3, size=n),
    "Pareto without a mean": lambda rng, n: rng.pareto(0.5, size=n),
    "counts": lambda rng, n: rng.poisson(30, size=n).astype(float),
    "many zeros": lambda rng, n: np.where(rng.random(n) < 0.4, 0.0, rng.gamma(2, size=n)),
    "rounded": lambda rng, n: np.round(rng.normal(100, 15, size=n), 3),
    "narrow and far from zero": lambda rng, n: 2e9 + rng.random(n),
    "constant": lambda rng, n: 0 * rng.random(n) + 7.0,
    "with missing values": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
}
MOVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "alike": lambda x: x,
    "stretched": lambda x: x * 1.02,
    "moved away": lambda x: x + 5,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("move", MOVES)
def test_the_statistic_is_within_its_bound_of_the_exact_one(shape: str, move: str) -> None:
    rng = np.random.default_rng(11)
    reference, current = SHAPES[shape](rng, 40_000), MOVES[move](SHAPES[shape](rng, 60_000))
    grid = number_grid(reference)
    first, second = grid.tally(reference), grid.tally(current)
    exact = ks_2samp(
        reference[~np.isnan(reference)], current[~np.isnan(current)], method="asymp"
    ).statistic
    bound = ks_resolution(first.cells, second.cells, grid.single)
    assert bound <= 1e-4
    assert -1e-12 <= exact - ks_statistic(first.cells, second.cells) <= bound + 1e-12


@pytest.mark.parametrize("shape", SHAPES)
def test_buckets_sorting_and_comparing_count_alike(shape: str) -> None:
    rng = np.random.default_rng(12)
    grid = number_grid(SHAPES[shape](rng, 20_000))
    current = SHAPES[shape](rng, BLOCK + 777)
    by_buckets, by_sorting = grid.tally(current), NumberGrid(edges=grid.edges).tally(current)
    codes = grid.codes(current)
    by_comparing = np.bincount(codes[codes >= 0], minlength=grid.cells)
    assert (by_buckets.cells == by_sorting.cells).all()
    assert (by_buckets.cells == by_comparing).all()
    assert by_buckets.missing == by_sorting.missing == int(np.isnan(current).sum())
    assert (by_buckets.lowest, by_buckets.highest) == (by_sorting.lowest, by_sorting.highest)
    assert by_buckets.rows == current.size


@pytest.mark.parametrize("shape", ["normal", "Cauchy", "lognormal", "counts", "many zeros"])
def test_common_shapes_are_counted_by_buckets(shape: str) -> None:
    assert number_grid(SHAPES[shape](np.random.default_rng(1), 100_000)).buckets is not None


def test_values_on_either_side_of_an_edge_are_told_apart() -> None:
    grid = number_grid(np.random.default_rng(2).normal(size=100_000))
    below = np.nextafter(grid.edges, -np.inf)
    tallied = grid.tally(np.concatenate((grid.edges, below)))
    sorted_ = NumberGrid(edges=grid.edges).tally(np.concatenate((grid.edges, below)))
    assert (tallied.cells == sorted_.cells).all()
    assert tallied.cells[1:].min() >= 1


def test_counts_of_blocks_add_to_the_counts_of_all() -> None:
    rng = np.random.default_rng(3)
    grid = number_grid(rng.normal(size=10_000))
    rows = rng.normal(size=5000) * 9
    halves = grid.tally(rows[:1234]).merge(grid.tally(rows[1234:]))
    whole = grid.tally_blocks(iter([rows[:7], rows[7:]]))
    assert (halves.cells == whole.cells).all()
    assert (halves.lowest, halves.highest) == (rows.min(), rows.max())


def test_a_negative_zero_is_zero() -> None:
    grid = number_grid(np.array([-0.0, 0.0, 1.0]))
    assert grid.tally(np.array([0.0, -0.0])).cells.tolist() == [0, 2, 0, 0, 0]


def test_the_reference_is_left_as_it_was() -> None:
    rows = np.random.default_rng(4).normal(size=6000)
    before = rows.copy()
    number_grid(rows).tally(rows)
    assert (rows == before).all()


def test_a_grid_of_two_columns_does_not_add() -> None:
    first, second = (number_grid(np.arange(float(n))) for n in (5, 6))
    with pytest.raises(ReferenceMalformed, match="do not add"):
        first.tally(np.arange(3.0)).merge(second.tally(np.arange(3.0)))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_refused(value: float) -> None:
    with pytest.raises(SampleMalformed, match="infinite"):
        number_grid(np.array([1.0, value]))
    with pytest.raises(SampleMalformed, match="infinite"):
        number_grid(np.arange(9.0)).tally(np.array([1.0, value, np.nan]))


def test_a_column_without_a_value_has_no_grid() -> None:
    with pytest.raises(ReferenceMalformed, match="no value"):
        number_grid(np.array([np.nan]))


@pytest.mark.parametrize("edges", [[], [1.0, 1.0], [2.0, 1.0], [np.nan], [np.inf]])
def test_edges_that_do_not_rise_are_refused(edges: list[float]) -> None:
    with pytest.raises(ReferenceMalformed):
        NumberGrid(edges=np.array(edges))


def test_an_edge_that_splits_a_bucket_is_refused() -> None:
    grid = number_grid(np.random.default_rng(5).normal(size=100_000))
    middle = float(grid.edges[grid.edges.size // 2])
    edges = np.sort(np.append(grid.edges, np.nextafter(middle, np.inf) + 1e-9))
    with pytest.raises(ReferenceMalformed, match="splits a bucket"):
        NumberGrid(edges=edges, buckets=grid.buckets).check()


@pytest.mark.parametrize(("scale", "count"), [(0.0, 9), (-1.0, 9), (np.inf, 9), (1.0, 0)])
def test_buckets_without_width_or_number_are_refused(scale: float, count: int) -> None:
    with pytest.raises(ReferenceMalformed):
        Buckets(origin=0.0, scale=scale, count=count)
