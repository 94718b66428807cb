from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from audits.criteria import judge, overall
from audits.errors import SeriesTooShort
from audits.estimate import Verdict
from audits.forecasting.forecast_metrics import METRICS, forecast_estimates
from audits.forecasting.rolling_origin import PathForecast, evaluate, origins
from audits.forecasting.seasonal_naive import seasonal_naive
from audits.sources.series import Month, MonthlySeries, Panel
from models.entry import parse_entry
from models.errors import ContractRefused, FitRefused
from models.forecasting.fitting import fit
from models.forecasting.loader import load_pbs
from models.forecasting.members import MEMBERS, ensemble, member_forecasts
from models.forecasting.method import (
    bottom_up,
    conformal_spread,
    ensemble_forecaster,
    point_forecaster,
)
from models.forecasting.predictor import KIND
from models.forecasting.simulate import plant_level_shift
from models.forecasting.totals import total_panel
from models.predictor import load_predictor
from tests.unit.models.samples import document_text

FAST = ("AutoTheta", "AutoCES")


def seasonal(*, months: int = 96, level: float = 1000.0, wobble: float = 7.0) -> tuple[float, ...]:
    """Return an invented series: trend, season and a repeatable disturbance."""
    return tuple(
        level + 3.0 * t + 90.0 * math.sin(t * math.pi / 6) + wobble * ((t * 37) % 11 - 5)
        for t in range(months)
    )


def one(key: str, values: tuple[float, ...], *, group: str | None = None) -> MonthlySeries:
    start = Month(2005, 12).plus(1 - len(values))
    return MonthlySeries(key=key, start=start, values=values, group=group)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return Panel(
        series=(
            one("L01/General", seasonal(), group="General"),
            one("L01/Concessional", seasonal(level=400.0), group="Concessional"),
        )
    )


# --- members and ensemble ------------------------------------------------------------------------


def test_the_ensemble_is_the_median_of_its_members_month_by_month() -> None:
    paths = {"a": (1.0, 9.0), "b": (2.0, 8.0), "c": (10.0, 7.0), "d": (4.0, 1.0)}
    assert ensemble(paths) == (3.0, 7.5)


def test_every_member_gives_a_finite_path_that_is_not_negative() -> None:
    falling = tuple(max(0.0, 200.0 - 3.0 * t + 5 * (t % 12)) for t in range(60))
    paths = member_forecasts()(falling)
    assert tuple(paths) == MEMBERS
    for path in paths.values():
        assert len(path) == 24
        assert all(math.isfinite(value) and value >= 0 for value in path)


def test_equal_histories_give_equal_paths_to_the_last_bit() -> None:
    values = seasonal(months=60)
    assert member_forecasts()(values) == member_forecasts()(values)


@pytest.mark.parametrize(
    "values",
    [seasonal(months=23), (*seasonal(months=30), -1.0), (0.0,) * 48],
    ids=["less than two seasons", "negative demand", "no demand at all"],
)
def test_a_history_that_carries_no_forecast_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(FitRefused, match="carry no forecast"):
        member_forecasts(FAST)(values)


@pytest.mark.parametrize("members", [(), ("AutoETS", "Oracle")])
def test_a_member_that_the_method_does_not_have_is_refused(members: tuple[str, ...]) -> None:
    with pytest.raises(FitRefused, match="no member"):
        member_forecasts(members)


def test_a_level_that_never_moves_is_forecast_to_stay() -> None:
    assert ensemble(member_forecasts()((50.0,) * 48)) == pytest.approx((50.0,) * 24)


@pytest.mark.parametrize("horizon", [0, 25, -1])
def test_a_horizon_the_method_is_not_meant_for_is_refused(panel: Panel, horizon: int) -> None:
    for forecaster in (ensemble_forecaster(members=FAST), point_forecaster()):
        with pytest.raises(FitRefused, match="months ahead"):
            forecaster(panel, horizon)


# --- time (P9) -----------------------------------------------------------------------------------


