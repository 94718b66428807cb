"""Performance without labels: right where calibration holds, bounded where it is off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audits.drift.cbpe import (
    METRICS,
    LabelFree,
    expected_metrics,
    fit_calibrator,
    label_free,
    metric_bounds,
)
from audits.errors import CalibrationTooSmall, SampleMalformed
from audits.sources.sample import Sample


def _rows(n: int, *, seed: int, shift: float = 0.0, concept: float = 0.0) -> Sample:
    """The score is a squeezed probability, so that it needs its calibrator."""
    rng = np.random.default_rng(seed)
    truth = 1 / (1 + np.exp(-(rng.normal(size=n) + shift)))
    score = 0.3 + 0.4 * truth
    return Sample(
        subject=np.arange(n, dtype=np.int64),
        label=(rng.random(n) < np.clip(truth + concept, 0, 1)).astype(float),
        score=score,
        decision=(score > 0.5).astype(np.int8),
    )


def _found(current: Sample, **settings: float) -> dict[str, LabelFree]:
    reference = _rows(2000, seed=1)
    _, found = label_free(
        reference, current, delta=settings.get("delta", 0.0), level=0.95, replicates=200, seed=3
    )
    return {one.estimate.metric.removeprefix("expected_"): one for one in found}


def _known(rows: Sample) -> dict[str, float]:
    assert rows.label is not None
    assert rows.score is not None
    assert rows.decision is not None
    return expected_metrics(rows.label, rows.score, rows.decision, np.ones(rows.n))


@pytest.mark.parametrize("shift", [0.0, 0.8, -0.8])
def test_where_calibration_holds_the_estimate_holds_the_truth(shift: float) -> None:
    truth = _known(_rows(100_000, seed=2, shift=shift))
    found = _found(_rows(3000, seed=4, shift=shift))
    for metric in METRICS:
        estimate = found[metric].estimate
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low - 0.008 <= truth[metric] <= estimate.high + 0.008, metric


@pytest.mark.parametrize("concept", [0.1, -0.1])
def test_a_concept_shift_is_missed_and_lies_within_the_bounds(concept: float) -> None:
    truth = _known(_rows(100_000, seed=5, concept=concept))
    found = _found(_rows(3000, seed=6, concept=concept), delta=0.15)
    calm = found["prevalence"].estimate
    assert calm.high is not None
    assert calm.low is not None
    assert not calm.low <= truth["prevalence"] <= calm.high
    for metric in METRICS:
        low, high = found[metric].low, found[metric].high
        assert low is not None
        assert high is not None
        assert low <= truth[metric] <= high, metric


def test_without_doubt_about_calibration_bounds_are_the_estimate() -> None:
    rng = np.random.default_rng(7)
    p, s, d = rng.random(50), rng.random(50), rng.integers(0, 2, 50).astype(np.int8)
    point = expected_metrics(p, s, d, np.ones(50))
    for metric, (low, high) in metric_bounds(p, s, d, delta=0.0).items():
        assert low == pytest.approx(point[metric], rel=1e-12)
        assert high == pytest.approx(point[metric], rel=1e-12)


def test_nobody_acted_on_has_no_predictive_value() -> None:
    rows = _rows(300, seed=8)
    idle = Sample(subject=rows.subject, score=rows.score, decision=np.zeros(rows.n, dtype=np.int8))
    found = _found(idle)["ppv"]
    assert (found.estimate.value, found.low, found.high) == (None, None, None)
    assert "undefined" in found.estimate.note


def test_few_events_are_not_calibrated_on() -> None:
    with pytest.raises(CalibrationTooSmall, match="too few"):
        fit_calibrator(np.array([1.0] * 49 + [0.0] * 500), np.linspace(0, 1, 549))


@pytest.mark.parametrize("lacks", ["label", "score", "current score", "decision"])
def test_a_missing_column_is_refused(lacks: str) -> None:
    reference, current = _rows(500, seed=9), _rows(500, seed=10)
    first = Sample(
        subject=reference.subject,
        label=None if lacks == "label" else reference.label,
        score=None if lacks == "score" else reference.score,
    )
    second = Sample(
        subject=current.subject,
        score=None if lacks == "current score" else current.score,
        decision=None if lacks == "decision" else current.decision,
    )
    with pytest.raises(SampleMalformed):
        label_free(first, second, delta=0.0, level=0.95, replicates=200, seed=1)


def test_a_reference_of_two_subjects_gives_no_interval() -> None:
    reference = _rows(400, seed=1)
    pair = replace(reference, subject=reference.subject % 2)
    _, found = label_free(pair, _rows(60, seed=2), delta=0.05, level=0.95, replicates=200, seed=3)
    assert {(one.estimate.low, one.estimate.high) for one in found} == {(None, None)}
    assert all(one.estimate.note for one in found)


def test_one_row_has_no_area_and_no_bounds_of_it() -> None:
    one = _found(_rows(1, seed=2), delta=0.0)["auroc"]
    assert (one.estimate.value, one.low, one.high) == (None, None, None)


def test_bounds_are_those_of_the_values_that_are_defined() -> None:
    """With no event possible at the low end sensitivity is undefined there, not everywhere."""
    p, score = np.array([0.03, 0.04]), np.array([0.1, 0.2])
    found = metric_bounds(p, score, np.array([0, 1], dtype=np.int8), delta=0.05)
    assert found["sensitivity"] == (0.0, 1.0)


@pytest.mark.parametrize("wrong", [np.inf, 0.5, 2.0])
def test_a_label_that_is_no_event_is_refused(wrong: float) -> None:
    rows = _rows(400, seed=1)
    assert rows.label is not None
    assert rows.score is not None
    label = rows.label.copy()
    label[3] = wrong
    with pytest.raises(SampleMalformed, match="neither 0 nor 1"):
        fit_calibrator(label, rows.score)
