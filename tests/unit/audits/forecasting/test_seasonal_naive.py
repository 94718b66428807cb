"""The baseline repeats last year, with limits from its own differences."""

from __future__ import annotations

import math

import pytest

from audits.errors import ProtocolMalformed, SeriesTooShort
from audits.forecasting.rolling_origin import evaluate, origins
from audits.forecasting.seasonal_naive import LEVELS, seasonal_naive
from audits.sources.series import Panel
from tests.unit.audits.forecasting.panels import seasonal_panel, series


def test_next_july_is_last_july() -> None:
    values = [float(i) for i in range(36)]
    path = seasonal_naive(Panel(series=(series("a", values),)), 15)["a"]
    assert path.median == (*values[24:36], *values[24:27])


def test_limits_are_finite_sample_quantiles_of_the_seasonal_differences() -> None:
    # 24 differences of absolute size 1..24; rank ceil(25 * 0.8) = 20, ceil(25 * 0.95) = 24.
    values = [1000.0] * 12
    for i in range(24):
        values.append(values[-12] + (i + 1) * (-1) ** i)
    path = seasonal_naive(Panel(series=(series("a", values),)), 13)["a"]
    assert tuple(path.quantiles) == LEVELS
    assert path.quantiles["0.9"][0] - path.median[0] == 20.0
    assert path.median[0] - path.quantiles["0.1"][0] == 20.0
    assert path.quantiles["0.975"][0] - path.median[0] == 24.0
    wider = path.quantiles["0.9"][12] - path.median[12]
    assert wider == pytest.approx(20.0 * math.sqrt(2))


def test_demand_never_has_a_negative_limit() -> None:
    values = [0.0] * 12 + [500.0] * 12 + [1.0] * 12
    path = seasonal_naive(Panel(series=(series("a", values),)), 12)["a"]
    assert set(path.quantiles["0.025"]) == {0.0}


def test_negative_history_keeps_negative_limits() -> None:
    values = [-5.0, 5.0] * 6 + [0.0] * 12
    path = seasonal_naive(Panel(series=(series("a", values),)), 12)["a"]
    assert min(path.quantiles["0.025"]) < 0.0


def test_less_than_two_seasons_is_refused() -> None:
    with pytest.raises(SeriesTooShort):
        seasonal_naive(Panel(series=(series("a", [1.0] * 23),)), 12)


def test_horizon_of_nothing_is_refused() -> None:
    with pytest.raises(ProtocolMalformed):
        seasonal_naive(seasonal_panel(), 0)


def test_its_forecasts_pass_the_checks_of_the_evaluation() -> None:
    panel = seasonal_panel()
    errors = evaluate(
        panel,
        forecaster=seasonal_naive,
        origins=origins(panel, count=3, horizon=24, step=12),
        horizon=24,
    )
    assert set(errors.quantiles) == set(LEVELS)
