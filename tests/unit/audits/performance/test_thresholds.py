"""Acting at a threshold: shares with honest limits, ratios, and a specificity that is fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.intervals.proportion import wilson
from audits.performance.thresholds import at_threshold, sensitivity_at_specificity
from tests.unit.audits.performance.samples import World, rows


def _named(found: Any) -> dict:
    return {one.metric.split("@")[0]: one for one in found}


def test_shares_are_those_of_the_confusion_matrix_with_wilsons_limits() -> None:
    # at 0.5: 30 of 40 positives acted on, 20 of 100 negatives
    label = [1] * 40 + [0] * 100
    score = [0.5] * 30 + [0.4] * 10 + [0.9] * 20 + [0.1] * 80
    found = _named(at_threshold(rows(label, score), threshold=0.5, level=0.95))
    assert found["sensitivity"].value == 30 / 40
    assert (found["sensitivity"].low, found["sensitivity"].high) == wilson(30, 40, level=0.95)
    assert found["specificity"].value == 80 / 100
    assert found["ppv"].value == 30 / 50
    assert found["npv"].value == 80 / 90
    assert found["acted_on"].value == 50 / 140
    assert found["lr_positive"].value == pytest.approx(3.75)
    assert found["lr_negative"].value == pytest.approx(0.25 / 0.8)
    assert [found[name].n for name in ("sensitivity", "specificity", "ppv")] == [40, 100, 50]


def test_likelihood_ratio_limits_are_simels_up_to_the_t_quantile() -> None:
    from scipy.stats import t

    label = [1] * 40 + [0] * 100
    score = [0.5] * 30 + [0.4] * 10 + [0.9] * 20 + [0.1] * 80
    found = _named(at_threshold(rows(label, score), threshold=0.5, level=0.95))["lr_positive"]
    variance = 1 / 30 - 1 / 40 + 1 / 20 - 1 / 100
    # our sum over subjects carries G/(G - 1)
    half = t.ppf(0.975, 39) * (variance * 140 / 139) ** 0.5
    assert np.log(found.high / found.value) == pytest.approx(half, abs=1e-12)


def test_nobody_acted_on_is_undefined_and_not_zero() -> None:
    found = _named(at_threshold(rows([1, 0] * 30, [0.2] * 60), threshold=0.5, level=0.95))
    assert found["ppv"].value is None
    assert found["lr_positive"].value is None
    assert found["sensitivity"].value == 0.0
    assert found["sensitivity"].high > 0.05


def test_one_class_leaves_its_share_undefined() -> None:
    found = _named(at_threshold(rows([0] * 30, [0.2] * 30), threshold=0.1, level=0.95))
    assert found["sensitivity"].value is None
    assert found["specificity"].value == 0.0


def test_limits_of_repeated_subjects_are_wider_than_those_of_as_many_subjects() -> None:
    drawn = World().draw(np.random.default_rng(1), subjects=60, rows_each=6)
    apart = rows(drawn.label, drawn.score)
    many = _named(at_threshold(drawn, threshold=0.3, level=0.95))
    alone = _named(at_threshold(apart, threshold=0.3, level=0.95))
    for name in ("sensitivity", "specificity", "acted_on"):
        assert many[name].value == alone[name].value
        assert many[name].high - many[name].low > 1.2 * (alone[name].high - alone[name].low)


def test_certainty_in_repeats_counts_subjects_and_not_rows() -> None:
    # twelve subjects, six rows each, all acted on rightly: twelve of twelve, not 72 of 72
    same = rows([1] * 72 + [0] * 72, [1.0] * 72 + [0.0] * 72, np.repeat(np.arange(24), 6))
    found = _named(at_threshold(same, threshold=0.5, level=0.95))["sensitivity"]
    assert found.value == 1.0
    assert found.low < wilson(12, 12, level=0.95)[0] + 1e-12
    assert found.n == 12


def test_few_repeated_subjects_give_no_interval() -> None:
    same = rows([1, 0] * 24, np.linspace(0, 1, 48), np.repeat(np.arange(8), 6))
    found = _named(at_threshold(same, threshold=0.5, level=0.95))["sensitivity"]
    assert found.low is None
    assert "8 subjects are fewer" in found.note


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.9, 0.95])
def test_sensitivity_at_fixed_specificity_is_the_best_point_of_scikit_learns_curve(
    specificity: float,
) -> None:
    from sklearn.metrics import roc_curve

    drawn = World().draw(np.random.default_rng(2), subjects=400)
    tied = drawn.with_score(drawn.score.round(2))
    fall, hit, _ = roc_curve(tied.label, tied.score, drop_intermediate=False)
    found = sensitivity_at_specificity(
        tied, specificity=specificity, level=0.95, replicates=200, seed=1
    )
    assert found.value == pytest.approx(hit[fall <= 1 - specificity + 1e-12].max(), abs=1e-12)
    assert found.low < found.value < found.high


def test_interval_at_fixed_specificity_holds_the_thresholds_own_uncertainty() -> None:
    # few negatives decide the threshold, many positives sit close around it
    rng = np.random.default_rng(3)
    label = np.arange(1030) >= 30
    score = np.where(label, rng.normal(0.8, 1, 1030), rng.normal(0, 1, 1030))
    drawn = rows(label, score)
    found = sensitivity_at_specificity(drawn, specificity=0.8, level=0.95, replicates=400, seed=1)
    fixed = wilson(round(found.value * 1000), 1000, level=0.95)
    assert found.high - found.low > 3 * (fixed[1] - fixed[0])


def test_fixed_specificity_repeats_itself_and_needs_negatives_beyond_it() -> None:
    drawn = World().draw(np.random.default_rng(4), subjects=60)
    again = [
        sensitivity_at_specificity(drawn, specificity=0.8, level=0.95, replicates=200, seed=7)
        for _ in range(2)
    ]
    assert again[0] == again[1]
    strict = sensitivity_at_specificity(drawn, specificity=0.99, level=0.95, replicates=200, seed=7)
    assert strict.low is None
    assert "beyond it" in strict.note


def test_fixed_specificity_of_one_class_is_undefined() -> None:
    found = sensitivity_at_specificity(
        rows([1] * 20, np.arange(20)), specificity=0.9, level=0.95, replicates=200, seed=1
    )
    assert found.value is None
