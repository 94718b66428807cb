"""Global importance with limits by subject, and whether its order lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from audits.errors import ExplanationMalformed
from audits.explanation.contributions import Contributions
from audits.explanation.importance import mean_absolute, permutation, stability

DRAW: dict[str, Any] = {"level": 0.95, "replicates": 400, "seed": 5}


def found(values: np.ndarray) -> Contributions:
    return Contributions(
        features=tuple(f"f{k}" for k in range(values.shape[1])),
        baseline=0.0,
        values=values,
        logit=values.sum(axis=1),
        residual=0.0,
        method="test",
    )


def scales(*sizes: float, n: int, seed: int, each: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(n, len(sizes))), each, axis=0) * np.asarray(sizes)


def squared(label: np.ndarray, output: np.ndarray) -> np.ndarray:
    return (label - output) ** 2


def test_importance_is_the_mean_absolute_contribution() -> None:
    values = np.array([[1.0, -2.0], [-3.0, 0.0]])
    one, two = mean_absolute(found(values), subject=np.arange(2), **DRAW)
    assert (one.value, two.value) == (2.0, 1.0)
    assert one.metric == "importance@f0"
    assert one.low is None
    assert "units" in one.note


def test_limits_hold_the_truth_and_count_subjects() -> None:
    rng, held = np.random.default_rng(1), 0
    truth = np.sqrt(2 / np.pi)
    for _ in range(120):
        values = np.repeat(rng.normal(size=(40, 1)), 6, axis=0)
        one = mean_absolute(found(values), subject=np.repeat(np.arange(40), 6), **DRAW)[0]
        held += one.low <= truth <= one.high
        assert one.n == 40
    # 120 runs of 93 %: fewer than 102 is one chance in a thousand
    assert held >= 102


def test_six_copies_of_every_row_do_not_narrow_the_limits() -> None:
    once = mean_absolute(found(scales(1, 2, n=60, seed=2)), subject=np.arange(60), **DRAW)
    six = mean_absolute(
        found(scales(1, 2, n=60, seed=2, each=6)), subject=np.repeat(np.arange(60), 6), **DRAW
    )
    for one, many in zip(once, six, strict=True):
        assert (many.low, many.high) == (pytest.approx(one.low), pytest.approx(one.high))


def test_permutation_finds_the_feature_that_is_used_and_not_the_other() -> None:
    rng = np.random.default_rng(3)
    columns = {"used": rng.normal(size=300), "idle": rng.normal(size=300)}
    used, idle = permutation(
        lambda rows: rows["used"],
        columns,
        label=columns["used"] + 0.1 * rng.normal(size=300),
        loss=squared,
        subject=np.arange(300),
        level=0.95,
        shuffles=5,
        replicates=400,
        rng=np.random.default_rng(4),
    )
    # shuffled: the mean square of the difference of two independent normals is 2
    assert used.value == pytest.approx(2.0, rel=0.15)
    assert used.low > 1.0
    assert idle.value == 0.0
    assert idle.low is None


def test_permutation_does_not_change_the_columns_and_repeats_itself() -> None:
    rng = np.random.default_rng(5)
    columns = {"x": rng.normal(size=50)}
    before = columns["x"].copy()

    def again() -> Any:
        return permutation(
            lambda rows: rows["x"],
            columns,
            label=np.zeros(50),
            loss=squared,
            subject=np.arange(50),
            level=0.95,
            shuffles=2,
            replicates=400,
            rng=np.random.default_rng(6),
        )

    assert again() == again()
    assert (columns["x"] == before).all()


def _stable(one: np.ndarray, other: np.ndarray) -> Any:
    subjects = (np.arange(len(one)), np.arange(len(other)) + 10_000)
    return stability(found(one), found(other), subjects=subjects, **DRAW)


def test_an_order_that_lasts_has_a_correlation_of_one() -> None:
    one = _stable(scales(1, 2, 4, 8, n=200, seed=7), scales(1, 2, 4, 8, n=150, seed=8))
    assert one.value == 1.0
    assert one.n == 150


def test_an_order_that_is_turned_round_is_seen() -> None:
    one = _stable(scales(1, 2, 4, 8, n=200, seed=7), scales(8, 4, 2, 1, n=200, seed=8))
    assert (one.value, one.low, one.high) == (-1.0, -1.0, -1.0)
    # one pair of ten has changed places
    some = _stable(scales(1, 2, 4, 8, 3, n=200, seed=9), scales(1, 2, 8, 4, 3, n=200, seed=10))
    assert some.value == pytest.approx(0.8)
    assert some.high < 1.0


def test_value_is_scipys_kendall() -> None:
    from scipy.stats import kendalltau

    one, other = scales(1, 2, 4, 8, 3, n=40, seed=11), scales(2, 1, 4, 3, 8, n=40, seed=12)
    expected = kendalltau(np.abs(one).mean(axis=0), np.abs(other).mean(axis=0)).statistic
    assert _stable(one, other).value == pytest.approx(expected, abs=1e-12)


def test_importances_that_are_nearly_equal_have_wide_limits() -> None:
    near = (1, 1.02, 1.04, 1.06)
    one = _stable(scales(*near, n=60, seed=13), scales(*near, n=60, seed=14))
    assert (one.low, one.high) == (-1.0, 1.0)
    assert "6 of 6 pairs" in one.note


def test_limits_of_an_order_hold_the_truth_where_a_bootstrap_of_it_would_not() -> None:
    # the order lasts, so tau is one; samples and resamples of it fall below
    near, held, below = (1.0, 1.15, 1.3, 1.5), 0, 0
    for seed in range(60):
        one = _stable(scales(*near, n=50, seed=seed), scales(*near, n=50, seed=seed + 1000))
        held += one.high == 1.0
        below += one.value < 1.0
    assert below > 30
    assert held >= 52


def test_nine_subjects_give_an_order_without_limits() -> None:
    one = _stable(scales(1, 2, 4, n=9, seed=3), scales(1, 2, 4, n=90, seed=4))
    assert one.low is None
    assert "9 subjects" in one.note


def test_two_features_have_no_order_to_correlate() -> None:
    one = _stable(scales(1, 2, n=50, seed=15), scales(1, 2, n=50, seed=16))
    assert one.value is None


def test_features_that_all_matter_alike_are_not_surely_ordered() -> None:
    same = np.ones((50, 3))
    one = _stable(same, same)
    assert (one.value, one.low, one.high) == (0.0, -1.0, 1.0)


def test_a_window_without_rows_is_undefined() -> None:
    assert _stable(scales(1, 2, 3, n=50, seed=17), np.zeros((0, 3))).value is None
    nobody = mean_absolute(found(np.zeros((0, 2))), subject=np.array([], dtype=np.int64), **DRAW)
    assert [one.value for one in nobody] == [None, None]


def test_windows_of_other_features_are_refused() -> None:
    with pytest.raises(ExplanationMalformed):
        _stable(scales(1, 2, 3, n=50, seed=17), scales(1, 2, 3, 4, n=50, seed=17))


def test_rows_without_subjects_or_labels_are_refused() -> None:
    with pytest.raises(ExplanationMalformed, match="subject"):
        mean_absolute(found(np.ones((5, 2))), subject=np.arange(4), **DRAW)
    columns: Mapping[str, np.ndarray] = {"x": np.zeros(5)}
    with pytest.raises(ExplanationMalformed, match="label"):
        permutation(
            lambda rows: rows["x"],
            columns,
            label=np.zeros(4),
            loss=squared,
            subject=np.arange(5),
            level=0.95,
            shuffles=1,
            replicates=400,
            rng=np.random.default_rng(1),
        )
