"""Windows with too little are shown as such, and a trend is what the published tests say it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate
from audits.sources.sample import MISSING_TIME, Sample
from audits.temporal.strata import events, standard_error
from audits.temporal.windows import (
    Window,
    cochran_armitage,
    mann_kendall,
    performance_by_window,
    weighted_trend,
    windows_between,
)


def share(sample: Sample, population: str) -> Estimate:
    label = np.asarray(sample.label)
    value = float(label.mean())
    reach = 1.96 * (value * (1 - value) / label.size) ** 0.5
    return estimate(value, reach, population=population, n=label.size)


def estimate(
    value: float | None, reach: float, *, population: str = "all", n: int = 50
) -> Estimate:
    nothing = value is None
    return Estimate(
        metric="share",
        value=value,
        low=None if nothing else value - reach,  # type: ignore[operator]
        high=None if nothing else value + reach,  # type: ignore[operator]
        level=0.95,
        n=n,
        unit="patient",
        method="test",
        population=population,
        note="none" if nothing else "",
    )


def sample() -> Sample:
    at = np.array([*[10] * 40, *[20] * 40, *[30] * 6, MISSING_TIME], dtype=np.int64)
    label = np.array([*[0, 1] * 20, *[0, 0, 0, 1] * 10, *[0, 1] * 3, 1], dtype=float)
    return Sample(subject=np.arange(at.size), label=label, times={"at": at}, unit="patient")


def by_window(**changes: Any) -> tuple[Estimate, ...]:
    arguments: dict[str, Any] = {
        "time": "at",
        "windows": windows_between((10, 20, 30, 40)),
        "metric": share,
        "name": "share",
        "level": 0.95,
        "minimum_events": 5,
    }
    return performance_by_window(sample(), **(arguments | changes))


@pytest.mark.requirement("P8")
def test_each_window_has_its_estimate_and_the_small_one_says_so() -> None:
    first, second, third = by_window()
    assert (first.value, second.value) == (0.5, 0.25)
    assert first.population == "window=10 to 20"
    assert third.value is None
    assert third.note == "insufficient: 3 events, 5 are needed"
    assert third.n == 6


def test_row_without_an_instant_is_in_no_window() -> None:
    assert sum(one.n for one in by_window()) == 86


def test_empty_window_is_shown() -> None:
    (empty,) = by_window(windows=(Window(50, 60, "later"),))
    assert empty.value is None
    assert empty.n == 0


def test_events_are_subjects_of_the_rarer_label() -> None:
    rows = Sample(subject=np.array([1, 1, 2, 3, 4]), label=np.array([1.0, 1.0, 1.0, 0.0, np.nan]))
    assert events(rows) == 1
    quantity = Sample(subject=np.array([1, 1, 2]), label=np.array([3.5, 4.0, 1.0]))
    assert events(quantity) == 2
    assert events(Sample(subject=np.array([1]))) == 0


def test_overlapping_windows_and_unknown_instants_are_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="overlap"):
        by_window(windows=(Window(10, 25, "a"), Window(20, 30, "b")))
    with pytest.raises(ProtocolMalformed, match="no instant"):
        by_window(time="when")
    with pytest.raises(ProtocolMalformed, match="ends before"):
        Window(3, 3, "empty")
    with pytest.raises(ProtocolMalformed, match="bounds"):
        windows_between((3, 2))
    with pytest.raises(ProtocolMalformed, match="bounds"):
        windows_between((3,))


def test_measure_that_answers_about_something_else_is_refused() -> None:
    with pytest.raises(ProtocolMalformed, match="asked for auroc of window=10 to 20, got share"):
        by_window(name="auroc")


ALCOHOL = ((48, 38, 5, 1, 1), (17114, 14502, 793, 127, 38), (0.0, 0.5, 1.5, 4.0, 7.0))


def test_cochran_armitage_is_that_of_the_alcohol_and_malformation_table() -> None:
    """Agresti, Categorical Data Analysis, table 5.3 (3rd edition): z^2 = 6.57, p = 0.010."""
    found = cochran_armitage(*ALCOHOL, name="malformation", level=0.95, per="drink a day")
    assert found.p == pytest.approx(0.010, abs=5e-4)
    assert found.windows == 5


def test_cochran_armitage_is_the_score_statistic_of_its_definition() -> None:
    hits, rows, at = (np.array(one, dtype=float) for one in ALCOHOL)
    label = np.concatenate(
        [np.repeat([1.0, 0.0], [r, n - r]) for r, n in zip(hits, rows, strict=True)]
    )
    x = np.repeat(at, rows.astype(int))
    # n r^2 is the statistic with the null variance: correlation row by row.
    z2 = label.size * np.corrcoef(label, x)[0, 1] ** 2
    from scipy.stats import chi2

    found = cochran_armitage(*ALCOHOL, name="malformation", level=0.95, per="drink a day")
    assert found.p == pytest.approx(chi2.sf(z2, 1), rel=1e-9)
    assert found.slope.value == pytest.approx(np.polyfit(x, label, 1)[0], rel=1e-9)


def test_weighted_trend_on_a_straight_line_finds_it() -> None:
    line = [estimate(0.9 - 0.02 * year, 0.01) for year in range(5)]
    found = weighted_trend(line, [2000.0 + year for year in range(5)], level=0.95, per="year")
    assert found.slope.value == pytest.approx(-0.02)
    assert found.slope.high is not None
    assert found.slope.high < 0
    assert found.p is not None
    assert found.p < 0.01


def test_weighted_trend_is_that_of_numpy_with_known_weights() -> None:
    values, reach = [0.8, 0.83, 0.7, 0.76, 0.71], [0.05, 0.02, 0.04, 0.03, 0.06]
    made = [estimate(v, r) for v, r in zip(values, reach, strict=True)]
    found = weighted_trend(made, range(5), level=0.95, per="year")
    se = np.array([standard_error(one) for one in made])
    slope, cov = np.polyfit(np.arange(5), values, 1, w=1 / se, cov=True)
    assert found.slope.value == pytest.approx(slope[0])
    assert found.slope.high is not None
    assert found.slope.value is not None
    # Q/(k - 2) exceeds one here, so the dispersion is the residuals' own, as in numpy.
    from scipy.stats import t

    assert found.slope.high - found.slope.value == pytest.approx(t.ppf(0.975, 3) * cov[0, 0] ** 0.5)


def test_window_without_an_interval_does_not_enter_and_is_counted() -> None:
    made = [estimate(0.8, 0.02), estimate(None, 0), estimate(0.7, 0.02), estimate(0.6, 0.02)]
    found = weighted_trend(made, range(4), level=0.95, per="year")
    assert (found.windows, found.left_out) == (3, 1)


def test_two_usable_windows_have_no_trend() -> None:
    made = [estimate(0.8, 0.02), estimate(None, 0), estimate(0.7, 0.02)]
    found = weighted_trend(made, range(3), level=0.95, per="year")
    assert found.p is None
    assert found.slope.value is None
    assert "insufficient: 2 usable windows" in found.slope.note
    assert cochran_armitage((1, 2), (5, 5), (0, 1), name="x", level=0.9, per="y").p is None
    assert mann_kendall((1.0, None, 2.0), (0, 1, 2), name="x", level=0.9, per="y").p is None


def test_shares_that_are_all_zero_have_no_trend() -> None:
    assert (
        cochran_armitage((0, 0, 0), (9, 9, 9), (0, 1, 2), name="x", level=0.95, per="y").p is None
    )


def test_mann_kendall_of_a_steady_fall_is_exact() -> None:
    found = mann_kendall((0.9, 0.8, 0.7, 0.65, 0.6), range(5), name="auroc", level=0.95, per="year")
    # One of 5! orders falls throughout, and one rises: two-sided p = 2/120.
    assert found.p == pytest.approx(2 / 120)
    assert found.slope.value == pytest.approx(-0.075, abs=1e-9)


def test_mann_kendall_of_one_value_is_flat() -> None:
    found = mann_kendall((0.7,) * 4, range(4), name="auroc", level=0.95, per="year")
    assert (found.slope.value, found.p) == (0.0, 1.0)


@pytest.mark.requirement("P8")
def test_slope_without_a_spread_or_with_too_few_ranks_has_no_interval_and_says_why() -> None:
    def ranked(*values: float, level: float = 0.95) -> Estimate:
        places = range(len(values))
        return mann_kendall(values, places, name="x", level=level, per="y").slope

    shares = cochran_armitage((0, 9, 9), (9, 9, 9), (0, 1, 2), name="x", level=0.95, per="y").slope
    for slope, why in (
        (shares, "share is 0 or 1"),
        (ranked(0.7, 0.7, 0.7, 0.7, 0.7), "all values are equal"),
        (ranked(0.7, 0.8, 0.6), "3 windows bound a slope at 0.667 at most"),
        (ranked(0.7, 0.8, 0.6, 0.9), "4 windows bound a slope at 0.917 at most"),
    ):
        assert slope.value is not None
        assert (slope.low, slope.high) == (None, None)
        assert why in slope.note
    assert ranked(0.7, 0.8, 0.6, 0.9, 0.5).low is not None
    assert ranked(0.7, 0.8, 0.6, 0.9, level=0.9).low is not None


def test_trend_that_cannot_be_drawn_is_refused() -> None:
    three = [estimate(0.8, 0.02)] * 3
    for call in (
        lambda: weighted_trend(three, [1.0, 2.0], level=0.95, per="year"),
        lambda: weighted_trend(three, [1.0] * 3, level=0.95, per="year"),
        lambda: cochran_armitage((9,), (3,), (0,), name="x", level=0.95, per="y"),
        lambda: cochran_armitage((1, 1, 1), (3, 3, 3), (0, 0, 0), name="x", level=0.95, per="y"),
        lambda: mann_kendall((1.0, 2.0), (0,), name="x", level=0.95, per="y"),
        lambda: mann_kendall((1.0, 2.0, 3.0), (0, 0, 1), name="x", level=0.95, per="y"),
    ):
        with pytest.raises(ProtocolMalformed):
            call()


def covered(runs: int, *, windows: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    truth, hits = -0.01, 0
    for _ in range(runs):
        se = rng.uniform(0.01, 0.05, windows)
        y = 0.8 + truth * np.arange(windows) + se * rng.normal(size=windows)
        made = [estimate(v, 1.959964 * s) for v, s in zip(y, se, strict=True)]
        slope = weighted_trend(made, range(windows), level=0.95, per="year").slope
        assert slope.low is not None
        assert slope.high is not None
        hits += slope.low <= truth <= slope.high
    return hits / runs


@pytest.mark.parametrize("windows", [3, 6, 12])
def test_slope_interval_covers_at_least_its_level_less_two_points(windows: int) -> None:
    # 500 runs: three standard errors are 2.9 points, so the bound of 93 % is held with 90.1 %.
    assert covered(500, windows=windows, seed=windows) >= 0.901


@pytest.mark.campaign
@pytest.mark.parametrize("windows", [3, 4, 6, 12, 24])
def test_slope_interval_covers_in_a_long_simulation(windows: int) -> None:
    assert covered(20_000, windows=windows, seed=windows) >= 0.93


def test_trend_has_a_record_without_floats() -> None:
    import json

    found = weighted_trend([estimate(0.8, 0.02)] * 3, range(3), level=0.95, per="year")
    text = json.dumps(found.as_record(), default=lambda _: pytest.fail("not in the JSON domain"))
    assert '"p": "1"' in text
