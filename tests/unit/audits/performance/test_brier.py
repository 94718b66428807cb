"""Brier score, its parts that add up, and the bins they rest on."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.brier import bins_of, brier, brier_parts
from tests.unit.audits.performance.samples import World, rows


def test_score_is_scikit_learns() -> None:
    from sklearn.metrics import brier_score_loss

    drawn = World().draw(np.random.default_rng(1), subjects=200)
    score, scaled = brier(drawn, level=0.95)
    expected = brier_score_loss(drawn.label, drawn.score)
    assert score.value == pytest.approx(expected, abs=1e-9)
    pi = drawn.label.mean()
    assert scaled.value == pytest.approx(1 - expected / (pi * (1 - pi)), abs=1e-9)


def test_hand_worked_score_and_parts() -> None:
    # (0.2, 0.2 | 0, 1) and (0.8, 0.8 | 1, 1): B = (.04 + .64 + .04 + .04)/4 = .19
    four = rows([0, 1, 1, 1], [0.2, 0.2, 0.8, 0.8])
    assert brier(four, level=0.95)[0].value == pytest.approx(0.19)
    parts = {one.metric: one.value for one in brier_parts(four, bins=2, level=0.95)}
    assert parts["brier_reliability"] == pytest.approx((0.3**2 + 0.2**2) / 2)
    assert parts["brier_resolution"] == pytest.approx(0.0625)
    assert parts["brier_uncertainty"] == pytest.approx(0.1875)
    assert parts["brier_within"] == pytest.approx(0.0)


@pytest.mark.parametrize("bins", [2, 10, 37])
def test_parts_add_up_to_the_score_whatever_the_bins(bins: int) -> None:
    drawn = World().draw(np.random.default_rng(2), subjects=311)
    reliability, resolution, uncertainty, within = (
        one.value for one in brier_parts(drawn, bins=bins, level=0.95)
    )
    total = brier(drawn, level=0.95)[0].value
    assert reliability - resolution + uncertainty + within == pytest.approx(total, abs=1e-12)
    assert all(one.low is None for one in brier_parts(drawn, bins=bins, level=0.95))


def test_scaled_score_moves_as_its_influence_says() -> None:
    drawn = World().draw(np.random.default_rng(3), subjects=300)
    found = brier(drawn, level=0.95)[1]
    values = []
    rng = np.random.default_rng(4)
    for _ in range(400):
        picked = rng.integers(0, 300, 300)
        values.append(brier(rows(drawn.label[picked], drawn.score[picked]), level=0.95)[1].value)
    assert np.std(values) == pytest.approx((found.high - found.low) / 2 / 1.98, rel=0.12)


def test_bins_hold_nearly_as_many_rows_and_never_part_one_score() -> None:
    score = np.concatenate((np.full(40, 0.1), np.linspace(0.2, 0.9, 60)))
    found = bins_of(rows([0, 1] * 50, score), bins=10)
    assert found.size.sum() == 100
    assert np.unique(found.bin[:40]).size == 1
    assert found.size[1:].max() <= 11


def test_a_constant_score_has_one_bin() -> None:
    assert bins_of(rows([0, 1] * 5, [0.5] * 10), bins=10).size.tolist() == [10]


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_a_score_that_is_no_probability_is_refused(score: float) -> None:
    with pytest.raises(SampleMalformed, match="probabilities"):
        brier(rows([0, 1], [0.5, score]), level=0.95)


def test_one_class_has_a_score_and_no_scaled_score() -> None:
    score, scaled = brier(rows([0] * 30, [0.1] * 30), level=0.95)
    assert score.value == pytest.approx(0.01)
    assert score.low is None
    assert scaled.value is None


def test_no_rows_are_undefined() -> None:
    empty = rows([], [])
    assert [one.value for one in brier(empty, level=0.95)] == [None, None]
    assert [one.value for one in brier_parts(empty, bins=5, level=0.95)] == [None] * 4
