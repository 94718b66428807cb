"""Intervals from few origins: what a block is, when there is none, how often it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.forecasting.block_jackknife import blocks_of, estimate_of, jackknife, t_quantile
from audits.forecasting.forecast_metrics import forecast_estimates, metric_value
from tests.unit.audits.forecasting.panels import errors_of, simulated_errors


def _grid(origins: int, horizon: int, step: int) -> list[list[int]]:
    cells = np.ones((1, origins, horizon))
    blocks = blocks_of(errors_of(cells, cells, step=step))
    labels = np.full((origins, horizon), -1)
    for index, mask in enumerate(blocks.masks):
        assert (labels[mask] == -1).all()
        labels[mask] = index
    return labels.tolist()  # type: ignore[no-any-return]


def test_origins_a_horizon_apart_are_the_blocks() -> None:
    cells = np.ones((2, 3, 4))
    blocks = blocks_of(errors_of(cells, cells, step=6))
    assert (blocks.unit, blocks.count) == ("origin", 3)
    assert _grid(3, 4, 6) == [[0] * 4, [1] * 4, [2] * 4]


def test_overlapping_origins_are_cut_by_calendar_time() -> None:
    # Origins 1 month apart, 3 steps: months 0..6 make two blocks of three, the seventh joins.
    assert _grid(5, 3, 1) == [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1]]
    cells = np.ones((2, 5, 3))
    assert blocks_of(errors_of(cells, cells, step=1)).unit == "block of 3 months"


def test_standard_error_of_a_mean_is_the_textbook_one() -> None:
    """For a mean of equal blocks the jackknife is exact: se = sd / sqrt(q)."""
    values = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    cells = np.repeat(values[None, :, None], 12, axis=2)
    blocks = blocks_of(errors_of(cells, cells))
    knife = jackknife(lambda mask: float(cells[0][mask].mean()), blocks)
    assert knife.value == 4.0
    assert knife.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(5), rel=1e-12)
    estimate = estimate_of(
        knife,
        blocks,
        metric="m",
        population="all",
        level=0.95,
        bounds=(-math.inf, math.inf),
        note="",
    )
    assert estimate.high == pytest.approx(4.0 + 3.182446305 * values.std(ddof=1) / math.sqrt(5))


@pytest.mark.parametrize(("blocks", "quantile"), [(3, 12.7062047), (5, 3.1824463), (12, 2.2281389)])
def test_student_quantiles_are_those_of_the_tables(blocks: int, quantile: float) -> None:
    assert t_quantile(0.95, blocks) == pytest.approx(quantile, abs=1e-6)


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("origins", [1, 2])
def test_two_origins_give_a_value_without_interval(origins: int) -> None:
    rng = np.random.default_rng(3)
    cells = rng.uniform(50, 100, size=(4, origins, 12))
    (estimate,) = forecast_estimates(errors_of(cells, cells + 5), metrics=["wape"])
    assert estimate.value is not None
    assert estimate.low is None
    assert f"from {origins} of the 3 blocks" in estimate.note


@pytest.mark.requirement("P8")
def test_blocks_that_do_not_differ_give_no_false_certainty() -> None:
    cells = np.full((4, 5, 12), 100.0)
    (estimate,) = forecast_estimates(errors_of(cells, cells + 5.0), metrics=["wape"])
    assert estimate.value == pytest.approx(0.05)
    assert (estimate.low, estimate.high) == (None, None)
    assert "do not differ" in estimate.note


@pytest.mark.parametrize(
    "rho", [0.3, 0.6, 0.85], ids=["weak", "middling", "strong autocorrelation"]
)
def test_interval_from_five_origins_covers_as_often_as_stated(rho: float) -> None:
    """Nominal .95; stated tolerance .88 to 1 (see the docstring: measured .90 to .99).

    400 runs: the standard error of a coverage of .92 is .014, so .88 is three of them below. A
    moving-block bootstrap of months covers .74 to .84 for the same errors and would fail.
    """
    runs = simulated_errors(np.random.default_rng(20260), repeats=400, rho=rho)
    everything = errors_of(
        np.concatenate([one.actual for one in runs]),
        np.concatenate([one.median for one in runs]),
        scale=np.concatenate([one.scale for one in runs]),
    )
    mask = np.ones((5, 12), dtype=np.bool_)
    for metric in ("wape", "mase", "rmsse", "bias"):
        truth = metric_value(everything, metric, mask)
        assert truth is not None
        covered = [
            estimate.low <= truth <= estimate.high
            for one in runs
            for estimate in forecast_estimates(one, metrics=[metric])
            if estimate.low is not None and estimate.high is not None
        ]
        assert len(covered) == 400
        assert np.mean(covered) >= 0.88, metric


def test_interval_of_overlapping_origins_is_not_narrower_for_counting_months_twice() -> None:
    """Monthly origins add nearly no information; the mean half-width must not shrink with them."""
    rng = np.random.default_rng(5)
    dense, sparse = [], []
    for _ in range(60):
        path = np.cumsum(rng.standard_normal(72)) * 3 + 200
        for step, found in ((1, dense), (12, sparse)):
            starts = range(0, 49, step)
            actual = np.stack([path[t : t + 12] for t in starts])[None]
            errors = errors_of(actual, np.full_like(actual, 200.0), step=step)
            (estimate,) = forecast_estimates(errors, metrics=["wape"])
            assert estimate.n == 5
            assert estimate.low is not None
            assert estimate.high is not None
            found.append(estimate.high - estimate.low)
    assert np.mean(dense) > 0.6 * np.mean(sparse)
