"""Limits of one proportion: what is refused, what is undefined, and how often the truth is held."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from audits.errors import IntervalMalformed
from audits.intervals.proportion import (
    FEW_EVENTS,
    METHODS,
    ProportionMethod,
    clopper_pearson,
    jeffreys,
    proportion_estimate,
    proportion_limits,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "level"),
    [(-1, 10, 0.95), (11, 10, 0.95), (0, 0, 0.95), (1, -1, 0.95), (1, 2, 0.0), (1, 2, 1.0)],
)
@pytest.mark.parametrize("limits", [wilson, clopper_pearson, jeffreys])
def test_counts_that_contradict_each_other_are_refused(
    limits: object, successes: int, n: int, level: float
) -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        limits(successes, n, level=level)  # type: ignore[operator]
    assert refusal.value.next_step


@pytest.mark.parametrize("n", [1, 2, 7, 50, 1000, 10**7])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_limits_agree_with_a_second_implementation(n: int, level: float) -> None:
    for successes in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        for ours, theirs in ((wilson, "wilson"), (clopper_pearson, "exact")):
            found = stats.binomtest(successes, n).proportion_ci(level, method=theirs)
            assert ours(successes, n, level=level) == pytest.approx(
                (found.low, found.high), abs=1e-9
            )


def test_jeffreys_limits_are_quantiles_of_the_posterior() -> None:
    low, high = jeffreys(7, 20, level=0.9)
    assert stats.beta(7.5, 13.5).cdf([low, high]) == pytest.approx([0.05, 0.95], abs=1e-12)
    assert jeffreys(0, 20, level=0.9)[0] == 0.0
    assert jeffreys(20, 20, level=0.9)[1] == 1.0


@pytest.mark.requirement("P8")
def test_an_empty_denominator_is_undefined_and_not_zero() -> None:
    found = proportion_estimate(metric="tpr", successes=0, n=0, level=0.95, unit="patient")
    assert (found.value, found.low, found.n, found.events) == (None, None, 0, 0)
    assert found.note


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize(("successes", "few"), [(FEW_EVENTS - 1, True), (FEW_EVENTS, False)])
def test_few_events_get_exact_limits_and_say_so(
    method: ProportionMethod, successes: int, few: bool
) -> None:
    for x in (successes, 40 - successes):
        found = proportion_estimate(
            metric="m", successes=x, n=40, level=0.95, unit="patient", method=method
        )
        exact = clopper_pearson(x, 40, level=0.95)
        assert ((found.low, found.high) == exact) is (few or method == "clopper-pearson")
        assert bool(found.note) is (few and method != "clopper-pearson")
        assert (found.value, found.events, found.method) == (x / 40, successes, METHODS[method])


@pytest.mark.parametrize(("successes", "n"), [(3, 0), (5, 4)])
def test_an_impossible_count_is_no_estimate(successes: int, n: int) -> None:
    with pytest.raises(IntervalMalformed):
        proportion_estimate(metric="m", successes=successes, n=n, level=0.95, unit="patient")


def test_an_unknown_method_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(IntervalMalformed) as refusal:
        proportion_estimate(
            metric="m",
            successes=1,
            n=2,
            level=0.95,
            unit="patient",
            method="wald",  # type: ignore[arg-type]
        )
    assert "wilson" in refusal.value.next_step


def coverage(method: ProportionMethod, n: int, p: float, level: float) -> float:
    """Return the exact probability that the limits hold p: a sum over the binomial."""
    limits = np.array([proportion_limits(x, n, level=level, method=method) for x in range(n + 1)])
    held = (limits[:, 0] <= p) & (p <= limits[:, 1])
    return float(stats.binom.pmf(np.arange(n + 1), n, p)[held].sum())


@pytest.mark.requirement("P8")
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("n", [20, 50, 200, 1000])
def test_limits_keep_their_level_within_two_points(
    method: ProportionMethod, level: float, n: int
) -> None:
    least = level if method == "clopper-pearson" else level - 0.02
    for p in (0.02, 0.1, 0.5, 0.9, 0.98):
        assert coverage(method, n, p, level) >= least, p


def test_wilson_alone_would_not_keep_its_level() -> None:
    """Why few events get exact limits: the check above can fail."""
    held = [x for x in range(51) if wilson(x, 50, level=0.95)[0] <= 0.02]
    assert stats.binom.cdf(max(held), 50, 0.02) < 0.93


def least_coverage(n: int) -> float:
    """Return the exact infimum over all p: coverage jumps at limits and is lowest beside one."""
    limits = np.array([proportion_limits(x, n, level=0.95) for x in range(n + 1)])
    edges = np.unique(limits[(limits > 0) & (limits < 1)])
    p = np.concatenate([edges * (1 - 1e-10), edges * (1 + 1e-10)])
    held = (limits[:, :1] <= p) & (p <= limits[:, 1:])
    return float((stats.binom.pmf(np.arange(n + 1)[:, None], n, p) * held).sum(axis=0).min())


def test_the_least_coverage_of_wilson_is_the_one_that_is_documented() -> None:
    assert least_coverage(36) == pytest.approx(0.9189, abs=1e-4)
    assert min(least_coverage(n) for n in range(1, 121)) == least_coverage(36)
