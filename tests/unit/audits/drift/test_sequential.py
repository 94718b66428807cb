"""Sequential monitors: false alarms within their bound over 2,000 streams, and the delay."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audits.drift.cusum import (
    bernoulli_cusum,
    bernoulli_rate,
    bernoulli_run_length,
    gaussian_cusum,
    gaussian_rate,
    gaussian_run_length,
)
from audits.drift.e_process import (
    BETS,
    EProcess,
    alarm_times,
    confidence_sequence,
    hedged_capital,
)
from audits.errors import MonitorMalformed
from audits.estimate import Verdict

STREAMS = 2000


def _excess(bound: float) -> float:
    """What 2,000 streams may exceed a bound by: three standard errors."""
    return 3 * math.sqrt(bound * (1 - bound) / STREAMS)


@pytest.mark.parametrize(("p", "limit"), [(0.05, 0.05), (0.2, 0.2), (0.04, 0.05)])
def test_e_process_alarms_within_its_bound(p: float, limit: float) -> None:
    rng = np.random.default_rng(1)
    streams = (rng.random((STREAMS, 1000)) < p).astype(float)
    rate = float((alarm_times(streams, limit=limit, alpha=0.05) > 0).mean())
    assert rate <= 0.05 + _excess(0.05)


def test_e_process_keeps_its_bound_for_values_between_and_for_dependence_on_the_past() -> None:
    """The next mean is always the limit, whatever came before; spread depends on the past."""
    rng = np.random.default_rng(2)
    streams = np.empty((STREAMS, 600))
    wide = np.zeros(STREAMS, dtype=bool)
    for t in range(600):
        spread = np.where(wide, 0.3, 0.05)
        streams[:, t] = 0.3 + spread * rng.choice([-1.0, 1.0], size=STREAMS)
        wide = streams[:, t] > 0.3
    rate = float((alarm_times(streams, limit=0.3, alpha=0.1) > 0).mean())
    assert rate <= 0.1 + _excess(0.1)


@pytest.mark.parametrize(("rise", "most"), [(0.10, 400), (0.20, 100)])
def test_e_process_finds_a_rise_and_says_how_late(rise: float, most: int) -> None:
    rng = np.random.default_rng(3)
    streams = (rng.random((STREAMS, 1500)) < rise).astype(float)
    delay = alarm_times(streams, limit=0.05, alpha=0.05)
    assert (delay > 0).mean() > 0.99
    assert np.median(delay) < most


def test_e_process_step_by_step_is_the_vectorised_one() -> None:
    rng = np.random.default_rng(4)
    streams = (rng.random((5, 300)) < 0.15).astype(float)
    times = alarm_times(streams, limit=0.05, alpha=0.05)
    for row, time in zip(streams, times, strict=True):
        monitor = EProcess(limit=0.05, alpha=0.05).run(row)
        assert (monitor.alarm_at or 0) == time
        half = EProcess(limit=0.05, alpha=0.05).run(row[:100]).run(row[100:])
        assert half == monitor


def test_e_process_capital_is_the_product_that_the_definition_says() -> None:
    monitor = EProcess(limit=0.1, alpha=0.05).run([1.0, 0.0, 0.25])
    products = [(1 + 9 * b) * (1 - b) * (1 + 1.5 * b) for b in BETS]
    assert math.exp(monitor.log_capital) == pytest.approx(sum(products) / len(BETS), rel=1e-12)
    assert monitor.verdict is Verdict.PASS
    assert monitor.as_record()["alarm_at"] is None


def test_an_alarm_stays_although_the_capital_falls_again() -> None:
    monitor = EProcess(limit=0.05, alpha=0.05).run([1.0] * 30 + [0.0] * 3000)
    assert monitor.verdict is Verdict.FAIL
    assert monitor.log_capital < 0


def test_before_the_first_value_there_is_no_verdict() -> None:
    assert EProcess(limit=0.05, alpha=0.05).verdict is Verdict.INSUFFICIENT


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan])
def test_a_value_outside_the_bounds_is_refused(value: float) -> None:
    with pytest.raises(MonitorMalformed):
        EProcess(limit=0.05, alpha=0.05).step(value)


@pytest.mark.parametrize(("limit", "alpha"), [(0, 0.05), (1, 0.05), (0.1, 0), (0.1, 1)])
def test_limits_that_bound_nothing_are_refused(limit: float, alpha: float) -> None:
    with pytest.raises(MonitorMalformed):
        EProcess(limit=limit, alpha=alpha)


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.9])
def test_the_confidence_sequence_holds_the_mean_at_all_times(mean: float) -> None:
    rng = np.random.default_rng(5)
    streams = (rng.random((STREAMS, 600)) < mean).astype(float)
    missed = float((hedged_capital(streams, mean=mean, alpha=0.05) >= 20).mean())
    assert missed <= 0.05 + _excess(0.05)


def test_the_confidence_sequence_agrees_with_the_capital_and_narrows() -> None:
    rng = np.random.default_rng(6)
    values = (rng.random(800) < 0.3).astype(float)
    found = confidence_sequence(values, level=0.95, metric="share", unit="answer")
    early = confidence_sequence(values[:80], level=0.95, metric="share", unit="answer")
    assert found.low is not None
    assert found.high is not None
    assert early.low is not None
    assert early.high is not None
    assert found.high - found.low < (early.high - early.low) / 2
    assert found.low < 0.3 < found.high
    for mean, held in ((found.low - 0.003, False), (found.low + 0.003, True)):
        peak = hedged_capital(values[None, :], mean=mean, alpha=0.05)[0]
        assert (peak < 20) is np.bool_(held)


def test_a_mean_that_jumps_leaves_no_single_mean() -> None:
    values = np.concatenate((np.zeros(400), np.ones(400)))
    found = confidence_sequence(values, level=0.95, metric="share", unit="answer")
    assert found.low is None
    assert "changed" in found.note


def test_no_value_is_no_estimate() -> None:
    found = confidence_sequence(np.array([]), level=0.95, metric="share", unit="answer")
    assert (found.value, found.n) == (None, 0)


def _brook_and_evans(k: float, h: float, *, states: int) -> float:
    """The second implementation: a Markov chain of equal intervals, extrapolated to no width."""

    def at(t: int) -> float:
        from scipy.special import ndtr

        w = 2 * h / (2 * t - 1)
        i, j = np.arange(t)[:, None], np.arange(t)[None, :]
        upper = ndtr((j - i + 0.5) * w + k)
        lower = np.where(j == 0, 0.0, ndtr((j - i - 0.5) * w + k))
        return float(np.linalg.solve(np.eye(t) - (upper - lower), np.ones(t))[0])

    fine, coarse = at(states), at(states // 2)
    return fine + (fine - coarse) / 3


@pytest.mark.parametrize(
    ("k", "h", "published"), [(0.5, 4.0, 168), (0.5, 5.0, 465)], ids=["h=4", "h=5"]
)
def test_gaussian_run_lengths_are_the_published_ones(k: float, h: float, published: int) -> None:
    """Montgomery, Introduction to Statistical Quality Control, 6th edition, table 9.3, shift 0."""
    assert round(gaussian_run_length(k, h) / 2) == published


@pytest.mark.parametrize(
    ("shift", "h4", "h5"), [(0.5, 26.6, 38.0), (1.0, 8.38, 10.4), (2.0, 3.34, 4.01)]
)
def test_gaussian_delays_are_the_published_ones(shift: float, h4: float, h5: float) -> None:
    """The same table; with a shift the other side hardly matters."""
    for h, published in ((4.0, h4), (5.0, h5)):
        one = gaussian_run_length(0.5, h, mean=shift)
        other = gaussian_run_length(0.5, h, mean=-shift)
        assert 1 / (1 / one + 1 / other) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("k", "h"), [(0.25, 6.0), (0.5, 4.0), (0.5, 5.0), (1.0, 2.5)])
def test_gaussian_run_length_equals_the_second_implementation(k: float, h: float) -> None:
    assert gaussian_run_length(k, h) == pytest.approx(_brook_and_evans(k, h, states=400), rel=1e-3)


def test_gaussian_cusum_alarms_within_its_rate_and_reports_its_delay() -> None:
    rng = np.random.default_rng(7)
    monitor = gaussian_cusum(rate=0.1, horizon=250)
    assert monitor.rate is not None
    assert 0.099 < monitor.rate <= 0.1
    alarms = float((monitor.alarm_times(rng.normal(size=(STREAMS, 250))) > 0).mean())
    # Two sides are bounded by their sum; they hardly ever alarm together.
    assert 0.1 - 0.01 - _excess(0.1) <= alarms <= 0.1 + _excess(0.1)
    delay = monitor.alarm_times(rng.normal(1.0, size=(STREAMS, 250)))
    expected = gaussian_run_length(0.5, monitor.limit, mean=1.0)
    assert delay.mean() == pytest.approx(expected, rel=0.05)


def test_gaussian_cusum_keeps_a_declared_run_length() -> None:
    monitor = gaussian_cusum(run_length=370)
    assert monitor.limit == pytest.approx(4.7749, abs=0.001)  # Hawkins and Olwell: 4.774
    assert gaussian_run_length(0.5, monitor.limit - 0.0002) / 2 < 370 <= monitor.run_length
    assert gaussian_cusum(run_length=370, two_sided=False).limit < monitor.limit


def _mean_of(survived: list[float]) -> float:
    """The mean run length of survival shares 1, 2, ..., with a geometric tail."""
    ratio = survived[-1] / survived[-2]
    return 1 + sum(survived) + survived[-1] * ratio / (1 - ratio)


def test_gaussian_rate_and_run_length_are_of_one_chain() -> None:
    survived = [1 - gaussian_rate(0.5, 1.0, horizon=t) for t in range(1, 60)]
    assert _mean_of(survived) == pytest.approx(gaussian_run_length(0.5, 1.0), rel=1e-6)


def test_bernoulli_run_length_is_that_of_a_run_of_events_where_the_limit_asks_for_one() -> None:
    """Exact: with step 2 the sum needs h events more than others; h = 1 is the first event."""
    assert bernoulli_run_length(0.1, step=2, limit=1) == pytest.approx(10.0, rel=1e-12)
    # Two events in a row from zero, one state between: (1 + p) / p^2 with a fall to zero.
    assert bernoulli_run_length(0.1, step=2, limit=2) == pytest.approx(110.0, rel=1e-12)


@pytest.mark.parametrize(("p0", "p1"), [(0.01, 0.03), (0.05, 0.1), (0.3, 0.5)])
def test_bernoulli_cusum_alarms_within_its_rate_and_reports_its_delay(p0: float, p1: float) -> None:
    rng = np.random.default_rng(8)
    monitor = bernoulli_cusum(p0=p0, p1=p1, rate=0.1, horizon=1000)
    assert monitor.rate is not None
    assert monitor.rate <= 0.1
    alarms = (monitor.alarm_times((rng.random((STREAMS, 1000)) < p0).astype(np.int8)) > 0).mean()
    assert alarms == pytest.approx(monitor.rate, abs=_excess(0.1))
    delay = monitor.alarm_times((rng.random((STREAMS, 1500)) < p1).astype(np.int8))
    expected = bernoulli_run_length(p1, step=monitor.step, limit=monitor.limit)
    assert (delay > 0).mean() > 0.98
    assert delay[delay > 0].mean() == pytest.approx(expected, rel=0.06)


def test_bernoulli_cusum_has_the_least_limit_that_keeps_its_run_length() -> None:
    monitor = bernoulli_cusum(p0=0.02, p1=0.05, run_length=5000)
    assert monitor.run_length >= 5000
    less = bernoulli_run_length(0.02, step=monitor.step, limit=monitor.limit - 1)
    assert less < 5000
    assert monitor.as_record()["limit"] == monitor.limit


def test_bernoulli_rate_and_run_length_are_of_one_chain() -> None:
    survived = [1 - bernoulli_rate(0.2, step=3, limit=5, horizon=t) for t in range(1, 150)]
    assert _mean_of(survived) == pytest.approx(bernoulli_run_length(0.2, step=3, limit=5), rel=1e-6)


@pytest.mark.parametrize(("p0", "p1"), [(0.1, 0.1), (0.2, 0.1), (0.0, 0.1), (0.1, 1.0)])
def test_shares_that_do_not_rise_are_refused(p0: float, p1: float) -> None:
    with pytest.raises(MonitorMalformed):
        bernoulli_cusum(p0=p0, p1=p1, run_length=100)


@pytest.mark.parametrize(
    ("run_length", "rate", "horizon"),
    [
        (None, None, None),
        (100.0, 0.1, 10),
        (1.0, None, None),
        (math.inf, None, None),
        (None, 0.1, None),
        (None, 0.0, 10),
        (None, 1.0, 10),
        (None, 0.1, 0),
    ],
)
def test_a_monitor_that_declares_nothing_or_twice_is_refused(
    run_length: float | None, rate: float | None, horizon: int | None
) -> None:
    with pytest.raises(MonitorMalformed):
        gaussian_cusum(run_length=run_length, rate=rate, horizon=horizon)


def test_a_declaration_that_no_limit_keeps_is_refused() -> None:
    with pytest.raises(MonitorMalformed, match="no limit"):
        bernoulli_cusum(p0=0.001, p1=0.0011, run_length=1e12)
