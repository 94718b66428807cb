"""Average precision: scikit-learn's value, an influence that is a derivative, its prevalence."""

from __future__ import annotations

import numpy as np
import pytest

from audits.performance.precision_recall import (
    average_precision,
    average_precision_influence,
    curve_of,
)
from audits.performance.rows import Rows
from tests.unit.audits.performance.samples import World, rows


def _tied(seed: int) -> Rows:
    drawn = World().draw(np.random.default_rng(seed), subjects=120)
    return drawn.with_score(drawn.score.round(2))


def test_value_is_scikit_learns_with_ties() -> None:
    from sklearn.metrics import average_precision_score

    tied = _tied(2)
    expected = average_precision_score(tied.label, tied.score)
    assert average_precision(tied, level=0.95).value == pytest.approx(expected, abs=1e-9)


def test_influence_is_the_derivative_by_the_weight_of_a_row() -> None:
    from sklearn.metrics import average_precision_score

    tied, step = _tied(3), 1e-6
    value, influence = average_precision_influence(tied)
    assert influence.sum() == pytest.approx(0.0, abs=1e-12)
    for row in range(0, tied.n, 7):
        weight = np.ones(tied.n)
        weight[row] += step
        up = average_precision_score(tied.label, tied.score, sample_weight=weight)
        weight[row] -= 2 * step
        down = average_precision_score(tied.label, tied.score, sample_weight=weight)
        assert influence[row] == pytest.approx((up - down) / (2 * step), abs=1e-8)
    assert 0 < value < 1


def test_prevalence_stands_beside_the_value() -> None:
    found = average_precision(rows([1] * 20 + [0] * 60, np.tile([0.1, 0.4], 40)), level=0.95)
    assert "chance level 0.25" in found.note


def test_curve_is_scikit_learns() -> None:
    from sklearn.metrics import precision_recall_curve

    tied = _tied(4)
    precision, recall, threshold = precision_recall_curve(tied.label, tied.score)
    ours = curve_of(tied)
    np.testing.assert_allclose(ours.threshold[::-1], threshold)
    np.testing.assert_allclose(ours.precision[::-1], precision[:-1], atol=1e-12)
    np.testing.assert_allclose(ours.recall[::-1], recall[:-1], atol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_undefined(label: int) -> None:
    assert average_precision(rows([label] * 30, np.arange(30)), level=0.95).value is None


def test_nine_events_give_no_interval() -> None:
    found = average_precision(rows([1] * 9 + [0] * 90, np.arange(99) % 7), level=0.95)
    assert found.value is not None
    assert found.low is None


def test_a_perfect_order_gives_no_degenerate_interval() -> None:
    found = average_precision(rows([1] * 20 + [0] * 20, np.arange(40)[::-1]), level=0.95)
    assert found.value == 1.0
    assert found.low is None
    assert "no limit" in found.note


def test_repeating_every_row_six_times_does_not_narrow_the_interval() -> None:
    once = _tied(5)
    six = rows(np.repeat(once.label, 6), np.repeat(once.score, 6), np.repeat(once.identity, 6))
    one, many = average_precision(once, level=0.95), average_precision(six, level=0.95)
    assert (many.low, many.high) == (
        pytest.approx(one.low, abs=1e-9),
        pytest.approx(one.high, abs=1e-9),
    )
