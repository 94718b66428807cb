"""Shapley values of trees by shap, against the sum over all sets."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from audits.errors import ExplanationEngineMissing, ExplanationMalformed
from audits.explanation.trees import exact_shapley, tree_contributions

FEATURES = ("a", "b", "c", "d")


def _data(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=n) for name in FEATURES}


def _rows(data: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.column_stack([data[name] for name in FEATURES])


@pytest.fixture(scope="module")
def boosted() -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    rows = _rows(_data(300, 1))
    label = (rows[:, 0] * rows[:, 1] + rows[:, 2]) > 0
    return GradientBoostingClassifier(n_estimators=12, max_depth=3, random_state=0).fit(rows, label)


def _explain(model: Any, data: Mapping[str, np.ndarray], **more: Any) -> Any:
    pytest.importorskip("shap", exc_type=ImportError)
    background = more.pop("background", _data(15, 3))
    scorer = more.pop("scorer", lambda rows: model.decision_function(_rows(rows)))
    with warnings.catch_warnings():
        # what numba says of itself while shap compiles
        warnings.filterwarnings("ignore", module="numba.*")
        return tree_contributions(
            model, data, features=FEATURES, background=background, scorer=scorer, **more
        )


def test_hand_worked_shapley_values_of_an_interaction() -> None:
    # a AND b against a background of (0, 0): each gets half
    found = exact_shapley(
        lambda rows: rows["a"] * rows["b"],
        {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 0.0])},
        background={"a": np.array([0.0]), "b": np.array([0.0])},
    )
    assert found.values.tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert found.baseline == 0.0


def test_trees_have_the_shapley_values_of_the_sum_over_all_sets(boosted: Any) -> None:
    data, background = _data(10, 2), _data(15, 3)
    found = _explain(boosted, data, background=background)
    exact = exact_shapley(
        lambda rows: boosted.decision_function(_rows(rows)), data, background=background
    )
    np.testing.assert_allclose(found.values, exact.values, atol=1e-6)
    assert found.baseline == pytest.approx(exact.baseline, abs=1e-9)
    assert np.abs(found.values).max() > 0.1


def test_a_background_of_more_than_a_hundred_rows_is_used_whole(boosted: Any) -> None:
    data, background = _data(3, 4), _data(250, 5)
    found = _explain(boosted, data, background=background)
    exact = exact_shapley(
        lambda rows: boosted.decision_function(_rows(rows)), data, background=background
    )
    np.testing.assert_allclose(found.values, exact.values, atol=1e-6)


def test_residual_of_additivity_is_recorded(boosted: Any) -> None:
    found = _explain(boosted, _data(10, 2))
    gap = found.values.sum(axis=1) + found.baseline - found.logit
    assert found.residual == np.abs(gap).max()
    assert found.residual < 1e-6


def test_an_explanation_of_another_output_is_refused(boosted: Any) -> None:
    with pytest.raises(ExplanationMalformed, match="something else"):
        _explain(
            boosted, _data(10, 2), scorer=lambda rows: boosted.predict_proba(_rows(rows))[:, 1]
        )


def test_a_model_that_is_no_tree_is_refused_with_a_next_step() -> None:
    from sklearn.svm import SVC

    data = _data(40, 6)
    model = SVC().fit(_rows(data), data["a"] > 0)
    with pytest.raises(ExplanationEngineMissing, match="SVC") as refusal:
        _explain(model, data)
    assert refusal.value.next_step


def test_several_outputs_are_refused() -> None:
    from sklearn.ensemble import RandomForestRegressor

    data = _data(60, 7)
    model = RandomForestRegressor(n_estimators=3, random_state=0)
    model.fit(_rows(data), np.column_stack([data["a"], data["b"]]))
    with pytest.raises((ExplanationMalformed, ExplanationEngineMissing)):
        _explain(model, data, scorer=lambda rows: model.predict(_rows(rows))[:, 0])


def test_without_shap_the_refusal_says_what_to_install(
    boosted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ExplanationEngineMissing) as refusal:
        tree_contributions(
            boosted,
            _data(3, 2),
            features=FEATURES,
            background=_data(5, 3),
            scorer=lambda rows: boosted.decision_function(_rows(rows)),
        )
    assert "oncovigil[trees]" in refusal.value.next_step


def test_an_empty_background_is_refused(boosted: Any) -> None:
    nobody = {name: np.array([]) for name in FEATURES}
    with pytest.raises(ExplanationMalformed, match="background"):
        exact_shapley(lambda rows: rows["a"], _data(3, 2), background=nobody)
    with pytest.raises(ExplanationMalformed, match="background"):
        tree_contributions(
            boosted,
            _data(3, 2),
            features=FEATURES,
            background=nobody,
            scorer=lambda rows: rows["a"],
        )


def test_sets_of_thirteen_features_are_not_summed() -> None:
    many = {f"f{k}": np.zeros(1) for k in range(13)}
    with pytest.raises(ExplanationMalformed, match="not summed"):
        exact_shapley(lambda rows: rows["f0"], many, background=many)
