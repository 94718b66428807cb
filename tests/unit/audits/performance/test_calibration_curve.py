"""Calibration by a logistic line and a spline, against statsmodels, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.errors import SampleMalformed
from audits.performance.calibration_curve import (
    binned_curve,
    calibration,
    expit,
    flexible_curve,
    logistic,
    logit,
)
from tests.unit.audits.performance.samples import World, rows

OFF = World(centre=-0.5, shift=0.4, stretch=1.3)


def _named(found: Any) -> dict:
    return {one.metric: one for one in found}


def test_line_and_its_sandwich_are_those_of_statsmodels() -> None:
    import statsmodels.api as sm
    from scipy.stats import t

    drawn = OFF.draw(np.random.default_rng(1), subjects=400)
    found = _named(calibration(drawn, level=0.95))
    design = sm.add_constant(logit(drawn.score))
    model = sm.GLM(drawn.label.astype(float), design, family=sm.families.Binomial())
    fit = model.fit(cov_type="HC0", tol=1e-14)
    slope = found["calibration_slope"]
    assert slope.value == pytest.approx(fit.params[1], abs=1e-9)
    assert found["calibration_intercept"].value == pytest.approx(fit.params[0], abs=1e-9)
    half = t.ppf(0.975, drawn.rarer - 2) * fit.bse[1] * (400 / 399) ** 0.5
    assert slope.high - slope.value == pytest.approx(half, rel=1e-6)
    only = sm.GLM(
        drawn.label.astype(float),
        np.ones(400),
        family=sm.families.Binomial(),
        offset=logit(drawn.score),
    ).fit(tol=1e-14)
    assert found["calibration_in_the_large"].value == pytest.approx(only.params[0], abs=1e-9)


def test_sandwich_of_repeated_subjects_is_statsmodels_by_cluster() -> None:
    import statsmodels.api as sm
    from scipy.stats import t

    drawn = OFF.draw(np.random.default_rng(2), subjects=80, rows_each=6)
    slope = _named(calibration(drawn, level=0.95))["calibration_slope"]
    model = sm.GLM(
        drawn.label.astype(float),
        sm.add_constant(logit(drawn.score)),
        family=sm.families.Binomial(),
    )
    fit = model.fit(
        cov_type="cluster",
        cov_kwds={"groups": drawn.subject, "use_correction": False},
        tol=1e-14,
    )
    half = t.ppf(0.975, drawn.rarer - 2) * fit.bse[1] * (80 / 79) ** 0.5
    assert slope.high - slope.value == pytest.approx(half, rel=1e-6)
    assert slope.n == 80


def test_observed_over_expected_is_a_ratio_of_sums() -> None:
    found = _named(calibration(rows([1, 0] * 50, [0.4, 0.1] * 50), level=0.95))
    assert found["observed_expected_ratio"].value == pytest.approx(50 / 25)


def test_planted_miscalibration_is_seen_and_a_calibrated_score_is_not_accused() -> None:
    bad = _named(calibration(OFF.draw(np.random.default_rng(3), subjects=3000), level=0.95))
    good = _named(calibration(World().draw(np.random.default_rng(3), subjects=3000), level=0.95))
    assert bad["calibration_slope"].high < 0.9
    assert bad["calibration_in_the_large"].high < 0
    assert good["calibration_slope"].low < 1 < good["calibration_slope"].high
    assert good["calibration_in_the_large"].low < 0 < good["calibration_in_the_large"].high


def test_flexible_curve_follows_a_bend_and_its_band_holds_the_truth() -> None:
    rng = np.random.default_rng(4)
    stated = expit(rng.normal(0, 1.5, 6000))
    truth = lambda p: expit(1.8 * np.tanh(logit(p)) - 0.5)  # noqa: E731
    drawn = rows(rng.random(6000) < truth(stated), stated)
    curve = flexible_curve(drawn, level=0.95)
    held = (curve.low <= truth(curve.stated)) & (truth(curve.stated) <= curve.high)
    assert held.mean() > 0.7
    assert np.abs(curve.observed - truth(curve.stated)).max() < 0.1
    assert ((curve.low < curve.observed) & (curve.observed < curve.high)).all()


def test_bins_hold_every_row_once() -> None:
    drawn = World().draw(np.random.default_rng(5), subjects=200)
    bins, shares = binned_curve(drawn, bins=10, level=0.95)
    assert sum(one.n for one in shares) == 200
    assert bins.outcome.tolist() == [one.value for one in shares]


def test_separated_outcome_has_no_slope_and_no_curve() -> None:
    apart = rows([0] * 30 + [1] * 30, [0.2] * 10 + [0.3] * 20 + [0.6] * 20 + [0.8] * 10)
    found = _named(calibration(apart, level=0.95))
    assert found["calibration_slope"].value is None
    assert found["calibration_in_the_large"].value is not None
    assert isinstance(flexible_curve(apart, level=0.95), str)


def test_a_constant_probability_has_no_slope() -> None:
    found = _named(calibration(rows([0, 1, 0, 0] * 30, [0.25] * 120), level=0.95))
    assert found["calibration_slope"].value is None
    assert found["calibration_in_the_large"].value == pytest.approx(0.0, abs=1e-9)


def test_one_class_is_undefined() -> None:
    assert {one.value for one in calibration(rows([1] * 40, [0.5] * 40), level=0.95)} == {None}


def test_few_events_give_no_interval() -> None:
    drawn = World(centre=-1).draw(np.random.default_rng(6), subjects=40)
    assert drawn.rarer < 20
    assert {one.low for one in calibration(drawn, level=0.95)} == {None}
    assert "too few" in flexible_curve(drawn, level=0.95)


def test_certain_probabilities_are_read_as_nearly_certain() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_impossible_probabilities_are_refused() -> None:
    with pytest.raises(SampleMalformed):
        calibration(rows([0, 1], [0.5, 2.0]), level=0.95)


def test_a_fit_that_cannot_end_is_none() -> None:
    assert logistic(np.ones((10, 2)), np.arange(10) < 5) is None


def test_no_expected_event_leaves_the_ratio_undefined() -> None:
    found = _named(calibration(rows([0, 1] * 30, [0.0] * 60), level=0.95))
    assert found["observed_expected_ratio"].value is None
