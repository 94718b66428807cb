"""The area under the ROC curve: its value, its interval, and what it refuses to say."""

from __future__ import annotations

import numpy as np
import pytest

from audits.criteria import Criterion, Verdict, judge
from audits.errors import SampleMalformed
from audits.performance.influence import limits
from audits.performance.roc import auroc, auroc_difference, delong_variance, roc_points
from tests.unit.audits.performance.samples import World, rows


def naive_delong(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """DeLong et al. (1988) as they wrote it: the matrix of all pairs."""
    x, y = score[label], score[~label]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return float(kernel.mean()), float(
        kernel.mean(axis=1).var(ddof=1) / x.size + kernel.mean(axis=0).var(ddof=1) / y.size
    )


def naive_obuchowski(label: np.ndarray, score: np.ndarray, subject: np.ndarray) -> float:
    """Obuchowski (1997), equations for one area, by loops over the clusters."""
    x, y = score[label], score[~label]
    kernel = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    area, m, n = kernel.mean(), x.size, y.size
    clusters = np.unique(subject)
    first = [kernel.mean(axis=1)[subject[label] == one] for one in clusters]
    second = [kernel.mean(axis=0)[subject[~label] == one] for one in clusters]
    ten, one = sum(v.size > 0 for v in first), sum(v.size > 0 for v in second)
    s10 = ten / ((ten - 1) * m) * sum((v.sum() - v.size * area) ** 2 for v in first)
    s01 = one / ((one - 1) * n) * sum((v.sum() - v.size * area) ** 2 for v in second)
    both = zip(first, second, strict=True)
    s11 = sum((v.sum() - v.size * area) * (w.sum() - w.size * area) for v, w in both)
    s11 *= clusters.size / (clusters.size - 1)
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


@pytest.mark.parametrize("digits", [1, 2, 9], ids=["many ties", "some ties", "no ties"])
def test_area_and_variance_are_delongs_own_matrix_and_scikit_learns_value(digits: int) -> None:
    from sklearn.metrics import roc_auc_score

    drawn = World().draw(np.random.default_rng(3), subjects=180)
    tied = drawn.with_score(drawn.score.round(digits))
    value, variance = naive_delong(tied.label, tied.score)
    assert auroc(tied, level=0.95).value == pytest.approx(value, abs=1e-12)
    assert value == pytest.approx(roc_auc_score(tied.label, tied.score), abs=1e-9)
    assert delong_variance(tied) == pytest.approx(variance, abs=1e-12)


def test_variance_of_repeated_subjects_is_obuchowskis_sum_over_clusters() -> None:
    drawn = World().draw(np.random.default_rng(4), subjects=50, rows_each=6)
    tied = drawn.with_score(drawn.score.round(2))
    variance = naive_obuchowski(tied.label, tied.score, tied.identity)
    assert delong_variance(tied) == pytest.approx(variance, abs=1e-12)
    assert variance > 1.5 * naive_delong(tied.label, tied.score)[1]


def test_hand_worked_area_of_six_rows() -> None:
    # positives 3, 2, 2; negatives 1, 2, 0: V10 = 1, 5/6, 5/6; V01 = 1, 2/3, 1; A = 8/9
    six = rows([1, 1, 1, 0, 0, 0], [3, 2, 2, 1, 2, 0])
    assert auroc(six, level=0.95).value == pytest.approx(8 / 9, abs=1e-12)
    # S10 = 1/108, S01 = 1/27: each over three rows
    assert delong_variance(six) == pytest.approx(1 / 324 + 1 / 81, abs=1e-15)


@pytest.mark.parametrize(("label", "missing"), [(1, "negative"), (0, "positive")])
def test_one_class_is_undefined_and_never_passes(label: int, missing: str) -> None:
    found = auroc(rows([label] * 40, np.linspace(0, 1, 40)), level=0.95)
    assert found.value is None
    assert missing in found.note
    for reading in ("point", "margin"):
        criterion = Criterion(
            id="c",
            metric="auroc",
            direction="at_least",
            floor=0.0,
            reading=reading,
            margin=0.5 if reading == "margin" else None,
        )
        assert judge(criterion, found).verdict is Verdict.INSUFFICIENT


def test_no_rows_are_undefined() -> None:
    assert auroc(rows([], []), level=0.95).value is None


def test_four_events_give_a_value_without_an_interval() -> None:
    found = auroc(
        rows([1] * 4 + [0] * 60, [*[0.5, 0.2, 0.9, 0.4], *np.linspace(0, 0.6, 60)]), level=0.95
    )
    assert found.value is not None
    assert found.low is None
    assert "too few" in found.note


def test_complete_separation_has_an_exact_limit_and_no_degenerate_interval() -> None:
    found = auroc(rows([1] * 20 + [0] * 30, np.arange(50)[::-1]), level=0.95)
    assert (found.value, found.high) == (1.0, 1.0)
    # twenty disjoint pairs in order: A^20 = 0.025 at the limit
    assert found.low == pytest.approx(0.025 ** (1 / 20), abs=1e-12)
    behind = auroc(rows([0] * 20 + [1] * 30, np.arange(50)[::-1]), level=0.95)
    assert (behind.value, behind.low) == (0.0, 0.0)


def test_a_constant_score_has_no_interval() -> None:
    found = auroc(rows([1, 0] * 20, [0.3] * 40), level=0.95)
    assert found.value == 0.5
    assert found.low is None


def test_a_subject_repeated_six_times_over_tells_no_more_than_once() -> None:
    once = World().draw(np.random.default_rng(8), subjects=100)
    six = rows(np.repeat(once.label, 6), np.repeat(once.score, 6), np.repeat(once.identity, 6))
    one, many = auroc(once, level=0.95), auroc(six, level=0.95)
    assert many.n == one.n == 100
    assert many.value == pytest.approx(one.value)
    assert one.low is not None
    assert many.low == pytest.approx(one.low, abs=1e-9)


def test_difference_of_two_models_is_paired() -> None:
    drawn = World().draw(np.random.default_rng(9), subjects=300)
    noise = np.random.default_rng(10).normal(size=300)
    near = drawn.score + 0.01 * noise
    found = auroc_difference(drawn, other=near, level=0.95)
    alone = auroc(drawn, level=0.95).value, auroc(drawn.with_score(near), level=0.95).value
    assert found.value == pytest.approx(alone[0] - alone[1], abs=1e-12)
    # models that rank nearly alike differ with far more certainty than two areas apart would
    assert (
        found.high - found.low
        < 0.3
        * (limits(alone[0], delong_variance(drawn) ** 0.5 * 2**0.5, level=0.95)[1] - alone[0])
        * 2
    )


def test_difference_variance_is_delongs_contrast_of_the_two_by_two_covariance() -> None:
    drawn = World().draw(np.random.default_rng(11), subjects=150)
    other = (drawn.score + np.random.default_rng(12).normal(scale=0.2, size=150)).round(2)
    kernels = []
    for score in (drawn.score, other):
        x, y = score[drawn.label], score[~drawn.label]
        kernels.append((x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :]))
    s10 = np.cov([one.mean(axis=1) for one in kernels])
    s01 = np.cov([one.mean(axis=0) for one in kernels])
    contrast = np.array([1.0, -1.0])
    variance = contrast @ (s10 / drawn.positives + s01 / drawn.negatives) @ contrast
    found = auroc_difference(drawn, other=other, level=0.95)
    from scipy.stats import t

    gaps = [np.subtract(*(one.mean(axis=axis) for one in kernels)) for axis in (1, 0)]
    spread = [one - one.mean() for one in gaps]
    carriers = min(int((one**2).sum() ** 2 / (one**4).sum()) for one in spread)
    assert 5 < carriers < drawn.rarer / 2
    half = t.ppf(0.975, carriers) * variance**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=1e-12)


def test_difference_from_itself_is_zero_without_interval() -> None:
    drawn = World().draw(np.random.default_rng(13), subjects=60)
    found = auroc_difference(drawn, other=drawn.score * 2, level=0.95)
    assert found.value == 0.0
    assert found.low is None


def test_difference_refuses_scores_of_other_rows() -> None:
    drawn = World().draw(np.random.default_rng(13), subjects=60)
    with pytest.raises(SampleMalformed):
        auroc_difference(drawn, other=drawn.score[:-1], level=0.95)


def test_curve_is_scikit_learns() -> None:
    from sklearn.metrics import roc_curve

    drawn = World().draw(np.random.default_rng(14), subjects=200)
    tied = drawn.with_score(drawn.score.round(2))
    fall, hit, threshold = roc_curve(tied.label, tied.score, drop_intermediate=False)
    ours = roc_points(tied)
    np.testing.assert_allclose(ours[0], threshold)
    np.testing.assert_allclose(ours[1], fall, atol=1e-12)
    np.testing.assert_allclose(ours[2], hit, atol=1e-12)
