"""Rolling origins: the past only, complete answers only, outcomes in their place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from audits.errors import ForecastMalformed, ProtocolMalformed, SeriesTooShort
from audits.forecasting.rolling_origin import Forecaster, PathForecast, evaluate, origins
from audits.sources.series import Month, Panel
from tests.unit.audits.forecasting.panels import errors_of, flat_forecaster, seasonal_panel


def test_last_origin_leaves_the_whole_path_observed() -> None:
    chosen = origins(seasonal_panel(), count=5, horizon=12, step=12)
    assert [str(one) for one in chosen] == ["2004-12", "2005-12", "2006-12", "2007-12", "2008-12"]


@pytest.mark.parametrize(
    ("count", "horizon", "step"), [(0, 12, 12), (5, 0, 12), (5, 12, 0), (-1, 12, 12)]
)
def test_empty_protocol_is_refused(count: int, horizon: int, step: int) -> None:
    with pytest.raises(ProtocolMalformed):
        origins(seasonal_panel(), count=count, horizon=horizon, step=step)


def test_origin_without_enough_history_is_refused() -> None:
    with pytest.raises(SeriesTooShort, match="fewer than 24"):
        origins(seasonal_panel(), count=9, horizon=12, step=12)


def test_origin_whose_path_is_not_observed_is_refused() -> None:
    with pytest.raises(SeriesTooShort, match="not all observed"):
        origins(seasonal_panel(), count=1, horizon=12, step=12, last=Month(2009, 1))


@pytest.mark.requirement("P9")
def test_forecaster_is_handed_nothing_after_the_origin() -> None:
    panel = seasonal_panel()
    seen: list[Panel] = []

    def recording(past: Panel, horizon: int) -> Mapping[str, PathForecast]:
        seen.append(past)
        return flat_forecaster()(past, horizon)

    chosen = origins(panel, count=5, horizon=12, step=12)
    evaluate(panel, forecaster=recording, origins=chosen, horizon=12)
    assert [past.end for past in seen] == list(chosen)
    for past in seen:
        for short, full in zip(past.series, panel.series, strict=True):
            length = past.end.minus(full.start) + 1
            assert short.values == full.values[:length]


@pytest.mark.requirement("P9")
def test_future_values_do_not_change_earlier_forecasts() -> None:
    panel = seasonal_panel()
    chosen = origins(panel, count=2, horizon=12, step=12)
    shifted = Panel(
        series=tuple(
            replace(one, values=(*one.values[:-12], *(x + 1000.0 for x in one.values[-12:])))
            for one in panel.series
        )
    )
    before = evaluate(panel, forecaster=flat_forecaster(), origins=chosen, horizon=12)
    after = evaluate(shifted, forecaster=flat_forecaster(), origins=chosen, horizon=12)
    assert np.array_equal(before.median, after.median)
    assert np.array_equal(before.scale, after.scale)
    assert not np.array_equal(before.actual, after.actual)


def test_actual_of_a_step_is_the_value_of_its_month() -> None:
    panel = seasonal_panel()
    chosen = origins(panel, count=3, horizon=6, step=4)
    errors = evaluate(panel, forecaster=flat_forecaster(), origins=chosen, horizon=6)
    for s, one in enumerate(panel.series):
        for o in range(3):
            for h in range(6):
                month = errors.month(o, h)
                assert errors.actual[s, o, h] == one.window(month, month)[0]


def test_scale_is_that_of_the_training_window() -> None:
    panel = seasonal_panel()
    chosen = origins(panel, count=2, horizon=12, step=12)
    errors = evaluate(panel, forecaster=flat_forecaster(), origins=chosen, horizon=12)
    history = np.array(panel.series[0].values[:96])
    steps = history[12:] - history[:-12]
    assert chosen[0] == Month(2007, 12)
    assert errors.scale[0, 0] == pytest.approx(abs(steps).mean(), rel=1e-12)
    assert errors.scale_squared[0, 0] == pytest.approx((steps**2).mean(), rel=1e-12)


def _spoil(**changes: object) -> Forecaster:
    def forecast(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        answers = dict(flat_forecaster()(panel, horizon))
        answers["b"] = replace(answers["b"], **changes)  # type: ignore[arg-type]
        return answers

    return forecast


def _lacking(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
    answers = flat_forecaster()(panel, horizon)
    return {key: path for key, path in answers.items() if key != "c"}


def _inventing(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
    answers = dict(flat_forecaster()(panel, horizon))
    return {**answers, "z": replace(answers["a"], key="z")}


@pytest.mark.parametrize(
    ("forecaster", "fault"),
    [
        (_lacking, "do not match"),
        (_inventing, "do not match"),
        (_spoil(key="a"), "says that it is of"),
        (_spoil(origin=Month(1999, 1)), "says that it is of"),
        (_spoil(median=(200.0,) * 11), "12 steps"),
        (_spoil(median=(math.nan,) * 12), "finite"),
        (_spoil(quantiles={"0.1": (math.inf,) * 12}), "finite"),
        (_spoil(quantiles={"0.1": (1.0,) * 11}), "12 steps"),
        (_spoil(quantiles={"0.1": (1e9,) * 12}), "crossing"),
        (_spoil(quantiles={"0.1": (1.0,) * 12, "0.9": (0.5,) * 12}), "crossing"),
        (_spoil(quantiles={"1.5": (1e9,) * 12}), "not a probability"),
        (_spoil(quantiles={"high": (1e9,) * 12}), "not a probability"),
        (_spoil(quantiles={"0.1": (0.0,) * 12}), "same quantile levels"),
    ],
)
def test_incomplete_or_impossible_forecast_is_not_scored(
    forecaster: Forecaster, fault: str
) -> None:
    panel = seasonal_panel()
    with pytest.raises(ForecastMalformed, match=fault):
        evaluate(
            panel,
            forecaster=forecaster,
            origins=origins(panel, count=2, horizon=12, step=12),
            horizon=12,
        )


@pytest.mark.parametrize(
    "chosen",
    [(), (Month(2007, 1), Month(2006, 1)), (Month(2006, 1), Month(2006, 1))],
    ids=["none", "backwards", "twice"],
)
def test_origins_out_of_order_are_refused(chosen: tuple[Month, ...]) -> None:
    with pytest.raises(ProtocolMalformed):
        evaluate(seasonal_panel(), forecaster=flat_forecaster(), origins=chosen, horizon=12)


def test_outcome_that_was_not_observed_is_refused() -> None:
    with pytest.raises(SeriesTooShort):
        evaluate(
            seasonal_panel(), forecaster=flat_forecaster(), origins=[Month(2009, 6)], horizon=12
        )


def test_error_arrays_cannot_be_written() -> None:
    errors = errors_of(np.ones((2, 3, 4)), np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="read-only"):
        errors.actual[0, 0, 0] = 5.0
    with pytest.raises(ForecastMalformed, match="shape"):
        replace(errors, median=np.ones((2, 3, 5)))


def test_table_has_one_row_a_cell_and_no_binary_fraction() -> None:
    panel = seasonal_panel()
    chosen = origins(panel, count=2, horizon=3, step=3)
    errors = evaluate(panel, forecaster=flat_forecaster(), origins=chosen, horizon=3)
    table = errors.as_table()
    assert len(table) == 4 * 2 * 3
    first = table[0]
    assert isinstance(first, dict)
    assert (first["key"], first["origin"], first["month"], first["step"]) == (
        "a",
        "2009-06",
        "2009-07",
        1,
    )
    assert isinstance(first["actual"], str)
    assert isinstance(first["quantiles"], dict)
    assert list(first["quantiles"]) == ["0.025", "0.1", "0.9", "0.975"]


def test_selection_keeps_what_was_asked_for() -> None:
    cells = np.arange(24.0).reshape(2, 3, 4)
    part = errors_of(cells, cells, quantiles={"0.9": cells}).select(series=[1], origins=[0, 2])
    assert part.keys == ("s0001",)
    assert np.array_equal(part.quantiles["0.9"], cells[[1]][:, [0, 2]])