def test_a_forecast_does_not_change_when_the_future_does(panel: Panel) -> None:
    origin = panel.end.plus(-12)
    shifted = Panel(
        series=tuple(
            plant_level_shift(each, from_month=origin.plus(1), factor=5.0).series
            for each in panel.series
        )
    )
    paths = member_forecasts(FAST)
    ours, theirs = (
        evaluate(each, forecaster=point_forecaster(paths), origins=[origin], horizon=12)
        for each in (panel, shifted)
    )
    assert (ours.median == theirs.median).all()
    assert not (ours.actual == theirs.actual).any()


def test_intervals_at_an_origin_are_learnt_before_it(panel: Panel) -> None:
    origin = panel.end.plus(-6)
    forecaster = ensemble_forecaster(members=FAST)
    seen = forecaster(panel.until(origin), 6)
    shifted = plant_level_shift(panel.series[0], from_month=origin.plus(1), factor=3.0).series
    again = forecaster(Panel(series=(shifted, panel.series[1])).until(origin), 6)
    assert seen == again


def test_a_history_too_short_to_calibrate_on_gives_no_interval() -> None:
    short = Panel(series=(one("L01/General", seasonal(months=56)),))
    with pytest.raises(SeriesTooShort):
        ensemble_forecaster(members=FAST)(short, 12)


def test_limits_never_cross_and_always_hold_the_median(panel: Panel) -> None:
    for path in ensemble_forecaster(members=FAST)(panel, 24).values():
        assert list(path.quantiles) == ["0.025", "0.1", "0.9", "0.975"]
        low, lower, upper, high = path.quantiles.values()
        for rungs in zip(low, lower, path.median, upper, high, strict=True):
            assert list(rungs) == sorted(rungs)


def test_the_last_band_is_learnt_from_whole_paths_only(panel: Panel) -> None:
    spread = conformal_spread(panel, point_forecaster(member_forecasts(FAST)), horizon=24)
    assert spread.bands == (3, 6, 12, 24)
    assert spread.n == {"all": (2 * 8 * 3, 2 * 8 * 3, 2 * 8 * 6, 2 * 8 * 12)}


def test_a_single_series_is_calibrated_on_more_origins() -> None:
    alone = Panel(series=(one("A10/total", seasonal()),))
    spread = conformal_spread(alone, point_forecaster(member_forecasts(FAST)), horizon=12)
    assert spread.n == {"all": (13 * 3, 13 * 3, 13 * 6)}


# --- totals --------------------------------------------------------------------------------------


def test_a_total_is_forecast_as_the_sum_of_its_parts(panel: Panel) -> None:
    paths = member_forecasts(FAST)
    totals = total_panel(panel)
    assert totals is not None
    parts = point_forecaster(paths)(panel, 3)
    total = bottom_up(panel, paths)(totals, 3)["L01/total"]
    for step in range(3):
        assert total.median[step] == pytest.approx(sum(p.median[step] for p in parts.values()))


def test_a_total_starts_where_its_last_part_starts() -> None:
    early, late = one("L03/General", (1.0,) * 5), one("L03/Concessional", (2.0,) * 3)
    totals = total_panel(Panel(series=(early, late)))
    assert totals is not None
    (total,) = totals.series
    assert (total.start, total.values) == (late.start, (3.0, 3.0, 3.0))


def test_a_series_that_is_a_total_already_has_no_total() -> None:
    assert total_panel(Panel(series=(one("A10/total", (1.0,)), one("H02/total", (1.0,))))) is None


@pytest.mark.parametrize("key", ["L01", "L01/", "/General", "L01/a/b"])
def test_a_key_that_is_no_class_and_concession_is_refused(key: str) -> None:
    with pytest.raises(FitRefused, match="class/concession"):
        total_panel(Panel(series=(one(key, (1.0,)),)))


# --- the artifact --------------------------------------------------------------------------------


