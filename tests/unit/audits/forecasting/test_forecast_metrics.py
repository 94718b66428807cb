"""Forecast metrics: by hand on few numbers, undefined where a denominator is missing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.errors import ForecastMalformed, ProtocolMalformed
from audits.estimate import Estimate
from audits.forecasting.forecast_metrics import (
    METRICS,
    bounds_of,
    forecast_estimates,
    inside,
    interval_levels,
    metric_value,
    why_undefined,
)
from audits.forecasting.rolling_origin import RollingErrors
from tests.unit.audits.forecasting.panels import errors_of, simulated_errors

ALL = np.ones((1, 2), dtype=np.bool_)


def tiny(**changes: object) -> RollingErrors:
    """Two series, one origin, two steps: actual 10 20 | 4 6, median 12 15 | 4 9."""
    actual = np.array([[[10.0, 20.0]], [[4.0, 6.0]]])
    median = np.array([[[12.0, 15.0]], [[4.0, 9.0]]])
    fields: dict[str, object] = {
        "scale": np.array([[2.0], [4.0]]),
        "quantiles": {"0.1": median - 3.0, "0.9": median + 3.0},
    }
    return errors_of(actual, median, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "exact"),
    [
        ("mase", (Fraction(2, 2) + Fraction(5, 2) + 0 + Fraction(3, 4)) / 4),
        ("wape", Fraction(2 + 5 + 0 + 3, 40)),
        ("bias", Fraction(2 - 5 + 0 + 3, 40)),
        ("under_forecast", Fraction(5, 40)),
        ("coverage_80", Fraction(3, 4)),
        # q10 errors a - q: 1, 8, 3, 0 and q90: -5, 2, -3, -6, each over its scale.
        (
            "pinball",
            (
                Fraction(1, 10) * (Fraction(1 + 8, 2) + Fraction(3 + 0, 4))
                + Fraction(1, 10) * (Fraction(5, 2) + Fraction(3 + 6, 4))
                + Fraction(9, 10) * Fraction(2, 2)
            )
            / 8,
        ),
    ],
)
def test_metric_by_hand(metric: str, exact: Fraction) -> None:
    assert metric_value(tiny(), metric, ALL) == pytest.approx(float(exact), rel=1e-14)


def test_rmsse_by_hand() -> None:
    # Paths: sqrt((4 + 25) / 2 / 4) and sqrt((0 + 9) / 2 / 16), averaged.
    expected = ((29 / 8) ** 0.5 + (9 / 32) ** 0.5) / 2
    assert metric_value(tiny(), "rmsse", ALL) == pytest.approx(expected, rel=1e-14)


def test_skill_compares_with_the_baseline_on_the_same_cells() -> None:
    naive = errors_of(tiny().actual, tiny().actual + 5.0)
    assert metric_value(tiny(), "skill_wape", ALL, baseline=naive) == pytest.approx(1 - 10 / 20)


def test_skill_against_other_outcomes_is_refused() -> None:
    other = errors_of(tiny().actual + 1.0, tiny().median)
    with pytest.raises(ProtocolMalformed, match="same series"):
        metric_value(tiny(), "skill_wape", ALL, baseline=other)


def test_metric_on_part_of_the_cells() -> None:
    first = np.array([[True, False]])
    assert metric_value(tiny(), "wape", first) == pytest.approx(2 / 14)


def one(errors: RollingErrors, metric: str, **options: object) -> Estimate:
    (estimate,) = forecast_estimates(errors, metrics=[metric], **options)  # type: ignore[arg-type]
    return estimate


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("metric", "errors", "note"),
    [
        ("mase", tiny(scale=np.array([[2.0], [0.0]])), "s0001 has a seasonal scale of zero"),
        ("rmsse", tiny(scale=np.array([[0.0], [1.0]])), "s0000 has a seasonal scale of zero"),
        ("pinball", tiny(scale=np.array([[0.0], [1.0]])), "scale of zero"),
        ("pinball", tiny(quantiles={}), "no quantiles"),
        ("coverage_80", tiny(quantiles={}), "no quantile 0.1"),
        ("coverage_95", tiny(), "no quantile 0.025"),
        ("skill_wape", tiny(), "no baseline"),
        ("wape", errors_of(np.zeros((1, 1, 2)), np.ones((1, 1, 2))), "more than zero"),
        ("bias", errors_of(-np.ones((1, 1, 2)), np.ones((1, 1, 2))), "more than zero"),
        ("under_forecast", errors_of(np.zeros((1, 1, 2)), np.ones((1, 1, 2))), "more than zero"),
    ],
)
def test_metric_without_denominator_is_undefined(
    metric: str, errors: RollingErrors, note: str
) -> None:
    estimate = one(errors, metric)
    assert estimate.value is None
    assert note in estimate.note


@pytest.mark.requirement("P8")
def test_skill_against_a_perfect_baseline_is_undefined() -> None:
    estimate = one(tiny(), "skill_wape", baseline=errors_of(tiny().actual, tiny().actual))
    assert estimate.value is None
    assert "makes no error" in estimate.note


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="accuracy"):
        one(tiny(), "accuracy")


def test_membership_needs_both_limits() -> None:
    with pytest.raises(ForecastMalformed):
        inside(tiny(), "0.95")


@pytest.mark.parametrize(
    ("coverage", "levels"),
    [("0.8", ("0.1", "0.9")), ("0.95", ("0.025", "0.975")), ("0.5", ("0.25", "0.75"))],
)
def test_levels_of_an_interval_are_exact(coverage: str, levels: tuple[str, str]) -> None:
    assert interval_levels(coverage) == levels


def test_outcome_on_the_limit_is_inside() -> None:
    cells = np.full((1, 1, 2), 5.0)
    errors = errors_of(cells, cells, quantiles={"0.1": cells, "0.9": cells})
    assert metric_value(errors, "coverage_80", ALL) == 1.0


def test_perfect_forecast_makes_no_error() -> None:
    (run,) = simulated_errors(np.random.default_rng(1), repeats=1)
    perfect = errors_of(run.actual, run.actual, scale=run.scale)
    for metric in ("mase", "rmsse", "wape", "bias", "under_forecast"):
        assert one(perfect, metric).value == 0.0


@given(st.floats(0.01, 100.0))
def test_scaled_metrics_do_not_depend_on_the_unit(factor: float) -> None:
    (run,) = simulated_errors(np.random.default_rng(2), repeats=1)
    other = errors_of(run.actual * factor, run.median * factor, scale=run.scale * factor)
    mask = np.ones((5, 12), dtype=np.bool_)
    for metric in ("mase", "rmsse", "wape", "bias", "under_forecast"):
        before = metric_value(run, metric, mask)
        assert metric_value(other, metric, mask) == pytest.approx(before, rel=1e-9, abs=1e-12)


def test_every_estimate_names_its_unit_n_and_number_of_errors() -> None:
    (run,) = simulated_errors(np.random.default_rng(4), repeats=1)
    for estimate in forecast_estimates(run, metrics=METRICS, baseline=run):
        assert (estimate.n, estimate.unit) == (5, "origin")
        assert estimate.source == "series"
    assert one(run, "wape").note == "480 monthly errors of 8 series"


def test_intervals_stay_inside_the_range_of_the_metric() -> None:
    for run in simulated_errors(np.random.default_rng(6), repeats=20, count=2):
        for estimate in forecast_estimates(
            run, metrics=("mase", "rmsse", "wape", "under_forecast")
        ):
            low, high = bounds_of(estimate.metric)
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.value is not None
            assert low <= estimate.low <= estimate.value <= estimate.high <= high


def test_restricted_cells_count_only_their_own_errors() -> None:
    (run,) = simulated_errors(np.random.default_rng(7), repeats=1)
    cells = np.zeros((5, 12), dtype=np.bool_)
    cells[2] = True
    estimate = one(run, "wape", cells=cells)
    assert estimate.note.startswith("96 monthly errors")
    assert (estimate.n, estimate.low) == (1, None)


def test_defined_metric_has_no_reason_to_be_undefined() -> None:
    assert why_undefined(tiny(), "mase") == ""
