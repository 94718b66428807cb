"""Exact contributions: they add up, do not depend on the batch, and refuse what has no number."""

from __future__ import annotations

import numpy as np
import pytest

from audits.errors import ExplanationMalformed
from audits.explanation.contributions import AdditiveModel, Linear, Shape, contributions
from audits.explanation.trees import exact_shapley

MODEL = AdditiveModel(
    intercept=-1.25,
    terms=(
        Linear(feature="age", weight=0.031, baseline=60.0),
        Linear(feature="crp", weight=-0.0007, baseline=12.5),
        Shape(feature="bmi", knots=(18.0, 25.0, 40.0), heights=(0.6, 0.0, 0.9), baseline=24.0),
        Shape(
            feature="ecog", knots=(0.0, 1.0, 2.0), heights=(0.0, 0.4, 1.1), baseline=0, steps=True
        ),
    ),
)


def columns(n: int = 2048) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "age": rng.normal(60, 12, n),
        "crp": rng.exponential(20, n),
        "bmi": rng.normal(26, 6, n),
        "ecog": rng.integers(0, 4, n).astype(float),
    }


def test_contributions_sum_to_the_logit_less_the_baseline() -> None:
    found = contributions(MODEL, columns())
    gap = found.values.sum(axis=1) - (found.logit - found.baseline)
    assert np.abs(gap).max() < 1e-12
    assert found.residual < 1e-12


def test_linear_part_is_that_of_a_fitted_scikit_learn_model() -> None:
    from sklearn.linear_model import LogisticRegression

    data = columns(400)
    rows = np.column_stack([data["age"], data["crp"]])
    label = np.random.default_rng(2).random(400) < 1 / (1 + np.exp(-(rows[:, 0] - 60) / 10))
    fitted = LogisticRegression(max_iter=1000).fit(rows, label)
    model = AdditiveModel(
        intercept=float(fitted.intercept_[0]),
        terms=tuple(
            Linear(feature=name, weight=float(w), baseline=float(data[name].mean()))
            for name, w in zip(("age", "crp"), fitted.coef_[0], strict=True)
        ),
    )
    found = contributions(model, data)
    np.testing.assert_allclose(found.logit, fitted.decision_function(rows), atol=1e-12)


def test_contributions_are_shapley_values_against_the_baseline_row() -> None:
    data = columns(20)
    behind = {one.feature: np.array([float(one.baseline)]) for one in MODEL.terms}
    exact = exact_shapley(lambda rows: contributions(MODEL, rows).logit, data, background=behind)
    np.testing.assert_allclose(contributions(MODEL, data).values, exact.values, atol=1e-12)


def test_a_row_has_the_same_bits_in_every_batch() -> None:
    data = columns()
    whole = contributions(MODEL, data)
    for size in (1, 3, 7, 64, 1000):
        for start in range(0, 2048, 257):
            part = contributions(MODEL, {k: v[start : start + size] for k, v in data.items()})
            end = start + size
            assert part.logit.tobytes() == whole.logit[start:end].tobytes()
            assert part.values.tobytes() == whole.values[start:end].tobytes()


def test_the_baseline_row_has_no_contributions() -> None:
    usual = {one.feature: np.array([float(one.baseline)]) for one in MODEL.terms}
    found = contributions(MODEL, usual)
    assert (found.values == 0).all()
    assert found.logit[0] == pytest.approx(found.baseline, abs=1e-15)
    assert set(found.of_row(0)) == {"age", "crp", "bmi", "ecog"}


def test_shapes_are_constant_beyond_their_ends() -> None:
    steps = MODEL.terms[3]
    assert steps.at(np.array([-1.0, 0.5, 1.0, 9.0])).tolist() == [0.0, 0.0, 0.4, 1.1]
    assert MODEL.terms[2].at(np.array([0.0, 21.5, 90.0])).tolist() == pytest.approx([0.6, 0.3, 0.9])


def test_a_missing_column_is_named() -> None:
    data = columns(3)
    del data["bmi"]
    with pytest.raises(ExplanationMalformed, match="bmi"):
        contributions(MODEL, data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_without_a_number_is_refused(value: float) -> None:
    data = columns(3)
    data["age"][1] = value
    with pytest.raises(ExplanationMalformed, match="age"):
        contributions(MODEL, data)


def test_columns_of_different_length_are_refused() -> None:
    data = columns(3)
    data["age"] = data["age"][:2]
    with pytest.raises(ExplanationMalformed, match="length"):
        contributions(MODEL, data)


@pytest.mark.parametrize(
    ("knots", "heights"),
    [((1.0, 1.0), (0.0, 1.0)), ((1.0, 2.0), (0.0,)), ((), ()), ((1.0, np.inf), (0.0, 1.0))],
    ids=["equal knots", "heights missing", "empty", "infinite"],
)
def test_malformed_shapes_are_refused(knots: tuple[float, ...], heights: tuple[float, ...]) -> None:
    with pytest.raises(ExplanationMalformed):
        Shape(feature="x", knots=knots, heights=heights, baseline=0.0)


def test_malformed_models_are_refused() -> None:
    one = Linear(feature="x", weight=1.0, baseline=0.0)
    with pytest.raises(ExplanationMalformed, match="one term"):
        AdditiveModel(intercept=0.0, terms=(one, one))
    with pytest.raises(ExplanationMalformed):
        AdditiveModel(intercept=np.nan, terms=())
    with pytest.raises(ExplanationMalformed):
        Linear(feature="x", weight=np.nan, baseline=0.0)