def test_what_is_served_is_what_the_audited_method_says(panel: Panel) -> None:
    audited = ensemble_forecaster(members=FAST)(panel, 12)
    parameters = fit(panel, unit="prescriptions", horizon=12, members=FAST)
    predictor = load_predictor(KIND, parameters)
    for key, path in audited.items():
        name, concession = key.split("/")
        for step in (0, 5, 11):
            row = {"product_class": name, "concession": concession, "horizon": step + 1}
            (answer,) = predictor.predict([row])
            assert answer.prediction is not None
            served = answer.prediction["quantiles"]
            assert isinstance(served, dict)
            assert _floats(served) == pytest.approx(_quantiles(path, step), rel=1e-5)


def _quantiles(path: PathForecast, step: int) -> dict[str, float]:
    return {level: rungs[step] for level, rungs in {**path.quantiles, "0.5": path.median}.items()}


def _floats(served: Mapping[str, object]) -> dict[str, float]:
    return {level: float(str(value)) for level, value in served.items()}


def test_the_artifact_holds_series_and_totals_and_says_what_it_is(panel: Panel) -> None:
    parameters = fit(panel, unit="prescriptions", horizon=12, members=FAST)
    assert parameters["origin"] == "2005-12"
    assert parameters["method"] == "median of AutoTheta, AutoCES"
    series = parameters["series"]
    assert isinstance(series, dict)
    assert sorted(series) == ["L01/Concessional", "L01/General", "L01/total"]


def test_fitting_twice_gives_the_same_artifact(panel: Panel) -> None:
    first = fit(panel, unit="prescriptions", horizon=6, members=FAST)
    assert first == fit(panel, unit="prescriptions", horizon=6, members=FAST)


def test_a_panel_too_short_to_calibrate_on_is_not_fitted() -> None:
    with pytest.raises(FitRefused):
        fit(Panel(series=(one("A10/total", seasonal(months=60)),)), unit="AUD", members=FAST)


# --- planted faults ------------------------------------------------------------------------------


def test_a_planted_shift_says_that_it_is_planted(panel: Panel) -> None:
    series = panel.series[0]
    planted = plant_level_shift(series, from_month=series.end, factor=1.5)
    assert planted.label.startswith("PLANTED")
    assert planted.series.values[:-1] == series.values[:-1]
    assert planted.series.values[-1] == series.values[-1] * 1.5


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0, math.inf, math.nan])
def test_a_shift_that_is_none_cannot_be_planted(panel: Panel, factor: float) -> None:
    with pytest.raises(ContractRefused, match="a planted shift"):
        plant_level_shift(panel.series[0], from_month=panel.end, factor=factor)


@pytest.mark.parametrize("months", [0, 96])
def test_a_shift_outside_the_series_cannot_be_planted(panel: Panel, months: int) -> None:
    series = panel.series[0]
    with pytest.raises(ContractRefused, match="not inside"):
        plant_level_shift(series, from_month=series.start.plus(months), factor=2.0)


# --- the floors, on real data --------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.slow
def test_the_oncology_forecast_meets_its_floors_on_the_public_months(test_data: Path) -> None:
    with (test_data / "forecasting/pbs_L_oncology_monthly.csv").open(encoding="utf-8") as stream:
        panel = load_pbs(stream).panel
    tested = origins(panel, count=5, horizon=12, step=12)
    ours = evaluate(panel, forecaster=ensemble_forecaster(), origins=tested, horizon=12)
    naive = evaluate(panel, forecaster=seasonal_naive, origins=tested, horizon=12)
    floors = parse_entry(document_text("entry")).task("demand").floors
    judgements = []
    for population in ("all", "General", "Concessional"):
        rows = [s for s, g in enumerate(ours.groups) if population in ("all", g)]
        estimates = {
            estimate.metric: estimate
            for estimate in forecast_estimates(
                ours.select(series=rows),
                metrics=METRICS,
                baseline=naive.select(series=rows),
                population=population,
            )
        }
        judgements += [
            judge(floor.as_criterion(), estimates[floor.metric])
            for floor in floors
            if floor.population == population
        ]
    assert len(judgements) == len(floors)
    assert overall(judgements) is Verdict.PASS, [(j.criterion, j.reason) for j in judgements]
