"""One frozen protocol from panel to verdict: reproducible, complete, insufficient where it must."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audits.criteria import Criterion
from audits.errors import CalibrationTooSmall, ProtocolMalformed, SeriesTooShort
from audits.estimate import Verdict
from audits.forecasting.forecast_metrics import METRICS
from audits.forecasting.groups import GroupComparison, NoSubgroup
from audits.forecasting.rolling_origin import Forecaster, PathForecast
from audits.forecasting.seasonal_naive import seasonal_naive
from audits.forecasting.temporal_validation import TemporalProtocol, TemporalReport, run
from audits.sources.series import Month, MonthlySeries, Panel
from tests.unit.audits.forecasting.panels import seasonal_panel

PROTOCOL = TemporalProtocol(origins=5, horizon=12, step=12, seed=7, replicates=500)
MASE = Criterion(
    id="mase",
    metric="mase",
    direction="at_most",
    floor=0.8,
    reading="excludes_baseline",
    baseline=1,
)


def noisy_panel(*, months: int = 168, groups: tuple[str | None, ...] = ("x", "x", "y")) -> Panel:
    rng = np.random.default_rng(17)
    t = np.arange(months)
    return Panel(
        series=tuple(
            MonthlySeries(
                key=f"k{i}",
                start=Month(1990, 1),
                values=tuple(
                    float(x)
                    for x in 500.0
                    * (i + 1)
                    * np.exp(0.2 * np.sin(2 * np.pi * t / 12) + 0.08 * rng.standard_normal(months))
                ),
                group=group,
            )
            for i, group in enumerate(groups)
        )
    )


def three_year_mean(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
    """Mean of the same month in the last three years: beats the naive on stationary demand."""
    answers = {}
    for one in panel.series:
        past = np.array(one.values)[-36:].reshape(3, 12).mean(axis=0)
        path = tuple(float(past[h % 12]) for h in range(horizon))
        answers[one.key] = PathForecast(
            key=one.key,
            origin=one.end,
            median=path,
            quantiles={
                level: tuple(x * factor for x in path)
                for level, factor in (("0.025", 0.8), ("0.1", 0.88), ("0.9", 1.12), ("0.975", 1.2))
            },
        )
    return answers


def report(
    panel: Panel | None = None,
    *,
    forecaster: Forecaster = three_year_mean,
    protocol: TemporalProtocol = PROTOCOL,
    criteria: tuple[Criterion, ...] = (MASE,),
) -> TemporalReport:
    return run(
        noisy_panel() if panel is None else panel,
        forecaster=forecaster,
        baseline=seasonal_naive,
        protocol=protocol,
        criteria=criteria,
        rng=np.random.default_rng(protocol.seed),
    )


def test_same_run_gives_the_same_bytes() -> None:
    first, second = (json.dumps(report().as_record(), sort_keys=True).encode() for _ in range(2))
    assert first == second


def _fractions(x: object) -> list[float]:
    if isinstance(x, float):
        return [x]
    if isinstance(x, dict):
        return [found for one in x.values() for found in _fractions(one)]
    return [found for one in x for found in _fractions(one)] if isinstance(x, list) else []


def test_record_holds_no_binary_fraction() -> None:
    assert _fractions(report().as_record()) == []


def test_record_holds_what_the_charts_need() -> None:
    record = report().as_record()
    model = record["model"]
    assert isinstance(model, dict)
    assert isinstance(model["forecasts"], list)
    assert len(model["forecasts"]) == 3 * 5 * 12
    for table, populations in (("by_step", 12), ("by_origin", 5), ("by_series", 3)):
        rows = model[table]
        assert isinstance(rows, list)
        assert len(rows) == populations * len(METRICS)
    assert record["protocol"]["seed"] == 7  # type: ignore[index]
    assert record["origins"] == ["1998-12", "1999-12", "2000-12", "2001-12", "2002-12"]


def test_better_forecaster_passes_and_the_baseline_itself_does_not() -> None:
    skill = Criterion(
        id="skill",
        metric="skill_wape",
        direction="at_least",
        floor=0.1,
        reading="excludes_baseline",
        baseline=0.0,
    )
    assert report(criteria=(skill,)).verdict is Verdict.PASS
    same = report(criteria=(skill,), forecaster=seasonal_naive)
    assert same.verdict is Verdict.FAIL
    assert {one.metric: one.value for one in same.model.estimates}["skill_wape"] == 0.0


@pytest.mark.requirement("P8")
def test_without_criteria_nothing_passes() -> None:
    assert report(criteria=()).verdict is Verdict.INSUFFICIENT


@pytest.mark.requirement("P8")
def test_two_origins_cannot_exclude_a_baseline() -> None:
    two = replace(PROTOCOL, origins=2)
    easy = replace(MASE, floor=5.0, baseline=9.0)
    assert report(protocol=two, criteria=(easy,)).verdict is Verdict.INSUFFICIENT


@pytest.mark.requirement("P8")
@pytest.mark.parametrize(
    ("groups", "reason"),
    [((None, None, None), "no series has a group"), (("x", "x", "y"), "no such group")],
)
def test_criterion_about_an_absent_group_is_insufficient(
    groups: tuple[str | None, ...], reason: str
) -> None:
    absent = replace(MASE, population="General", reading="point", baseline=None)
    result = report(noisy_panel(groups=groups), criteria=(absent,))
    assert result.verdict is Verdict.INSUFFICIENT
    assert reason in result.judgements[0].reason


def test_criterion_may_be_about_a_group_or_a_difference() -> None:
    for population in ("x", "y", "x minus y"):
        one = Criterion(
            id="c", metric="bias", direction="within", low=-9, high=9, population=population
        )
        assert report(criteria=(one,)).verdict is Verdict.PASS


def test_panel_of_one_group_says_so() -> None:
    assert isinstance(report(noisy_panel(groups=("x", "x", "x"))).groups, NoSubgroup)
    assert isinstance(report().groups, GroupComparison)


@pytest.mark.requirement("P4")
@pytest.mark.parametrize(
    "criteria",
    [(replace(MASE, metric="accuracy"),), (MASE, MASE)],
    ids=["unmeasured metric", "one id twice"],
)
def test_impossible_criteria_are_refused_before_anything_is_forecast(
    criteria: tuple[Criterion, ...],
) -> None:
    def never(panel: Panel, horizon: int) -> Mapping[str, PathForecast]:
        pytest.fail("the forecaster was asked")

    with pytest.raises(ProtocolMalformed):
        report(forecaster=never, criteria=criteria)


@pytest.mark.parametrize(
    "changes",
    [
        {"origins": 0},
        {"horizon": 0},
        {"step": 0},
        {"calibration_origins": -1},
        {"calibration_step": 0},
        {"calibration_window": 0},
        {"metrics": ()},
        {"metrics": ("mase", "mase")},
        {"metrics": ("mase", "accuracy")},
        {"level": 1.0},
    ],
)
def test_impossible_protocol_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProtocolMalformed):
        replace(PROTOCOL, **changes)  # type: ignore[arg-type]


def test_protocol_longer_than_the_panel_is_refused() -> None:
    with pytest.raises(SeriesTooShort):
        report(protocol=replace(PROTOCOL, origins=13))


@pytest.mark.requirement("P9")
def test_conformal_protocol_calibrates_on_earlier_origins_only() -> None:
    protocol = replace(PROTOCOL, calibration_origins=5, calibration_step=12)
    result = report(protocol=protocol)
    assert [str(one) for one in result.calibration] == [f"{y}-12" for y in range(1993, 1998)]
    assert max(result.calibration) < min(result.origins)
    assert len(result.model.spreads) == 5
    # Each later origin knows one more year of outcomes.
    counts = [spread.n["all"][0] for spread in result.model.spreads]
    assert counts == [3 * 3 * n for n in (5, 6, 7, 8, 9)]
    assert set(result.baseline.errors.quantiles) == {"0.025", "0.1", "0.9", "0.975"}


@pytest.mark.requirement("P8")
def test_too_few_calibration_origins_are_refused_not_guessed() -> None:
    protocol = replace(PROTOCOL, calibration_origins=1, calibration_step=12)
    with pytest.raises(CalibrationTooSmall, match="1998-12"):
        report(noisy_panel(groups=(None, None, None)), protocol=protocol)


def test_panel_is_not_changed() -> None:
    panel = seasonal_panel()
    before = [one.values for one in panel.series]
    report(panel)
    assert [one.values for one in panel.series] == before


# --- the public prescriptions --------------------------------------------------------------------


@pytest.fixture(scope="module")
def prescriptions(test_data: Path) -> Panel:
    """Monthly oncology prescriptions by class and concession, 1991-07 to 2006-06."""
    path = test_data / "forecasting" / "pbs_L_oncology_monthly.csv"
    if not path.is_file():
        pytest.skip("the prescription series are not among the data sets")
    found: dict[tuple[str, str], dict[Month, float]] = defaultdict(lambda: defaultdict(float))
    with path.open(encoding="utf-8", newline="") as source:
        for row in csv.DictReader(source):
            key = (f"{row['ATC2']}/{row['Concession']}", row["Concession"])
            found[key][Month.parse(row["Month"][:7])] += float(row["Scripts"])
    return Panel(
        series=tuple(
            MonthlySeries(
                key=key,
                start=min(months),
                values=tuple(months[month] for month in sorted(months)),
                group=group,
            )
            for (key, group), months in found.items()
        )
    )


@pytest.mark.data
def test_seasonal_naive_on_the_prescriptions_is_as_measured_before(prescriptions: Panel) -> None:
    """Published beforehand for this panel by class: WAPE .086 (ours is by class and concession)."""
    result = report(prescriptions, forecaster=seasonal_naive)
    values = {one.metric: one for one in result.baseline.estimates}
    assert str(result.origins[-1]) == "2005-06"
    assert values["wape"].value == pytest.approx(0.085, abs=0.005)
    assert values["mase"].value is not None
    assert values["mase"].value > 1.0
    assert values["bias"].high is not None
    assert values["bias"].high < 0.0  # demand grew, and last year's month does not


@pytest.mark.data
def test_nested_intervals_on_the_prescriptions_hold_their_floor(prescriptions: Panel) -> None:
    protocol = replace(PROTOCOL, calibration_origins=5, by_series=True, coverages=("0.8",))
    metrics = tuple(name for name in METRICS if name != "coverage_95")
    result = report(prescriptions, protocol=replace(protocol, metrics=metrics))
    values = {one.metric: one.value for one in result.baseline.estimates}
    assert values["coverage_80"] is not None
    assert 0.65 <= values["coverage_80"] <= 0.95
    assert isinstance(result.groups, GroupComparison)
    assert set(result.groups.groups) == {"Concessional", "General"}
