"""Rows are told apart where they differ, by whichever columns, and not where they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from audits.drift.applicability import outside_share
from audits.drift.two_sample import area_by_subject, two_sample_auroc
from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.sources.sample import Sample
from tests.unit.audits.drift.columns import sample


def _told(first: Sample, second: Sample, **settings: Any) -> Estimate:
    asked: dict[str, Any] = {
        "columns": ["age", "visits", "sex"],
        "learner": "logistic",
        "folds": 4,
        "most": 1500,
        "level": 0.95,
        "rng": np.random.default_rng(1),
    }
    return two_sample_auroc(first, second, **{**asked, **settings})


def test_alike_rows_are_not_told_apart() -> None:
    found = _told(sample(1500, seed=1), sample(1500, seed=2))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high + 0.01


def test_moved_rows_are_told_apart_and_the_interval_excludes_one_half() -> None:
    found = _told(sample(1500, seed=1), sample(1500, seed=2, shift=0.6))
    assert found.low is not None
    assert found.low > 0.6


def test_an_interaction_is_seen_by_the_learner_that_can() -> None:
    """Each column alone is as before; only their product has changed its sign."""
    rng = np.random.default_rng(3)
    first, second = (np.sign(rng.normal(size=(700, 2))) * rng.random((700, 2)) for _ in range(2))
    second[:, 1] = np.abs(second[:, 1]) * np.sign(second[:, 0])
    sides = [
        Sample(subject=np.arange(700) + 700 * i, numbers={"a": rows[:, 0], "b": rows[:, 1]})
        for i, rows in enumerate((first, second))
    ]
    blind = _told(*sides, columns=["a", "b"], most=700, folds=2)
    seeing = _told(*sides, columns=["a", "b"], most=700, folds=2, learner="boosting")
    assert blind.value is not None
    assert seeing.low is not None
    assert abs(blind.value - 0.5) < 0.05
    assert seeing.low > 0.6


def test_few_subjects_are_not_learnt_from() -> None:
    found = _told(sample(60, repeats=6), sample(600, seed=2))
    assert found.value is None
    assert "fewer than" in found.note


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="no column 'weight'"):
        _told(sample(200), sample(200), columns=["weight"])
    lean = replace(sample(200), categories={})
    with pytest.raises(ProtocolMalformed, match="'sex'"):
        _told(sample(200), lean)


def test_the_area_equals_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(4)
    origin, score = rng.integers(0, 2, 300), np.round(rng.random(300), 1)
    area, low, high = area_by_subject(score, origin, np.arange(300), level=0.95)
    assert area == pytest.approx(roc_auc_score(origin, score), abs=1e-12)
    assert low < area < high


@pytest.mark.parametrize("repeats", [1, 6])
def test_the_interval_of_the_area_covers_also_where_subjects_repeat(repeats: int) -> None:
    rng = np.random.default_rng(5)
    truth, held, runs = 0.7602, 0, 200  # Phi(1 / sqrt 2)
    for _ in range(runs):
        subject = np.repeat(np.arange(240), repeats)
        origin = (subject % 2).astype(np.int64)
        score = np.repeat(rng.normal(size=240), repeats) * 0.9**0.5
        score = score + 0.1**0.5 * rng.normal(size=score.size) + origin
        _, low, high = area_by_subject(score, origin, subject, level=0.95)
        held += low <= truth <= high
    assert held / runs >= 0.93 - 2 * (0.95 * 0.05 / runs) ** 0.5


@pytest.mark.parametrize("kind", ["mahalanobis", "isolation"])
def test_the_share_outside_is_one_less_the_quantile_until_rows_are_strange(kind: Any) -> None:
    reference = sample(3000)
    alike, strange = (
        outside_share(
            reference,
            rows,
            columns=["age", "visits"],
            kind=kind,
            quantile=0.95,
            level=0.95,
            rng=np.random.default_rng(1),
        )
        for rows in (sample(3000, seed=2), sample(3000, seed=3, shift=3.0))
    )
    assert alike.low is not None
    assert alike.high is not None
    assert alike.low - 0.01 < 0.05 < alike.high + 0.01
    assert strange.low is not None
    assert strange.low > 0.5


def test_a_small_reference_draws_no_boundary() -> None:
    found = outside_share(
        sample(50),
        sample(50),
        columns=["age"],
        kind="mahalanobis",
        quantile=0.95,
        level=0.95,
        rng=np.random.default_rng(1),
    )
    assert found.value is None


def test_a_quantile_inside_the_bulk_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="no boundary"):
        outside_share(
            sample(500),
            sample(500),
            columns=["age"],
            kind="mahalanobis",
            quantile=0.3,
            level=0.95,
            rng=np.random.default_rng(1),
        )


def test_few_subjects_a_feature_draw_no_boundary() -> None:
    found = outside_share(
        sample(390),
        sample(300),
        columns=["age", "visits"],
        kind="mahalanobis",
        quantile=0.95,
        level=0.95,
        rng=np.random.default_rng(1),
    )
    assert found.value is None
    assert "fewer than 400" in found.note
