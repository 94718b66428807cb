"""Our metrics against exact fractions and against a second implementation."""

from __future__ import annotations

import json
import warnings
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from audits.forecasting.forecast_metrics import METRICS, forecast_estimates
from audits.forecasting.rolling_origin import Forecaster, PathForecast, RollingErrors, evaluate
from audits.forecasting.seasonal_naive import seasonal_naive
from audits.sources.series import Month, MonthlySeries, Panel
from tests.golden.audits import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

START = Month(2000, 1)
ORIGINS = tuple(START.plus(t) for t in generate.ORIGINS)
LEVELS = [float(p) for p in generate.OFFSETS]


def panel() -> Panel:
    return Panel(
        series=tuple(
            MonthlySeries(key=f"s{s}", start=START, values=tuple(map(float, generate.history(s))))
            for s in range(3)
        )
    )


def _forecast(past: Panel, horizon: int) -> Mapping[str, PathForecast]:
    answers = {}
    for s, one in enumerate(past.series):
        origin = one.end.minus(START)
        path = tuple(float(generate.median(s, origin, h + 1)) for h in range(horizon))
        answers[one.key] = PathForecast(
            key=one.key,
            origin=one.end,
            median=path,
            quantiles={p: tuple(x + d for x in path) for p, d in generate.OFFSETS.items()},
        )
    return answers


def _errors(forecaster: Forecaster) -> RollingErrors:
    return evaluate(panel(), forecaster=forecaster, origins=ORIGINS, horizon=generate.HORIZON)


@pytest.fixture(scope="module")
def ours() -> dict[str, float | None]:
    estimates = forecast_estimates(
        _errors(_forecast), metrics=METRICS, baseline=_errors(seasonal_naive)
    )
    return {one.metric: one.value for one in estimates}


def test_file_is_what_the_generator_writes() -> None:
    assert json.loads(generate.FILE.read_text(encoding="utf-8")) == generate.document()


def test_vectors_are_not_trivial() -> None:
    for name, text in json.loads(generate.FILE.read_text(encoding="utf-8"))["exact"].items():
        assert Fraction(text) not in {0, 1}, name


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "rmsse"])
def test_metric_equals_the_exact_fraction(metric: str, ours: dict[str, float | None]) -> None:
    frozen = json.loads(generate.FILE.read_text(encoding="utf-8"))["exact"]
    assert ours[metric] == pytest.approx(float(Fraction(frozen[metric])), rel=1e-12)


def test_rmsse_equals_the_roots_of_the_exact_squares(ours: dict[str, float | None]) -> None:
    squares = json.loads(generate.FILE.read_text(encoding="utf-8"))["rmsse_squares"]
    with localcontext() as context:
        context.prec = 50
        roots = [
            (Decimal(x.numerator) / Decimal(x.denominator)).sqrt() for x in map(Fraction, squares)
        ]
        mean = sum(roots, Decimal(0)) / len(roots)
    assert ours["rmsse"] == pytest.approx(float(mean), rel=1e-12)


def _frames(origin: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    past, future = [], []
    for s in range(3):
        values = generate.history(s)
        past += [{"unique_id": s, "ds": t, "y": float(values[t])} for t in range(origin + 1)]
        for h in range(1, generate.HORIZON + 1):
            middle = generate.median(s, origin, h)
            row = {"unique_id": s, "ds": origin + h, "y": float(values[origin + h]), "m": middle}
            moved = {f"m{p}": float(middle + d) for p, d in generate.OFFSETS.items()}
            limits = {
                "m-lo-80": moved["m0.1"],
                "m-hi-80": moved["m0.9"],
                "m-lo-95": moved["m0.025"],
                "m-hi-95": moved["m0.975"],
            }
            future.append({**row, **moved, **limits})
    return pd.DataFrame(past), pd.DataFrame(future)


def _theirs() -> dict[str, float]:
    from utilsforecast import losses

    found: dict[str, list[float]] = {}
    names = [f"m{p}" for p in generate.OFFSETS]
    for origin in generate.ORIGINS:
        past, future = _frames(origin)
        scores = {
            "mase": losses.mase(future, ["m"], 12, past),
            "rmsse": losses.rmsse(future, ["m"], 12, past),
            "pinball": losses.scaled_mqloss(future, {"m": names}, np.array(LEVELS), 12, past),
            "coverage_80": losses.coverage(future, ["m"], 80),
            "coverage_95": losses.coverage(future, ["m"], 95),
        }
        for metric, frame in scores.items():
            found.setdefault(metric, []).append(float(frame["m"].mean()))
    return {metric: sum(values) / len(values) for metric, values in found.items()}


def test_second_implementation_agrees(ours: dict[str, float | None]) -> None:
    with warnings.catch_warnings():
        # A docstring of the library holds an escape that compilers warn about
        # (a deprecation in Python 3.11, a syntax warning from 3.12 on).
        warnings.simplefilter("ignore", category=DeprecationWarning)
        warnings.simplefilter("ignore", category=SyntaxWarning)
        theirs = _theirs()
    for metric, value in theirs.items():
        assert ours[metric] == pytest.approx(value, rel=1e-9), metric
