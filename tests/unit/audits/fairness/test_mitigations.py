"""Mitigations: fitted elsewhere, priced on the test rows, and honest about what they need."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audits.errors import ProtocolMalformed
from audits.fairness.cells import thresholded
from audits.fairness.mitigations import (
    Mitigated,
    NotApplied,
    apply,
    logistic_learner,
    reweighting,
)
from audits.fairness.protocol import Mitigation
from audits.sources.sample import Category, Sample

Floats = np.ndarray[Any, np.dtype[np.float64]]

REWEIGHTING = Mitigation(kind="reweighting", attributes=("group",), features=("x", "z"))
THRESHOLD = Mitigation(
    kind="threshold",
    attributes=("group",),
    constraint="true_positive_rate_parity",
    objective="balanced_accuracy_score",
)
CALIBRATION = Mitigation(kind="calibration", attributes=("group",), method="isotonic")


def skewed(seed: int, *, n: int = 4000, sizes: tuple[float, ...] = (0.6, 0.4)) -> Sample:
    """Return rows whose score is right in group a and half of what it should be in the others."""
    rng = np.random.default_rng(seed)
    group = rng.choice(len(sizes), size=n, p=sizes).astype(np.int32)
    x, z = rng.standard_normal(n), rng.standard_normal(n) + group
    truth = 1 / (1 + np.exp(-(x + 0.5 * z - 1)))
    label = (rng.random(n) < truth).astype(np.float64)
    return Sample(
        subject=np.arange(n),
        label=label,
        score=np.where(group > 0, truth / 2, truth),
        numbers={"x": x, "z": z},
        categories={"group": Category(codes=group, levels=("a", "b", "c")[: len(sizes)])},
    )


def applied(
    mitigation: Mitigation, samples: dict[str, Sample], **more: Any
) -> Mitigated | NotApplied:
    test = samples["test"]
    assert test.score is not None
    return apply(
        mitigation,
        samples,
        before=thresholded(test.score, threshold=0.5),
        threshold=0.5,
        rng=np.random.default_rng(3),
        **more,
    )


def done(mitigation: Mitigation, samples: dict[str, Sample], **more: Any) -> Mitigated:
    found = applied(mitigation, samples, **more)
    assert isinstance(found, Mitigated)
    return found


def rate(sample: Sample, decision: Any, group: int, *, label: float = 1.0) -> float:
    mask = (sample.categories["group"].codes == group) & (sample.label == label)
    return float((decision[mask] == 1).mean())


@pytest.mark.parametrize("mitigation", [REWEIGHTING, THRESHOLD, CALIBRATION])
def test_without_rows_to_fit_on_a_mitigation_is_refused(mitigation: Mitigation) -> None:
    with pytest.raises(ProtocolMalformed, match="role"):
        applied(mitigation, {"test": skewed(1)})


@pytest.mark.parametrize(
    ("mitigation", "changes", "said"),
    [
        (REWEIGHTING, {"numbers": {}}, "feature 'x'"),
        (REWEIGHTING, {"label": None}, "label"),
        (THRESHOLD, {"score": None}, "score"),
        (CALIBRATION, {"label": None}, "label"),
    ],
)
def test_rows_without_what_is_fitted_are_refused(
    mitigation: Mitigation, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ProtocolMalformed, match=said):
        applied(mitigation, {"test": skewed(1), "training": replace(skewed(2), **changes)})


def test_weights_make_group_and_label_independent() -> None:
    """Kamiran and Calders (2012), table 2: weights of 6 men, 4 women with 4 and 2 positives."""
    group = np.array([0] * 5 + [1] * 5)
    label = np.array([1.0] * 4 + [0] + [1.0] * 2 + [0] * 3)
    weights = reweighting(group, label)
    assert weights[0] == pytest.approx(0.5 * 0.6 / 0.4)
    assert weights[-1] == pytest.approx(0.5 * 0.4 / 0.3)
    assert weights.sum() == pytest.approx(10)
    for g in (0, 1):
        mine = group == g
        assert np.average(label[mine], weights=weights[mine]) == pytest.approx(0.6)


def test_reweighting_narrows_the_gap_in_selection_and_needs_no_attribute() -> None:
    test = skewed(1)
    found = done(REWEIGHTING, {"test": test, "training": skewed(2)})
    codes = test.categories["group"].codes

    def gap(decision: Any) -> float:
        return float((decision[codes == 1]).mean() - (decision[codes == 0]).mean())

    assert 0 <= gap(found.after) < gap(found.before)
    assert found.needs == ()
    assert found.fitted_on == "training"


def test_reweighting_uses_the_learner_it_is_given_twice() -> None:
    seen: list[Floats] = []

    def learner(features: Floats, label: Floats, weight: Floats) -> Any:
        seen.append(weight)
        return logistic_learner(features, label, weight)

    done(REWEIGHTING, {"test": skewed(1), "training": skewed(2)}, learner=learner)
    assert (seen[0] == 1).all()
    assert len(set(seen[1].round(9).tolist())) == 4


def test_rows_without_a_feature_are_decided_by_nobody_and_said() -> None:
    test = skewed(1)
    x = test.numbers["x"].copy()
    x[:7] = np.nan
    test = replace(test, numbers={**test.numbers, "x": x})
    found = done(REWEIGHTING, {"test": test, "training": skewed(2)})
    assert (found.after[:7] == -1).all()
    assert any("7 test rows lack" in note for note in found.notes)


def test_one_class_cannot_be_learnt_from() -> None:
    training = replace(skewed(2), label=np.zeros(4000))
    found = applied(REWEIGHTING, {"test": skewed(1), "training": training})
    assert isinstance(found, NotApplied)
    assert "one class" in found.reason


def test_thresholds_of_groups_equalise_the_rate_they_are_asked_to() -> None:
    test = skewed(1)
    found = done(THRESHOLD, {"test": test, "tuning": skewed(2), "training": skewed(9)})
    gap_before = abs(rate(test, found.before, 0) - rate(test, found.before, 1))
    gap_after = abs(rate(test, found.after, 0) - rate(test, found.after, 1))
    assert gap_before > 0.3
    assert gap_after < 0.06
    assert found.needs == ("group",)
    assert found.fitted_on == "tuning"
    assert any("by lot" in note for note in found.notes)


def test_the_thresholds_are_fairlearn_s() -> None:
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Same(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Floats, y: Floats) -> Same:
            self.fitted_ = True
            return self

        def predict(self, X: Floats) -> Floats:
            return X[:, 0]

    test, tuning = skewed(1), skewed(2)
    assert test.score is not None
    assert tuning.score is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ThresholdOptimizer(
            estimator=Same().fit(np.zeros((1, 1)), np.zeros(1)),
            constraints="true_positive_rate_parity",
            objective="balanced_accuracy_score",
            prefit=True,
            predict_method="predict",
        )
        theirs.fit(
            tuning.score.reshape(-1, 1),
            tuning.label,
            sensitive_features=tuning.categories["group"].codes,
        )
    seed = int(np.random.default_rng(3).integers(2**31))
    expected = theirs.predict(
        test.score.reshape(-1, 1),
        sensitive_features=test.categories["group"].codes,
        random_state=seed,
    )
    found = done(THRESHOLD, {"test": test, "tuning": tuning})
    assert (found.after == expected).all()


@pytest.mark.requirement("P8")
def test_a_group_too_small_to_fit_keeps_its_decisions_and_is_named() -> None:
    test = skewed(1, sizes=(0.6, 0.38, 0.02))
    tuning = skewed(2, n=600, sizes=(0.6, 0.395, 0.005))
    for mitigation in (THRESHOLD, CALIBRATION):
        found = done(mitigation, {"test": test, "tuning": tuning})
        small = test.categories["group"].codes == 2
        assert (found.after[small] == found.before[small]).all()
        assert any(note.startswith("group=c had too few") for note in found.notes)


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("mitigation", [THRESHOLD, CALIBRATION])
def test_where_no_group_can_be_fitted_nothing_is_applied(mitigation: Mitigation) -> None:
    found = applied(mitigation, {"test": skewed(1), "tuning": skewed(2, n=15)})
    assert isinstance(found, NotApplied)
    assert "too few rows" in found.reason


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_calibration_by_group_brings_observed_and_expected_together(method: str) -> None:
    test = skewed(1)
    found = done(replace(CALIBRATION, method=method), {"test": test, "tuning": skewed(2)})
    mine = test.categories["group"].codes == 1
    assert test.label is not None
    assert test.label[mine].sum() / found.score_before[mine].sum() > 1.9
    assert test.label[mine].sum() / found.score_after[mine].sum() == pytest.approx(1.0, abs=0.08)
    assert found.needs == ("group",)
